"""A snapshot made ready for the path of a call: lookups instead of searches.

One object is in force at a time; a reload swaps the reference, and a call keeps the one it started with.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, final

from trunkline.errors import InvalidRequest, ModelNotFound
from trunkline.gateway.upstreams import Upstream
from trunkline.guardrails.policies import Policies, Policy, of_judges
from trunkline.guardrails.presets import PRESETS
from trunkline.guardrails.registry import make_check
from trunkline.model.snapshot import Capacity, Guardrail, Key, Route, Snapshot, Target, Tenant
from trunkline.policy.access import KeyRing, resolve_route, usable_models
from trunkline.policy.fairness.account import Share
from trunkline.policy.fairness.pool import Terms
from trunkline.policy.health import TargetHealth
from trunkline.policy.limits.tenant_rules import PlanRules, rules_of
from trunkline.policy.pricing import NEVER, Tariff, price_at
from trunkline.policy.routing import approved, choices
from trunkline.policy.teams import Roster

_NO_HEADERS: Final[Mapping[str, str]] = {}
MOST_ASKED_FOR: Final = 1000  # different sets of policies that requests ask for


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

    __slots__ = ("planned", "policies", "roster", "route", "rules", "targets", "tenant", "until")

    def __init__(
        self,
        route: Route,
        tenant: Tenant,
        targets: tuple[PlannedTarget, ...],
        rules: PlanRules,
        roster: Roster | None = None,
        until: float = NEVER,
        policies: Policies | None = None,
    ) -> None:
        self.route, self.tenant, self.targets = route, tenant, targets
        self.rules, self.roster, self.until, self.policies = rules, roster, until, policies
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
        guardrails: Mapping[str, Policy] | None = None,
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
        self.guardrails = guardrails or {}
        # Those that requests ask for beside their plan's; begun anew when there are too many.
        self._asked_for: dict[tuple[str, str, tuple[str, ...]], Policies] = {}
        self._judging: dict[tuple[str, str], Plan] = {}
        self._of_judges: dict[tuple[str, str, bytes], Policies | None] = {}

    def plan(self, key: Key, model: str, now: float) -> Plan:
        """Return where this key's calls for `model` may go at Unix second `now`; raises what `resolve_route` raises."""
        plan = self._plans.get((key.id, model))
        if plan is None or now >= plan.until:
            plan = self._plans[key.id, model] = self._make_plan(key, resolve_route(self.snapshot, key, model), now)
        return plan

    def plan_of_judge(self, key: Key, route: str, now: float) -> Plan:
        """Return where a judge's calls may go, for calls of this key at Unix second `now`. Raises ModelNotFound.

        It is the configuration that names a judge's route, so that the key need not; what the tenant has not approved
        is not asked.
        """
        plan = self._judging.get((key.id, route))
        if plan is None or now >= plan.until:
            known = self.snapshot.routes.get(route)
            if known is None:
                raise ModelNotFound(f"There is no route `{route[:100]}` for a judge.", param="model")
            plan = self._judging[key.id, route] = self._make_plan(key, known, now, judging=True)
        return plan

    def policies_of_judge(self, plan: Plan, judged: Policies) -> Policies | None:
        """Return what is in force for a judge's call, of what is for its plan and for the call that it judges."""
        place = (plan.tenant.name, plan.route.name, judged.digest)
        if place not in self._of_judges:
            every = plan.policies.every if plan.policies is not None else ()
            if len(self._of_judges) >= MOST_ASKED_FOR:
                self._of_judges.clear()
            self._of_judges[place] = of_judges(dict.fromkeys([*judged.every, *every]))
        return self._of_judges[place]

    def policies(self, plan: Plan, asked_for: tuple[str, ...]) -> Policies | None:
        """Return what is in force for a call: its plan's, and those that it asks for. Raises InvalidRequest."""
        if not asked_for:
            return plan.policies
        place = (plan.tenant.name, plan.route.name, asked_for)
        policies = self._asked_for.get(place)
        if policies is None:
            every = plan.policies.every if plan.policies is not None else ()
            policies = Policies([*every, *self._named(asked_for)], plan.route.hold)
            if len(self._asked_for) >= MOST_ASKED_FOR:
                self._asked_for.clear()
            self._asked_for[place] = policies
        return policies

    def _named(self, names: Iterable[str]) -> list[Policy]:
        inner = [one for name in names for one in PRESETS.get(name, {name: {}})]
        unknown = [name for name in inner if name not in self.guardrails]
        if unknown:
            raise InvalidRequest(
                f"There is no guardrail `{unknown[0][:100]}` in this gateway's configuration.",
                param="x-trunkline-guardrails",
            )
        return [self.guardrails[name] for name in inner]

    def models(self, key: Key) -> tuple[str, ...]:
        """Return the names that this key may put into `model`."""
        return usable_models(self.snapshot, key)

    def _make_plan(self, key: Key, route: Route, now: float, *, judging: bool = False) -> Plan:
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
        rules = self.rules[tenant.name].of_plan(key.id, route.name, judging=judging)
        return Plan(
            route, tenant, targets, rules, self.rosters.get(tenant.name), until, self._policies_of(tenant, route)
        )

    def _policies_of(self, tenant: Tenant, route: Route) -> Policies | None:
        """Return what is in force for each call of a plan: what is for all, the tenant's, the route's."""
        everywhere = [name for name, said in self.snapshot.guardrails.items() if said.everywhere]
        names = dict.fromkeys((*everywhere, *tenant.guardrails, *route.guardrails))
        return Policies([self.guardrails[name] for name in names], route.hold) if names else None

    def _terms(self, tenant: Tenant, provider: str) -> Terms:
        """Return on what terms a tenant shares a provider's capacity with all who have approved that provider."""
        account = self.snapshot.providers[provider]
        capacity = account.capacity or Capacity()
        return Terms(
            tenant.name,
            tenant.weight,
            sum(approved(other, account) is None for other in self.snapshot.tenants.values()),
            capacity.requests_per_minute or 0,
            capacity.tokens_per_minute or 0,
            observed=tenant.enforce == "observe",
        )


def make_policies(
    guardrails: Mapping[str, Guardrail],
    known: Mapping[str, Policy],
    headers: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, Policy]:
    """Return the policies that a snapshot describes; those that are as they were before are not made again.

    `headers` are, by policy, those for who is asked; without them the policies are for looking on, not for asking.
    Raises ValueError where a check is not installed here, or does not take its settings, or where headers are missing.
    """
    made: dict[str, Policy] = {}
    for name, said in guardrails.items():
        before = known.get(name)
        told = headers.get(name, _NO_HEADERS) if headers is not None else _NO_HEADERS
        if headers is not None and sorted(told) != sorted(said.headers):
            raise ValueError(f"the headers of the guardrail `{name}` are not there: apply the configuration again")
        unchanged = before is not None and before.version == said.version and before.headers == told
        made[name] = before if before is not None and unchanged else _make_policy(said, told)
    return made


def _make_policy(said: Guardrail, headers: Mapping[str, str]) -> Policy:
    return Policy(
        said.name,
        said.version,
        make_check(said.check, said.settings),
        stages=said.on,
        action=said.action,
        sentence=said.sentence,
        finish_reason=said.finish_reason,
        on_error=said.on_error,
        on_unscannable=said.on_unscannable,
        timeout=said.timeout,
        headers=headers,
        when=said.when,
    )
