"""The rules of a tenant, made ready once for each snapshot: which of them a call falls under is then quickly said."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, final

from trunkline.model.snapshot import Budget, Key, Limits, Tenant
from trunkline.policy.budgets.account import Account
from trunkline.policy.budgets.calendar import Calendar
from trunkline.policy.limits.counter import Counter
from trunkline.policy.limits.gauge import Gauge
from trunkline.policy.limits.rules import NOBODY, Claim, Measure, Quota, Rule, Scope
from trunkline.policy.limits.window import Window

# Claims of so many users and teams are remembered; then all are made anew.
REMEMBERED: Final = 256
SECONDS: Final = {"minute": 60, "hour": 3600, "day": 86_400}


@final
class PlanRules:
    """The rules for one key's calls on one route: those whose owner is known beforehand, and the others by scope."""

    __slots__ = ("_by_tag", "_by_team", "_by_user", "_fixed", "_remembered", "empty")

    def __init__(
        self, fixed: list[Claim], by_user: list[Rule], by_team: list[Rule], by_tag: list[tuple[str | None, Rule]]
    ) -> None:
        self._fixed, self._by_user, self._by_team, self._by_tag = fixed, by_user, by_team, by_tag
        self.empty = not (fixed or by_user or by_team or by_tag)
        self._remembered: dict[tuple[str | None, str | None], tuple[Claim, ...]] = {}

    def claims(self, user: str | None, team: str | None, tags: Mapping[str, str]) -> Sequence[Claim]:
        """Return what a call claims: pairs of a rule and the owner whose units it uses.

        What depends on the user and the team alone is a tuple, and the same one for the next call of theirs.
        """
        if self._by_tag and tags:
            return self._of_user_and_team(user, team) + self._of_tags(tags)
        remembered = self._remembered.get((user, team))
        if remembered is None:
            if len(self._remembered) >= REMEMBERED:
                self._remembered = {}
            remembered = self._remembered[user, team] = tuple(self._of_user_and_team(user, team))
        return remembered

    def _of_user_and_team(self, user: str | None, team: str | None) -> list[Claim]:
        found = list(self._fixed)
        if self._by_user:
            owner = NOBODY if user is None else user
            found += [Claim(rule, owner) for rule in self._by_user]
        if self._by_team:
            owner = NOBODY if team is None else team
            found += [Claim(rule, owner) for rule in self._by_team]
        return found

    def _of_tags(self, tags: Mapping[str, str]) -> list[Claim]:
        found: list[Claim] = []
        for tag, rule in self._by_tag:
            if tag is None:
                found += [Claim(rule, f"{name}={value}") for name, value in tags.items()]
            elif tag in tags:
                found.append(Claim(rule, f"{tag}={tags[tag]}"))
        return found


class TenantRules:
    """All rules of one tenant, by scope; `rules` has them all."""

    def __init__(self, tenant: Tenant, keys: Sequence[Key]) -> None:
        self._tenant = tenant
        self.rules: list[Rule] = []
        self._of_tenant = self._limits("limits", "tenant", tenant.limits)
        self._of_tenant += self._budget("budget", "tenant", tenant.budget)
        self._of_user = self._limits("user_limits", "user", tenant.user_limits)
        self._of_user += self._budget("user_budget", "user", tenant.user_budget)
        self._of_team = self._limits("team_limits", "team", tenant.team_limits)
        self._of_team += self._budget("team_budget", "team", tenant.team_budget)
        self._of_tag = self._budget("tag_budget", "tag", tenant.tag_budget)
        self._tag = tenant.tag_budget.tag if tenant.tag_budget is not None else None
        self._of_route = {
            route: self._limits(f"route_limits.{route}", "route", limits)
            for route, limits in tenant.route_limits.items()
        }
        self._of_key = {
            key.id: self._limits(f"keys.{key.id}.limits", "key", key.limits)
            + self._budget(f"keys.{key.id}.budget", "key", key.budget)
            for key in keys
        }

    def of_plan(self, key_id: str, route: str, *, judging: bool = False) -> PlanRules:
        """Return the rules for a key's calls on a route, or for those that judge there what others of its calls say."""
        fixed = [Claim(rule, self._tenant.name) for rule in self._of_tenant]
        fixed += [Claim(rule, route) for rule in self._of_route.get(route, [])]
        fixed += [Claim(rule, key_id) for rule in self._of_key.get(key_id, [])]
        by_user, by_team = self._of_user, self._of_team
        if judging:
            fixed = [claim for claim in fixed if _holds_for_judges(claim.rule)]
            by_user, by_team = list(filter(_holds_for_judges, by_user)), list(filter(_holds_for_judges, by_team))
        return PlanRules(fixed, by_user, by_team, [(self._tag, rule) for rule in self._of_tag])

    def known(self) -> list[Claim]:
        """Return the rules whose owner is known beforehand, with that owner: the tenant, a route, a key."""
        found = [Claim(rule, self._tenant.name) for rule in self._of_tenant]
        for of_owner in (self._of_route, self._of_key):
            found += [Claim(rule, owner) for owner, rules in of_owner.items() for rule in rules]
        return found

    def _limits(self, path: str, scope: Scope, limits: Limits | None) -> list[Rule]:
        if limits is None:
            return []
        found = []
        measures: tuple[Measure, Measure] = ("requests", "tokens")
        for measure in measures:
            for period, seconds in SECONDS.items():
                limit: int | None = getattr(limits, f"{measure}_per_{period}")
                if limit is not None:
                    quota = Quota(measure, limit, period)
                    found.append(self._rule(f"{path}.{measure}_per_{period}", scope, quota, partial(Window, seconds)))
        if limits.concurrent_requests is not None:
            quota = Quota("concurrent", limits.concurrent_requests, "")
            found.append(self._rule(f"{path}.concurrent_requests", scope, quota, Gauge))
        return found

    def _budget(self, path: str, scope: Scope, budget: Budget | None) -> list[Rule]:
        if budget is None:
            return []
        calendar = Calendar(budget.per, self._tenant.time_zone)
        quota = Quota("money", budget.nano_usd, budget.per)
        blocks = budget.on_exceeded == "block"
        return [self._rule(path, scope, quota, partial(Account, calendar), blocks=blocks)]

    def _rule(
        self, name: str, scope: Scope, quota: Quota, new_counter: Callable[[], Counter], *, blocks: bool = True
    ) -> Rule:
        enforced = blocks and self._tenant.enforce == "limits"
        rule = Rule(self._tenant.name, name, scope, quota, new_counter, blocks=enforced)
        self.rules.append(rule)
        return rule


def _holds_for_judges(rule: Rule) -> bool:
    """Whether a judge's call uses units of a rule.

    Tokens and money are spent whoever asks. Its request and its slot are those of the call that it judges, which has
    them until it ends: if it needed a slot of its own, calls that have all of them would wait for one another. A
    limit of requests on its own route is meant for it.
    """
    return rule.measure in {"tokens", "money"} or (rule.measure == "requests" and rule.scope == "route")


def rules_of(tenants: Mapping[str, Tenant], keys: Mapping[str, Key]) -> dict[str, TenantRules]:
    """Return the rules of every tenant of a snapshot, by its name."""
    of_tenant: dict[str, list[Key]] = {name: [] for name in tenants}
    for key in keys.values():
        of_tenant[key.tenant].append(key)
    return {name: TenantRules(tenant, of_tenant[name]) for name, tenant in tenants.items()}
