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
