"""A rate limit lets through what it says in any window, and its waits are true."""

from hypothesis import given
from hypothesis import strategies as st

from trunkline.simulator.rate import RateWindow
from trunkline.simulator.script import RateLimit

limits = st.builds(RateLimit, calls=st.integers(1, 5), window=st.integers(1, 20))
# Whole seconds, so that sums are exact.
steps = st.lists(st.integers(0, 10), max_size=40)


@given(limits, steps)
def test_no_window_holds_more_than_the_limit(limit, steps):
    window, now, taken = RateWindow(), 0, []
    for step in steps:
        now += step
        if window.take(limit, now) is None:
            taken.append(now)
    for moment in taken:
        assert sum(moment - limit.window < other <= moment for other in taken) <= limit.calls


@given(limits, steps)
def test_a_call_refused_goes_through_after_the_wait_and_not_before(limit, steps):
    window, now = RateWindow(), 0
    for step in steps:
        now += step
        wait = window.take(limit, now)
        if wait is not None:
            assert 0 < wait <= limit.window
            assert wait < 1 or window.take(limit, now + wait - 1) is not None
            now += wait
            assert window.take(limit, now) is None


def test_a_limit_of_nothing_refuses_everything():
    assert RateWindow().take(RateLimit(calls=0, window=5), 100.0) == 5


def stepped(limit, steps):
    window, now = RateWindow(), 0
    for step in steps:
        now += step
        window.take(limit, now)
    return window, now


@given(limits, steps)
def test_so_many_more_calls_go_through_as_the_standing_says(limit, steps):
    window, now = stepped(limit, steps)
    standing = window.standing(limit, now)
    assert standing.limit == limit.calls
    for _ in range(standing.remaining):
        assert window.take(limit, now) is None
    assert window.take(limit, now) is not None


@given(limits, steps)
def test_at_the_reset_all_calls_are_there_again_and_not_before(limit, steps):
    window, now = stepped(limit, steps)
    reset = window.standing(limit, now).reset
    assert reset == 0 or window.standing(limit, now + reset - 1).remaining < limit.calls
    assert window.standing(limit, now + reset).remaining == limit.calls
