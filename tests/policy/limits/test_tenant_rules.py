"""Which rules a call falls under, and which the call of a judge."""

import pytest

from trunkline.model.snapshot import Budget, Key, Limits, Tenant
from trunkline.policy.limits.tenant_rules import TenantRules

EVERY = Limits(requests_per_minute=9, tokens_per_hour=9, concurrent_requests=9)
KEY = Key(id="app", tenant="acme", digests=("0" * 64,), limits=EVERY, budget=Budget("1", "day"))
RULES = TenantRules(
    Tenant(
        name="acme",
        limits=EVERY,
        user_limits=EVERY,
        team_limits=EVERY,
        route_limits={"judge": EVERY, "voice": EVERY},
        budget=Budget("1", "day"),
        user_budget=Budget("1", "day"),
        team_budget=Budget("1", "day"),
        tag_budget=Budget("1", "day", tag="client"),
    ),
    [KEY],
)


def claimed(route: str, *, judging: bool) -> set[tuple[str, str, str]]:
    claims = RULES.of_plan("app", route, judging=judging).claims("ann", "desk", {"client": "c"})
    found = [(claim.rule.scope, claim.owner, claim.rule.measure) for claim in claims]
    assert len(found) == len(set(found))
    return set(found)


def test_a_call_falls_under_every_rule_of_its_owners():
    owners = {("tenant", "acme"), ("user", "ann"), ("team", "desk"), ("key", "app"), ("route", "voice")}
    every = {(*owner, measure) for owner in owners for measure in ("requests", "tokens", "concurrent")}
    every |= {(*owner, "money") for owner in owners - {("route", "voice")}}
    assert claimed("voice", judging=False) == every | {("tag", "client=c", "money")}


@pytest.mark.parametrize("route", ["voice", "judge"])
def test_a_judge_falls_under_those_of_tokens_and_money_and_its_route_s_of_requests(route):
    assert claimed(route, judging=True) == {
        claim
        for claim in claimed(route, judging=False)
        if claim[2] in ("tokens", "money") or claim[::2] == ("route", "requests")
    }


def test_where_no_rule_is_a_judge_s_there_is_none():
    rules = TenantRules(Tenant(name="acme", limits=Limits(requests_per_minute=1, concurrent_requests=1)), [])
    assert not rules.of_plan("app", "voice").empty
    assert rules.of_plan("app", "voice", judging=True).empty
