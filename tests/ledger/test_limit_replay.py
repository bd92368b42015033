"""Past calls against limits: what the gateway would have refused, and told of it."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from trunkline.ledger import limit_replay
from trunkline.ledger.limit_replay import LimitReplay, PastCall
from trunkline.model.snapshot import Budget, Key, Limits, Tenant
from trunkline.policy.limits.rules import Needs
from trunkline.policy.limits.tenant_rules import rules_of

DAWN = datetime(2026, 6, 30, 23, 0, tzinfo=UTC).timestamp()
KEY = Key(id="app", tenant="acme", digests=("0" * 64,))
ACME = Tenant(name="acme")


def replay_of(tenant: Tenant, since: float = 0.0, key: Key = KEY) -> LimitReplay:
    return LimitReplay(rules_of({"acme": tenant}, {"app": key}), {"app": key}, since)


def call(after: float, user: str | None = "ann", tokens: int = 10, usd: str = "0", seconds: float = 1.0, **fields):
    money = int(float(usd) * 1e9)
    made = PastCall(
        DAWN + after, f"call-{after}", "acme", "app", "voice", user, None, {}, Needs(tokens, money), seconds
    )
    return made._replace(**fields)


def played(replay: LimitReplay, *calls: PastCall) -> LimitReplay:
    for one in calls:
        replay.take(one)
    return replay


@settings(max_examples=150, deadline=None)
@given(st.lists(st.floats(0.0, 9.0), min_size=1, max_size=120), st.integers(1, 9))
def test_no_minute_has_more_than_the_limit_and_nobody_is_refused_without_need(gaps, limit):
    replay = replay_of(replace(ACME, limits=Limits(requests_per_minute=limit)))
    at, admitted = DAWN, []
    for gap in gaps:
        at += gap
        before = replay.refused
        replay.take(call(at - DAWN))
        if replay.refused == before:
            admitted.append(at)
            assert sum(one > at - 60.0 for one in admitted) <= limit
        else:
            assert sum(one > at - 61.6 for one in admitted) >= limit
    assert replay.calls == len(gaps)
    assert sum(row.calls for row in replay.rows()) == replay.refused


def test_rule_and_owner_are_told_with_share_times_wait_and_an_example():
    replay = replay_of(replace(ACME, user_limits=Limits(requests_per_minute=2)))
    times = [0.0, 1.0, 2.0, 30.0, 100.0]
    rows = played(replay, *(call(at) for at in times), call(100.5, user="bo")).rows()
    assert [(row.tenant, row.rule, row.owner, row.effect, row.calls) for row in rows] == [
        ("acme", "user_limits.requests_per_minute", "ann", "refused", 2)
    ]
    (row,) = rows
    assert row.share == 0.4
    assert (row.first, row.last) == ("2026-06-30T23:00:02.000Z", "2026-06-30T23:00:30.000Z")
    assert row.longest_wait == pytest.approx(59.5, abs=1.6)
    assert row.example == "call-2.0"


def test_what_was_before_counts_and_is_not_told():
    tenant = replace(ACME, limits=Limits(requests_per_minute=2))
    replay = played(replay_of(tenant, DAWN + 10), call(0), call(1), call(2), call(11))
    assert (replay.calls, replay.refused) == (1, 1)
    assert [row.example for row in replay.rows()] == ["call-11"]


def test_a_call_that_is_refused_uses_nothing():
    tenant = replace(ACME, limits=Limits(tokens_per_minute=100))
    replay = played(replay_of(tenant), call(0, tokens=60), call(1, tokens=60), call(2, tokens=40), call(3, tokens=1))
    assert [(row.calls, row.first[-10:]) for row in replay.rows()] == [(2, "00:01.000Z")]


def test_a_call_that_alone_needs_more_than_the_limit_would_wait_for_ever():
    rows = played(replay_of(replace(ACME, limits=Limits(tokens_per_day=100))), call(0, tokens=101)).rows()
    assert [row.longest_wait for row in rows] == [None]


def test_a_slot_is_held_for_as_long_as_the_call_took():
    tenant = replace(ACME, limits=Limits(concurrent_requests=1))
    replay = played(replay_of(tenant), call(0, seconds=5.0), call(4.9, seconds=9.0), call(5.0, seconds=0.5), call(6))
    assert [row.example for row in replay.rows()] == ["call-4.9"]
    assert replay.refused == 1


def test_a_budget_begins_anew_with_the_tenants_day_and_one_that_warns_refuses_nothing():
    new_york = replace(ACME, time_zone="America/New_York", budget=Budget("1", "day"))
    hour = 3600.0
    calls = [call(0, usd="0.9"), call(hour, usd="0.2"), call(4.9 * hour, usd="0.2"), call(5 * hour, usd="0.9")]
    replay = played(replay_of(new_york), *calls)
    assert [(row.rule, row.calls) for row in replay.rows()] == [("budget", 2)]
    warns = replace(new_york, budget=Budget("1", "day", "warn"))
    replay = played(replay_of(warns), *calls)
    assert replay.refused == 0
    assert [(row.effect, row.calls) for row in replay.rows()] == [("warned", 2)]


def test_calls_that_were_refused_are_taken_for_usual_ones_and_may_fit():
    tenant = replace(ACME, limits=Limits(tokens_per_minute=100))
    unmet = {"needs": None, "seconds": None, "call": None}
    replay = played(replay_of(tenant), call(0, tokens=20), call(1, tokens=40), call(2, times=3, **unmet))
    assert (replay.calls, replay.refused) == (5, 2)
    assert [(row.calls, row.example) for row in replay.rows()] == [(2, None)]


def test_a_key_that_is_gone_is_under_its_tenants_limits_and_an_unknown_tenant_is_not_judged():
    key = replace(KEY, limits=Limits(requests_per_minute=1))
    replay = replay_of(replace(ACME, limits=Limits(requests_per_minute=2)), key=key)
    played(replay, call(0, key_id="gone"), call(1, key_id="gone"), call(2, key_id="gone"), call(3, tenant="other"))
    assert [row.rule for row in replay.rows()] == ["limits.requests_per_minute"]
    assert (replay.calls, replay.unjudged) == (3, 1)


def test_owners_beyond_the_bound_are_counted_together(monkeypatch):
    monkeypatch.setattr(limit_replay, "MOST_OWNERS", 2)
    replay = replay_of(replace(ACME, user_limits=Limits(requests_per_minute=1)))
    for number in range(5):
        played(replay, call(number, user=f"u{number}"), call(number + 0.5, user=f"u{number}"))
    assert Counter({row.owner: row.calls for row in replay.rows()}) == {"u0": 1, "u1": 1, "(others)": 3}
    assert replay.refused == 5


def test_yesterdays_users_cost_no_memory():
    replay = replay_of(replace(ACME, user_limits=Limits(requests_per_minute=9)))
    for number in range(3000):
        replay.take(call(float(number), user=f"u{number}"))
    assert len(replay._limiter) < 100
