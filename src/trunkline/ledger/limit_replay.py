"""Past calls against limits: the counters of the gateway, in the order in which calls were made. Pure.

A call takes what it needed in fact, where the gateway goes by estimates. It holds its slot from when it was opened for
as long as it took. One that limits would have refused uses nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from heapq import heappop, heappush
from math import inf
from typing import NamedTuple

from trunkline.ledger.limit_answers import Refusals
from trunkline.model.snapshot import Key
from trunkline.policy.limits.limiter import Limiter, Reservation
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.rules import OTHERS, Claim, Needs
from trunkline.policy.limits.tenant_rules import PlanRules, TenantRules

REFUSED, WARNED = "refused", "warned"
# Of more owners than this, what happened to further ones is counted together.
MOST_OWNERS = 50_000
# Counters looked at after each call, so that those of yesterday's users are gone.
SWEPT = 8
MOST_PLANS = 10_000


class PastCall(NamedTuple):
    """Calls that were made in one moment: `times` is above 1 for refusals, which are counted and not recorded.

    `needs` and `seconds` are None for calls that were refused: nobody knows what they would have needed.
    """

    at: float
    call: str | None
    tenant: str
    key_id: str
    route: str
    user: str | None
    team: str | None
    tags: Mapping[str, str]
    needs: Needs | None
    seconds: float | None
    times: int = 1
    judging: bool = False


class _Usual:
    """What calls of a tenant on a route have needed, on average."""

    def __init__(self) -> None:
        self._calls = self._tokens = self._money = 0
        self._seconds = 0.0

    def add(self, needs: Needs, seconds: float) -> None:
        self._calls += 1
        self._tokens += needs.tokens
        self._money += needs.money
        self._seconds += seconds

    def expected(self) -> tuple[Needs, float]:
        calls = max(1, self._calls)
        return Needs(self._tokens // calls, self._money // calls), self._seconds / calls


class _Tally:
    def __init__(self, call: PastCall) -> None:
        self.calls, self.longest = 0, 0.0
        self.first = self.last = call.at
        self.example = call.call

    def add(self, call: PastCall, wait: float) -> None:
        self.calls += 1
        self.last, self.longest = call.at, max(self.longest, wait)
        self.example = self.example or call.call


class LimitReplay:
    """Takes calls in the order of time; those before `since` count and are not told."""

    def __init__(self, rules: Mapping[str, TenantRules], keys: Mapping[str, Key], since: float) -> None:
        self._rules, self._keys, self._since = rules, keys, since
        self._limiter = Limiter()
        self._running: list[tuple[float, int, Reservation]] = []
        self._number = 0
        self._plans: dict[tuple[str, str, str, bool], PlanRules] = {}
        self._usual: dict[tuple[str, str], _Usual] = {}
        self._tallies: dict[tuple[str, str, str, str], _Tally] = {}
        self._scopes: dict[tuple[str, str, str], str] = {}  # of the rules that are told
        self._owners: dict[tuple[str, str, str], int] = {}  # calls by tenant, scope and owner
        self.calls = self.refused = self.unjudged = 0

    def take(self, call: PastCall) -> None:
        """Let a call in, or refuse it."""
        told = call.at >= self._since
        if call.tenant not in self._rules:
            self.unjudged += call.times if told else 0
            return
        claims = self._claims(call)
        needs, seconds = self._needs(call)
        for _ in range(call.times):
            self._judge(call, claims, needs, seconds, told=told)

    def rows(self) -> list[Refusals]:
        """Return what was refused, most first."""
        found = [
            Refusals(
                tenant=tenant,
                rule=rule,
                owner=owner,
                effect=effect,
                calls=tally.calls,
                share=self._share(tenant, rule, owner, tally.calls),
                first=_at(tally.first),
                last=_at(tally.last),
                longest_wait=None if tally.longest == inf else round(tally.longest, 3),
                example=tally.example,
            )
            for (tenant, rule, owner, effect), tally in self._tallies.items()
        ]
        return sorted(found, key=lambda row: (-row.calls, row.tenant, row.rule, row.owner))

    def _judge(self, call: PastCall, claims: Sequence[Claim], needs: Needs, seconds: float, *, told: bool) -> None:
        now = Moment(call.at, call.at)
        self._end_until(now)
        found = self._limiter.reserve(claims, needs, now)
        if told:
            self.calls += 1
            for place in {(claim.rule.tenant, claim.rule.scope, claim.owner) for claim in claims}:
                if place in self._owners or len(self._owners) < MOST_OWNERS:
                    self._owners[place] = self._owners.get(place, 0) + 1
        if isinstance(found, Reservation):
            self._number += 1
            heappush(self._running, (call.at + seconds, self._number, found))
            for claim in found.over if told else ():
                self._tell(call, claim, WARNED, 0.0)
        elif told:
            self.refused += 1
            self._tell(call, found.claim, REFUSED, found.wait)
        self._limiter.sweep(now, SWEPT)

    def _end_until(self, now: Moment) -> None:
        """End the calls that have ended by this moment, in their order."""
        while self._running and self._running[0][0] <= now.wall:
            at, _, reservation = heappop(self._running)
            self._limiter.settle(reservation, reservation.needs, Moment(at, at))

    def _tell(self, call: PastCall, claim: Claim, effect: str, wait: float) -> None:
        rule = claim.rule
        place = (rule.tenant, rule.name, claim.owner, effect)
        if place not in self._tallies and len(self._tallies) >= MOST_OWNERS:
            place = (rule.tenant, rule.name, OTHERS, effect)
        self._scopes[rule.tenant, rule.name, claim.owner] = rule.scope
        self._tallies.setdefault(place, _Tally(call)).add(call, wait)

    def _share(self, tenant: str, rule: str, owner: str, calls: int) -> float | None:
        scope = self._scopes.get((tenant, rule, owner))
        whole = self._owners.get((tenant, scope, owner)) if scope is not None else None
        return round(calls / whole, 4) if whole else None

    def _claims(self, call: PastCall) -> Sequence[Claim]:
        place = (call.tenant, call.key_id, call.route, call.judging)
        plan = self._plans.get(place)
        if plan is None:
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            # A key that there is no longer is under the limits of its tenant all the same.
            key = self._keys.get(call.key_id) or Key(id=call.key_id, tenant=call.tenant, digests=())
            plan = self._plans[place] = self._rules[call.tenant].of_plan(key.id, call.route, judging=call.judging)
        return plan.claims(call.user, call.team, call.tags)

    def _needs(self, call: PastCall) -> tuple[Needs, float]:
        """Return what a call needed; one that was refused is taken for a usual one of its route."""
        place = (call.tenant, call.route)
        usual = self._usual.get(place)
        if usual is None:
            usual = self._usual[place] = _Usual()
        if call.needs is None or call.seconds is None:
            return usual.expected()
        usual.add(call.needs, call.seconds)
        return call.needs, call.seconds


def _at(second: float) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
