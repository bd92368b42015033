"""A snapshot made ready for the path of a call: lookups instead of searches.

One object is in force at a time; a reload swaps the reference, and a call keeps the one it started with.
"""

from collections.abc import Callable, Mapping
from typing import final

from trunkline.gateway.upstreams import Upstream
from trunkline.model.snapshot import Capacity, Key, Route, Snapshot, Target, Tenant
from trunkline.policy.access import KeyRing, resolve_route, usable_models
from trunkline.policy.fairness.account import Share
from trunkline.policy.fairness.pool import Terms
from trunkline.policy.health import TargetHealth
from trunkline.policy.limits.tenant_rules import PlanRules, rules_of
from trunkline.policy.pricing import NEVER, Tariff, price_at
from trunkline.policy.routing import approved, choices
from trunkline.policy.teams import Roster


@final
class PlannedTarget:
    """A target with everything that asking it needs; `skip` says why this tenant may not. Never changed."""

    __slots__ = ("first_token", "health", "share", "skip", "target", "tariff", "terms", "upstream")

    def __init__(
        self,
        target: Target,
        skip: str | None,
        upstream: Upstream,
        tariff: Tariff,
        health: TargetHealth,
        first_token: float,
        terms: Terms,
    ) -> None:
        self.target, self.skip, self.terms = target, skip, terms
        self.share: Share = upstream.account.of(target.model)
        self.upstream, self.tariff, self.health = upstream, tariff, health
        self.first_token = first_token


@final
class Plan:
    """A route as one tenant may use it, until the Unix second at which a price of it changes. Never changed."""

    __slots__ = ("planned", "roster", "route", "rules", "targets", "tenant", "until")

    def __init__(
        self,
        route: Route,
        tenant: Tenant,
        targets: tuple[PlannedTarget, ...],
        rules: PlanRules,
        roster: Roster | None = None,
        until: float = NEVER,
    ) -> None:
        self.route, self.tenant, self.targets = route, tenant, targets
        self.rules, self.roster, self.until = rules, roster, until
        # What an estimate goes by: the first target that this tenant may use.
        self.planned = next((target for target in targets if target.skip is None), targets[0])


class InForce:
    """The snapshot in force with its keys, plans, upstreams and prices."""

    def __init__(
        self,
        snapshot: Snapshot,
        digest: str,
        upstreams: dict[str, Upstream],
        health_of: Callable[[str], TargetHealth],
        rosters: Mapping[str, Roster] | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.digest = digest
        self.keys = KeyRing(snapshot.keys.values())
        self.rules = rules_of(snapshot.tenants, snapshot.keys)
        self._upstreams = upstreams
        self._health_of = health_of
        self.rosters = rosters or {}
        # Filled as calls come; bounded by what the configuration can name: keys x (routes + listed models).
        self._plans: dict[tuple[str, str], Plan] = {}

    def plan(self, key: Key, model: str, now: float) -> Plan:
        """Return where this key's calls for `model` may go at Unix second `now`; raises what `resolve_route` raises."""
        plan = self._plans.get((key.id, model))
        if plan is None or now >= plan.until:
            plan = self._plans[key.id, model] = self._make_plan(key, model, now)
        return plan

    def models(self, key: Key) -> tuple[str, ...]:
        """Return the names that this key may put into `model`."""
        return usable_models(self.snapshot, key)

    def _make_plan(self, key: Key, model: str, now: float) -> Plan:
        route = resolve_route(self.snapshot, key, model)
        tenant = self.snapshot.tenants[key.tenant]
        found = choices(route, tenant, self.snapshot.providers)
        prices = {c.target.name: price_at(self.snapshot.prices[c.target.name], now) for c in found}
        targets = tuple(
            PlannedTarget(
                target=choice.target,
                skip=choice.skip,
                upstream=self._upstreams[choice.target.provider],
                tariff=Tariff(prices[choice.target.name][0]),
                health=self._health_of(choice.target.name),
                first_token=choice.target.first_token or route.timeouts.first_token,
                terms=self._terms(tenant, choice.target.provider),
            )
            for choice in found
        )
        until = min((until for _, until in prices.values()), default=NEVER)
        rules = self.rules[tenant.name].of_plan(key.id, route.name)
        return Plan(route, tenant, targets, rules, self.rosters.get(tenant.name), until)

    def _terms(self, tenant: Tenant, provider: str) -> Terms:
        """Return on what terms a tenant shares a provider's capacity with all who have approved that provider."""
        account = self.snapshot.providers[provider]
        capacity = account.capacity or Capacity()
        return Terms(
            tenant.name,
            tenant.weight,
            sum(approved(other, account) is None for other in self.snapshot.tenants.values()),
            _part(capacity.requests_per_minute, self.snapshot.workers),
            _part(capacity.tokens_per_minute, self.snapshot.workers),
            observed=tenant.enforce == "observe",
        )


def _part(capacity: int | None, workers: int) -> int:
    """Return one worker's part of a capacity, at least one unit; 0 for none that is known."""
    return 0 if capacity is None else max(1, capacity // workers)
