"""Keeping what limits have counted over a restart: `limits.state` records, and counting again from the log.

States are written a few at a time, so that no moment has much to do: each counter of a window longer than a minute, and
of a budget, once a minute or as often as their number allows. A restart takes the newest state of each counter and adds
the calls whose records came after it. Windows of a minute are counted from the calls alone.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from math import inf
from typing import Final, final

from trunkline.audit.files.settings import CorruptLog
from trunkline.errors import AuditUnavailable
from trunkline.gateway.admission import moment
from trunkline.gateway.journal import Journal
from trunkline.gateway.past import Past, PastCall, read_past
from trunkline.gateway.record_log import RecordLog
from trunkline.model.money import nano_usd
from trunkline.model.records import CounterState, LimitsState
from trunkline.model.snapshot import Key, Snapshot
from trunkline.operations import OperationalLog
from trunkline.policy.limits.counter import Counter
from trunkline.policy.limits.limiter import Limiter
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.rules import Claim
from trunkline.policy.limits.tenant_rules import TenantRules, rules_of

CYCLE: Final = 60.0  # seconds from the beginning of a round of states to that of the next
MOST_AT_ONCE: Final = 200  # states in a record, and of records one a tick
SWEPT: Final = 20_000  # counters looked at each time, to forget the idle ones
SHORT: Final = ("minute", "")  # periods that need no states


def needs_states(rules: Mapping[str, TenantRules]) -> bool:
    """Return whether any rule of a snapshot counts for longer than a minute."""
    return any(rule.period not in SHORT for tenant in rules.values() for rule in tenant.rules)


@final
class StateRecords:
    """Writes the states of one worker's counters, round after round."""

    __slots__ = ("_began", "_journal", "_left", "_limiter", "_next", "since")

    def __init__(self, journal: Journal, limiter: Limiter) -> None:
        self._journal, self._limiter = journal, limiter
        self._left: list[tuple[str, str]] | None = None  # of the round that is under way
        self._began = 0  # the record at which it began
        self._next = 0.0
        self.since = 0  # where the last round that was finished began

    def write(self, now: Moment) -> None:
        """Write the next few states; to be called about once a second. Raises AuditUnavailable."""
        if self._left is None:
            if now.monotonic < self._next:
                return
            self._next = now.monotonic + CYCLE
            self._began = self._journal.next_index
            self._left = [place for place in self._limiter.places() if _period(place[0]) not in SHORT]
        some, self._left = self._left[:MOST_AT_ONCE], self._left[MOST_AT_ONCE:]
        counters = []
        for rule_id, owner in some:
            counter = self._limiter.find(rule_id, owner)
            if counter is not None:  # else it was idle and is gone
                state = [(None if seconds == inf else seconds, units) for seconds, units in counter.state(now)]
                counters.append(CounterState(rule_id, owner, tuple(state)))
        self._journal.limits_state(LimitsState(since=self.since, counters=tuple(counters)))
        if not self._left:
            self._left, self.since = None, self._began


@final
class Counts:
    """What one worker counts: taken up from its log when it starts, and kept in there while it runs."""

    __slots__ = ("_limiter", "_operations", "_restored", "_states")

    def __init__(self, journal: Journal, limiter: Limiter, operations: OperationalLog) -> None:
        self._limiter, self._operations = limiter, operations
        self._states = StateRecords(journal, limiter)
        self._restored = False

    async def restore(self, snapshot: Snapshot, log: RecordLog) -> None:
        """Before the first call: count what calls before this process have used; a restart forgives nothing.

        It waits for a log that is open. One whose end cannot be read is told, and no reason to serve nobody.
        """
        if self._restored or not log.healthy:
            return
        rules = rules_of(snapshot.tenants, snapshot.keys)
        self._restored, self._states.since = True, log.next_index
        if not any(tenant.rules for tenant in rules.values()):
            return
        try:
            past = await asyncio.to_thread(partial(read_past, log.directory, states=needs_states(rules)))
        except (CorruptLog, OSError, ValueError) as error:
            self._operations.event("error", "counts_lost", reason=str(error))
            return
        calls = count_again(self._limiter, rules, snapshot.keys, past, moment())
        if past.since is not None:
            self._states.since = past.since
        self._operations.event("info", "counted_again", calls=calls, counters=len(self._limiter))

    def keep(self, rules: Mapping[str, TenantRules]) -> None:
        """Write what has been counted, and forget who is idle; to be called about once a second."""
        now = moment()
        self._limiter.sweep(now, SWEPT)
        if self._restored and needs_states(rules):
            with suppress(AuditUnavailable):  # the log has failed, which is told elsewhere
                self._states.write(now)


def count_again(
    limiter: Limiter, rules: Mapping[str, TenantRules], keys: Mapping[str, Key], past: Past, now: Moment
) -> int:
    """Count again what a log says; returns the number of calls that counted.

    What is in no state and whose record came before it is in no window any more, or under a rule that there was not.
    """
    known = {rule.id: rule for tenant in rules.values() for rule in tenant.rules}
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
        tenant, key = rules.get(call.tenant), keys.get(call.key_id)
        if tenant is not None and key is not None:
            claims = tenant.of_plan(key, call.route).claims(call.user, call.team, call.tags)
            for claim in claims:
                _count(limiter, claim, call, contains.get((claim.rule.id, claim.owner), -1), now)
            counted += bool(claims)
    return counted


def _count(limiter: Limiter, claim: Claim, call: PastCall, contained: int, now: Moment) -> None:
    """Count one past call under one rule, unless the state that was restored has it."""
    rule, last = claim.rule, call.opened if call.ended is None else call.ended
    began, ended = _moment(call.at, now), _moment(call.ended_at, now)
    if rule.measure == "requests" and call.opened > contained:
        _counter(limiter, claim, now).take(1, began)
    elif rule.measure == "tokens" and last > contained:
        _counter(limiter, claim, now).take(call.tokens, ended)
    elif rule.measure == "money" and last > contained:
        counter = _counter(limiter, claim, now)
        counter.settle(counter.take(0, began), 0, nano_usd(call.cost), ended)


def _counter(limiter: Limiter, claim: Claim, now: Moment) -> Counter:
    return limiter.counter(claim.rule, claim.owner, now)


def _moment(at: float, now: Moment) -> Moment:
    """Return a past moment; one that the clock has not come to yet is now."""
    wall = min(at, now.wall)
    return Moment(now.monotonic - (now.wall - wall), wall)


def _period(rule_id: str) -> str:
    return rule_id.rpartition("/")[2]
