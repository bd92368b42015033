"""Keeping what limits have counted over a restart: `limits.state` records, and counting again from the log.

States are written a few at a time, so that no moment has much to do: each counter of a window longer than a minute, and
of a budget, once a minute or as often as their number allows, and less often while no calls come. A restart takes the
newest state of each counter and adds the calls whose records came after it. Windows of a minute are counted from the
calls alone.

Logs that nobody goes on with are counted by one worker, each time that it starts. What it has from there is kept apart
and left out of its own states: each log tells of its own worker alone, and so nothing is counted twice, whoever goes on
with which log the next time.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from pathlib import Path
from typing import Final, final

from trunkline.audit.format.sealing import OpeningKeys
from trunkline.errors import AuditUnavailable
from trunkline.gateway.clock import moment
from trunkline.gateway.journal import Journal
from trunkline.gateway.past import Past, PastCall, read_past
from trunkline.gateway.record_log import RecordLog
from trunkline.model.records import CounterState, LimitsState
from trunkline.model.snapshot import Snapshot
from trunkline.operations import OperationalLog
from trunkline.policy.budgets.account import Account
from trunkline.policy.limits.counter import Counter
from trunkline.policy.limits.limiter import Limiter
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.rules import Claim, Rule
from trunkline.policy.limits.tenant_rules import TenantRules, rules_of

CYCLE: Final = 60.0  # seconds from the beginning of a round of states to that of the next
MOST_AT_ONCE: Final = 50  # states in a record, and of records one a second: states may not fill the disk
SWEPT: Final = 2_000  # counters looked at each time, to forget the idle ones
FEW: Final = 10  # records, such as heartbeats, that are no reason to write all states again soon
QUIET: Final = 240.0  # seconds that a round is put off by for want of calls; `past.STATES_WITHIN` is beyond that
SHORT: Final = ("minute", "")  # periods that need no states


def needs_states(rules: Mapping[str, TenantRules]) -> bool:
    """Return whether any rule of a snapshot counts for longer than a minute."""
    return any(rule.period not in SHORT for tenant in rules.values() for rule in tenant.rules)


@final
class StateRecords:
    """Writes the states of one worker's counters, round after round, without what it counts of others' logs."""

    __slots__ = ("_began", "_journal", "_last", "_left", "_limiter", "_next", "_of_others", "since")

    def __init__(self, journal: Journal, limiter: Limiter, of_others: Limiter) -> None:
        self._journal, self._limiter, self._of_others = journal, limiter, of_others
        self._left: deque[tuple[str, str]] | None = None  # of the round that is under way
        self._last = -1  # the last record that was written here, after which something must come before a new round
        self._began = 0  # the record at which it began
        self._next = 0.0
        self.since = 0  # where the last round that was finished began

    def write(self, now: Moment) -> None:
        """Write the next few states; to be called about once a second. Raises AuditUnavailable."""
        if self._left is None:
            quiet = self._last >= 0 and self._journal.next_index <= self._last + FEW
            if now.monotonic < self._next + (QUIET if quiet else 0.0):
                return
            self._next = now.monotonic + CYCLE
            self._began = self._journal.next_index
            self._left = deque([place for place in self._limiter.places() if _period(place[0]) not in SHORT])
        counters = []
        for _ in range(min(MOST_AT_ONCE, len(self._left))):
            rule_id, owner = self._left.popleft()
            counter = self._limiter.find(rule_id, owner)
            if counter is not None:  # else it was idle and is gone
                own = own_state(counter, self._of_others.find(rule_id, owner), now)
                state = [(None if seconds == inf else seconds, units) for seconds, units in own]
                written = self._journal.owner(rule_id.partition("/")[0], rule_id, owner)
                counters.append(CounterState(rule_id, written, tuple(state)))
        self._journal.limits_state(LimitsState(since=self.since, counters=tuple(counters)))
        self._last = self._journal.next_index - 1
        if not self._left:
            self._left, self.since = None, self._began


@final
class Counts:
    """What one worker counts: taken up from its log when it starts, and kept in there while it runs.

    `left` are the directories of logs that nobody goes on with, and that it counts besides.
    """

    __slots__ = ("_left", "_limiter", "_of_others", "_operations", "_restored", "_states")

    def __init__(
        self, journal: Journal, limiter: Limiter, operations: OperationalLog, left: Sequence[Path] = ()
    ) -> None:
        self._limiter, self._operations, self._left = limiter, operations, left
        self._of_others = Limiter()  # what the logs that were left say, once more
        self._states = StateRecords(journal, limiter, self._of_others)
        self._restored = False

    async def restore(self, snapshot: Snapshot, log: RecordLog) -> None:
        """Before the first call: count what calls before this process have used; a restart forgives nothing.

        It waits for a log that is open. What of its end cannot be read is told, and no reason to serve nobody.
        """
        if self._restored or not log.healthy:
            return
        rules = rules_of(snapshot.tenants, snapshot.keys)
        self._restored, self._states.since = True, log.next_index
        if not any(tenant.rules for tenant in rules.values()):
            return
        past = await self._read(log.directory, log.opening, rules)
        pasts = [await self._read(directory, log.opening, rules) for directory in self._left]
        now = moment()
        calls = count_again(self._limiter, rules, [past, *pasts], now)
        count_again(self._of_others, rules, pasts, now)
        if past.since is not None:
            self._states.since = past.since
        self._operations.event(
            "info", "counted_again", calls=calls, counters=len(self._limiter), left_logs=len(self._left)
        )

    async def _read(self, directory: Path, keys: OpeningKeys, rules: Mapping[str, TenantRules]) -> Past:
        past = await asyncio.to_thread(partial(read_past, directory, keys, states=needs_states(rules)))
        if past.lost:
            log = f"{directory.parent.name}/{directory.name}"
            self._operations.event("error", "counts_lost", log=log, reason=past.lost)
        return past

    def go_on_with(self, rules: Mapping[str, TenantRules]) -> None:
        """Take up the rules of a reload; what was counted under others is thrown away."""
        every = [rule for tenant in rules.values() for rule in tenant.rules]
        self._limiter.keep(every)
        self._of_others.keep(every)

    def keep(self, rules: Mapping[str, TenantRules]) -> None:
        """Write what has been counted, and forget who is idle; to be called about once a second."""
        now = moment()
        self._limiter.sweep(now, SWEPT)
        self._of_others.sweep(now, SWEPT)
        if self._restored and needs_states(rules):
            with suppress(AuditUnavailable):  # the log has failed, which is told elsewhere
                self._states.write(now)


def count_again(limiter: Limiter, rules: Mapping[str, TenantRules], pasts: Sequence[Past], now: Moment) -> int:
    """Count again what logs say, each of another worker; returns the number of calls that counted.

    Thresholds of budgets that have been reached by then have been told.
    """
    known = {rule.id: rule for tenant in rules.values() for rule in tenant.rules}
    counted = sum([_count_log(limiter, known, rules, past, now) for past in pasts])
    for rule in known.values():
        for counter in limiter.owners(rule.id).values():
            if isinstance(counter, Account):
                counter.crossed(rule.limit, now)
    return counted


def own_state(counter: Counter, of_others: Counter | None, now: Moment) -> list[tuple[float, int]]:
    """Return the state of a counter without what another one has, which it contains."""
    if of_others is None:
        return counter.state(now)
    # An account turns to a new period, or calendar, when it is asked; both have to have done so.
    counter.used(now)
    of_others.used(now)
    theirs = dict(of_others.state(now))
    return [
        (seconds, units - theirs.get(seconds, 0))
        for seconds, units in counter.state(now)
        if units > theirs.get(seconds, 0)
    ]


def _count_log(
    limiter: Limiter, known: Mapping[str, Rule], rules: Mapping[str, TenantRules], past: Past, now: Moment
) -> int:
    """Count again what one log says; returns the number of calls that counted.

    What is in no state and whose record came before it is in no window any more, or under a rule that there was not.
    """
    contains: dict[tuple[str, str], int] = {}
    for (rule_id, owner), state in past.states.items():
        rule = known.get(rule_id)
        if rule is not None and rule.period not in SHORT:
            contains[rule_id, owner] = state.record
            age = max(0.0, now.wall - state.at)
            counts = [(inf if seconds is None else seconds - age, units) for seconds, units in state.counts]
            limiter.restore(rule, owner, counts, now)
    counted = 0
    for call in past.calls:
        tenant = rules.get(call.tenant)
        if tenant is not None:
            plan = tenant.of_plan(call.key_id, call.route, judging=call.judging)
            claims = plan.claims(call.user, call.team, call.tags)
            for claim in claims:
                _count(limiter, claim, call, contains.get((claim.rule.id, claim.owner), -1), now)
            counted += bool(claims)
    return counted


def _count(limiter: Limiter, claim: Claim, call: PastCall, contained: int, now: Moment) -> None:
    """Count one past call under one rule, but for what the state that was restored has of it.

    A state has the requests and tokens of calls that ran when it was written as they were reserved, and no money of
    theirs.
    """
    rule, goes_on = claim.rule, call.ended is None or call.ended > contained
    began, ended = _moment(call.at, now), _moment(call.ended_at, now)
    if rule.measure == "requests" and call.opened > contained:
        _counter(limiter, claim, now).take(1, began)
    elif rule.measure == "tokens" and goes_on:
        has = call.reserved if call.opened <= contained else 0
        _counter(limiter, claim, now).take(max(0, call.tokens - has), ended)
    elif rule.measure == "money" and goes_on:
        counter = _counter(limiter, claim, now)
        counter.settle(counter.take(0, began), 0, call.nano_usd, ended)


def _counter(limiter: Limiter, claim: Claim, now: Moment) -> Counter:
    return limiter.counter(claim.rule, claim.owner, now, known=True)


def _moment(at: float, now: Moment) -> Moment:
    """Return a past moment; one that the clock has not come to yet is now."""
    wall = min(at, now.wall)
    return Moment(now.monotonic - (now.wall - wall), wall)


def _period(rule_id: str) -> str:
    return rule_id.rpartition("/")[2]
