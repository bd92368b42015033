"""Whose limit was used up is written like everybody else: by a pseudonym where that is a user."""

import pytest

from trunkline.gateway.persons import closed_written, owner_written, persons_of, refused_written
from trunkline.model.identity import Identity
from trunkline.model.records import CallClosed, CallRefused, ErrorSummary, Timings
from trunkline.model.snapshot import Budget, Key, Limits, Tenant
from trunkline.policy.limits.rules import NOBODY, OTHERS, is_of_users
from trunkline.policy.limits.tenant_rules import TenantRules

LIMITS = Limits(requests_per_minute=1, tokens_per_day=5, concurrent_requests=2)
EVERYTHING = Tenant(
    name="user_budget",  # as awkward a name as there is
    limits=LIMITS,
    user_limits=LIMITS,
    team_limits=LIMITS,
    budget=Budget("1", "day"),
    user_budget=Budget("1", "month"),
    team_budget=Budget("1", "total"),
    route_limits={"user_limits.x": LIMITS},
)


def user(tenant: str, name: str) -> str:
    return f"u~{tenant}-{len(name)}"


def subject(tenant: str, name: str) -> str:
    return f"s~{tenant}-{len(name)}"


def test_every_rule_is_known_by_its_name_and_id_as_one_of_users_or_not():
    rules = TenantRules(EVERYTHING, [Key(id="user_key", tenant="user_budget", digests=(), limits=LIMITS)]).rules
    assert {rule.scope for rule in rules} >= {"tenant", "user", "team", "route", "key"}
    for rule in rules:
        assert is_of_users(rule.name) == is_of_users(rule.id) == (rule.scope == "user"), rule.id


@pytest.mark.parametrize(
    ("rule", "owner", "written"),
    [
        ("user_limits.requests_per_minute", "ann", "u~harbor-3"),
        ("harbor/user_budget/day", "ann", "u~harbor-3"),
        ("user_budget", NOBODY, NOBODY),
        ("user_budget", OTHERS, OTHERS),
        ("team_budget", "ann", "ann"),
        ("keys.app.limits.requests_per_minute", "app", "app"),
        ("fair_share", "ann", "u~harbor-3"),
        ("fair_share", "harbor", "harbor"),
        ("fair_share", NOBODY, NOBODY),
    ],
)
def test_an_owner_is_a_pseudonym_where_it_is_a_user(rule, owner, written):
    assert owner_written("harbor", rule, owner, user) == written
    message = f"The fair share of user `{owner}` is used up; `{rule}` of annex."
    refused = CallRefused(
        outcome="limited", status=429, code="c", source="s", rule=rule, owner=owner, count=1, tenant="harbor",
        user="bob", message=message, snapshot="s",
    )  # fmt: skip
    told = refused_written(refused, user)
    assert (told.owner, told.user) == (written, "u~harbor-3")
    assert told.message == message.replace(f"`{owner}`", f"`{written}`")
    error = ErrorSummary("c", "s", message, rule, owner)
    closed = CallClosed(
        call="c", outcome="limited", status=200, error=error, timings=Timings(total_ms=1, overhead_ms=1)
    )
    assert closed_written(closed, "harbor", user).error == ErrorSummary("c", "s", told.message, rule, written)


def test_of_strangers_nothing_is_written():
    stranger = CallRefused(outcome="denied", status=401, code="c", source="s", count=3, snapshot="s")
    assert refused_written(stranger, user) is stranger


@pytest.mark.parametrize(
    ("named", "about", "written"),
    [
        (None, None, (None, None)),
        ("ann", "ann", ("u~harbor-3", "u~harbor-3")),
        ("ann", "client", ("u~harbor-3", "s~harbor-6")),
        (None, "client", (None, "s~harbor-6")),
    ],
)
def test_a_subject_that_is_the_user_is_one_person_with_it(named, about, written):
    identity = Identity(tenant="harbor", key_id="k", user=named, subject=about)
    assert persons_of(identity, user, subject) == written
