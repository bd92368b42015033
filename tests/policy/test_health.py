import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.model.snapshot import Breaker
from trunkline.policy.health import (
    CLOSED,
    DEFAULT_REST,
    LONGEST_REST,
    TRANSITIONS,
    BreakerState,
    TargetHealth,
    advance,
)

RULE = Breaker(failures=3, within=10.0, open_for=5.0)


def failed(health, *times):
    return [health.heard("failed", at, RULE) for at in times]


def test_the_table_has_every_pair_of_phase_and_event():
    phases = {"closed", "open", "half_open"}
    events = {"succeeded", "failed", "cooled", "probed", "dropped"}
    assert set(TRANSITIONS) == {(phase, event) for phase in phases for event in events}


def test_failures_within_the_window_open_the_breaker():
    health = TargetHealth()
    assert failed(health, 0, 1, 2) == [False, False, True]
    assert health.refuses(3, RULE) == ("breaker_open", pytest.approx(4.0))


def test_failures_spread_wider_than_the_window_do_not():
    health = TargetHealth()
    failed(health, 0, 6, 12, 18)
    assert health.refuses(18, RULE) is None


def test_after_its_time_an_open_breaker_lets_exactly_one_probe_through():
    health = TargetHealth()
    failed(health, 0, 0, 0)
    assert health.refuses(5, RULE) is None
    health.asked(5, RULE)
    assert health.refuses(5, RULE) == ("breaker_probing", RULE.open_for)


def test_a_probe_that_succeeds_closes_the_breaker():
    health = TargetHealth()
    failed(health, 0, 0, 0)
    assert health.refuses(5, RULE) is None
    health.asked(5, RULE)
    assert health.heard("succeeded", 6, RULE)
    assert health.breaker is CLOSED


def test_a_probe_that_fails_opens_it_again():
    health = TargetHealth()
    failed(health, 0, 0, 0)
    assert health.refuses(5, RULE) is None
    health.asked(5, RULE)
    assert health.heard("failed", 6, RULE)
    assert health.refuses(10, RULE) == ("breaker_open", pytest.approx(1.0))


def test_a_probe_whose_client_left_gives_its_place_back():
    health = TargetHealth()
    failed(health, 0, 0, 0)
    assert health.refuses(5, RULE) is None
    health.asked(5, RULE)
    health.heard("dropped", 6, RULE)
    assert health.refuses(6, RULE) is None


def test_late_news_does_not_move_an_open_breaker():
    opened = BreakerState("open", until=5.0)
    for event in ("succeeded", "failed", "dropped", "probed"):
        assert advance(opened, event, 1.0, RULE) is opened


def test_a_target_rests_as_long_as_the_provider_asks():
    health = TargetHealth()
    assert health.rest(7.0, 100.0, "rate_limited") == pytest.approx(7.0)
    assert health.refuses(106.0, RULE) == ("rate_limited", pytest.approx(1.0))
    assert health.refuses(107.0, RULE) is None


def test_a_shorter_rest_does_not_cut_a_longer_one():
    health = TargetHealth()
    health.rest(60.0, 0.0, "unauthorized")
    assert health.rest(1.0, 0.0, "rate_limited") == pytest.approx(60.0)
    assert health.refuses(30.0, RULE) == ("unauthorized", pytest.approx(30.0))


@pytest.mark.parametrize(("asked", "given"), [(None, DEFAULT_REST), (-5.0, 0.0), (1e9, LONGEST_REST)])
def test_a_rest_is_bounded(asked, given):
    assert TargetHealth().rest(asked, 0.0, "rate_limited") == pytest.approx(given)


def test_its_picture_names_phase_and_rest():
    assert repr(TargetHealth()) == "TargetHealth(closed, resting_until=0.0)"


def test_an_opening_elsewhere_holds_here_and_never_shortens_our_own():
    health = TargetHealth()
    health.told_open(4.0, 1.0)
    assert health.refuses(2.0, RULE) == ("breaker_open", pytest.approx(3.0))
    health.told_open(1.0, 2.0)
    assert health.refuses(2.0, RULE) == ("breaker_open", pytest.approx(3.0))
    health.told_open(5.0, 2.0)
    assert health.refuses(2.0, RULE) == ("breaker_open", pytest.approx(5.0))
    assert health.refuses(7.0, RULE) is None


def test_a_closing_elsewhere_closes_here_and_forgives_no_failure_of_late():
    health = TargetHealth()
    failed(health, 0, 1)
    health.told_closed()
    assert failed(health, 2) == [True]
    health.told_closed()
    assert health.breaker is CLOSED


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "succeeded", "failed", "dropped", "told_open", "told_closed"]),
        st.floats(0.0, 4.0, allow_nan=False),
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(EVENTS)
def test_whatever_happens_at_most_one_probe_is_out_and_never_for_good(events):
    health, now, out = TargetHealth(), 0.0, 0
    for event, pause in events:
        now += pause
        if event == "ask":
            if health.refuses(now, RULE) is None:
                if health.breaker.phase == "half_open":
                    assert out == 0
                    out = 1
                health.asked(now, RULE)
        elif event == "told_open":
            health.told_open(RULE.open_for, now)
            out = 0  # what comes of a probe is late news now
        elif event == "told_closed":
            health.told_closed()
            out = 0
        else:
            if health.breaker.phase == "half_open":
                out = 0
            health.heard(event, now, RULE)
        if health.breaker.phase == "closed":
            assert len(health.breaker.failures) < RULE.failures
    if health.breaker.phase == "half_open" and health.breaker.probing:
        health.heard("dropped", now, RULE)
    assert health.refuses(now + RULE.open_for, RULE) is None


@given(st.floats(0.001, LONGEST_REST), st.floats(0, 1e9))
def test_a_rest_is_as_long_as_the_provider_said_to_the_last_bit(seconds, now):
    assert TargetHealth().rest(seconds, now, "rate_limited") == seconds
