"""A worker tells how its limits are used: the most used, within a message, and without holding calls up."""

import asyncio

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.channel.link import MAX_MESSAGE
from trunkline.channel.messages import LimitsQuestion, ShowLimits
from trunkline.gateway.admission import moment
from trunkline.gateway.limits_shown import MOST, SLICE, limits_shown
from trunkline.model.snapshot import Budget, Key, Limits, Tenant
from trunkline.policy.limits.limiter import Limiter
from trunkline.policy.limits.rules import Needs
from trunkline.policy.limits.tenant_rules import TenantRules

KEY = Key(id="app", tenant="acme", digests=("0" * 64,), limits=Limits(concurrent_requests=4))
ACME = Tenant(
    name="acme",
    limits=Limits(tokens_per_day=1_000_000),
    user_limits=Limits(requests_per_hour=10),
    budget=Budget("1", "total", "warn"),
)
RULES = TenantRules(ACME, [KEY])


def used_by(calls: dict[str, int]) -> Limiter:
    limiter = Limiter()
    plan = RULES.of_plan(KEY.id, "fast")
    for user, count in calls.items():
        for _ in range(count):
            limiter.settle(limiter.reserve(plan.claims(user, None, {}), Needs(1, 0), moment()), Needs(1, 0), moment())
    return limiter


def ask(limiter: Limiter, question: LimitsQuestion, held: int = 0):
    return asyncio.run(limits_shown(ShowLimits(7, question), [RULES], limiter, held))


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(st.sampled_from([f"u{n}" for n in range(12)]), st.integers(1, 9), max_size=12), st.integers(1, 9)
)
def test_the_most_used_are_shown_and_the_others_counted(calls, most):
    shown = ask(used_by(calls), LimitsQuestion(rule="user_limits", most=most), held=3)
    assert (shown.number, shown.held) == (7, 3)
    if not calls:
        assert [(use.owner, use.used) for use in shown.uses] == [(None, 0)]
        return
    assert [use.used for use in shown.uses] == sorted(calls.values(), reverse=True)[:most]
    assert all(calls[use.owner] == use.used for use in shown.uses)
    assert len(shown.uses) + shown.left_out == len(calls)


def test_what_nobody_uses_is_shown_with_its_owner_where_that_is_known():
    shown = ask(Limiter(), LimitsQuestion())
    assert {(use.rule, use.owner, use.used, use.enforced) for use in shown.uses} == {
        ("limits.tokens_per_day", "acme", 0, True),
        ("user_limits.requests_per_hour", None, 0, True),
        ("budget", "acme", 0, False),
        ("keys.app.limits.concurrent_requests", "app", 0, True),
    }


def test_a_total_has_no_time_at_which_it_begins_anew():
    limiter = used_by({"ann": 1})
    rule = next(rule for rule in RULES.rules if rule.name == "budget")
    counter = limiter.counter(rule, "acme", moment())
    counter.settle(counter.take(0, moment()), 0, 5, moment())
    (use,) = ask(limiter, LimitsQuestion(rule="budget")).uses
    assert (use.used, use.reset) == (5, None)


def test_names_as_long_as_they_may_be_fit_into_a_message():
    users = [f"{n:04}" + "\x7f\U0001f600" * 254 for n in range(MOST)]
    shown = ask(used_by(dict.fromkeys(users, 1)), LimitsQuestion(most=MOST))
    assert len(msgspec.json.encode(shown)) < MAX_MESSAGE
    assert 100 < len(shown.uses) < MOST
    assert len(shown.uses) + shown.left_out == MOST + 3


def test_calls_have_their_turn_while_many_counters_are_looked_at():
    limiter = used_by(dict.fromkeys(map(str, range(4 * SLICE)), 1))

    async def main() -> int:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(others())
        await limits_shown(ShowLimits(1, LimitsQuestion()), [RULES], limiter, 0)
        other.cancel()
        return turns

    assert asyncio.run(main()) >= 4
