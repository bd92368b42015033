"""How the limits of one worker are used, for whoever looks: found a slice at a time, so that no call waits for it."""

import asyncio
from collections.abc import Iterable
from heapq import heappush, heapreplace
from math import inf
from typing import Final, final

import msgspec

from trunkline.channel.messages import LimitsQuestion, LimitsShown, LimitUse, ShowLimits
from trunkline.gateway.clock import moment
from trunkline.policy.limits.counter import Counter
from trunkline.policy.limits.limiter import Limiter
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.rules import Rule
from trunkline.policy.limits.tenant_rules import TenantRules

SLICE: Final = 500  # counters looked at before calls have their turn: half a millisecond
MOST: Final = 2_000
MOST_BYTES: Final = 512 * 1024  # half of the largest message
_encode: Final = msgspec.json.Encoder().encode


@final
class _Most:
    """The uses of which most of the limit is used."""

    __slots__ = ("_found", "_most", "_seen")

    def __init__(self, most: int) -> None:
        self._most, self._seen = most, 0
        self._found: list[tuple[float, int, LimitUse]] = []

    def add(self, use: LimitUse) -> None:
        self._seen += 1
        entry = (use.used / use.limit, -self._seen, use)
        if len(self._found) < self._most:
            heappush(self._found, entry)
        elif entry > self._found[0]:
            heapreplace(self._found, entry)

    def shown(self, number: int, held: int) -> LimitsShown:
        """Return them, the most used first, as many as a message has room for."""
        uses: list[LimitUse] = []
        room = MOST_BYTES
        for _, _, use in sorted(self._found, reverse=True):
            room -= len(_encode(use)) + 1
            if room < 0:
                break
            uses.append(use)
        return LimitsShown(number, tuple(uses), self._seen - len(uses), held)


async def limits_shown(order: ShowLimits, rules: Iterable[TenantRules], limiter: Limiter, held: int) -> LimitsShown:
    """Return how the limits are used that are asked for; those too of which nobody uses anything."""
    asked = order.asked
    most = _Most(max(1, min(asked.most, MOST)))
    for tenant in rules:
        known = {claim.rule.id: claim.owner for claim in tenant.known()}
        for rule in tenant.rules:
            if is_asked(rule, asked):
                await _add_uses(most, rule, known.get(rule.id), asked, limiter)
        await asyncio.sleep(0)
    return most.shown(order.number, held)


async def _add_uses(most: _Most, rule: Rule, known: str | None, asked: LimitsQuestion, limiter: Limiter) -> None:
    """Add the uses of a rule, whose owner may be known beforehand; one of 0 where nobody uses anything."""
    named = owner_asked(rule, asked)
    if _owners_asked(asked) and (named is None or known not in {None, named}):
        return
    unused = True
    for looked, (owner, counter) in enumerate(_counters(limiter, rule, named), 1):
        use = _use_of(rule, owner, counter, moment())
        if use.used:
            most.add(use)
            unused = False
        if looked % SLICE == 0:
            await asyncio.sleep(0)
    if unused:
        most.add(_use(rule, known if named is None else named, 0, 0.0))


def is_asked(rule: Rule, asked: LimitsQuestion) -> bool:
    """Return whether a rule is asked for, whoever its owners are."""
    if asked.tenant not in {None, rule.tenant} or asked.scope not in {None, rule.scope}:
        return False
    return asked.rule is None or rule.name == asked.rule or rule.name.startswith(f"{asked.rule}.")


def _owners_asked(asked: LimitsQuestion) -> bool:
    return not (asked.user is None and asked.team is None and asked.key is None and asked.route is None)


def owner_asked(rule: Rule, asked: LimitsQuestion) -> str | None:
    """Return the owner of this rule that is asked for, None if none is."""
    if rule.scope == "user":
        return asked.user
    if rule.scope == "team":
        return asked.team
    if rule.scope == "key":
        return asked.key
    return asked.route if rule.scope == "route" else None


def _counters(limiter: Limiter, rule: Rule, named: str | None) -> list[tuple[str, Counter]]:
    """Return the counters of a rule by owner, or that of one owner; what comes or goes meanwhile changes no list."""
    if named is None:
        return list(limiter.owners(rule.id).items())
    counter = limiter.find(rule.id, named)
    return [] if counter is None else [(named, counter)]


def _use_of(rule: Rule, owner: str, counter: Counter, now: Moment) -> LimitUse:
    return _use(rule, owner, counter.used(now), counter.reset(now))


def _use(rule: Rule, owner: str | None, used: int, reset: float) -> LimitUse:
    return LimitUse(
        tenant=rule.tenant,
        rule=rule.name,
        scope=rule.scope,
        owner=owner,
        measure=rule.measure,
        period=rule.period,
        enforced=rule.blocks,
        limit=rule.limit,
        used=used,
        reset=None if reset == inf else reset,
    )
