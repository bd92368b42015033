from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from trunkline.supervisor.backoff import FIRST, FORGIVEN_AFTER, MOST, Backoff

LIVES = st.lists(st.floats(0, 2 * FORGIVEN_AFTER), max_size=30)


@given(LIVES)
def test_the_wait_is_bounded_and_at_most_doubles(lives):
    backoff = Backoff()
    waits = [backoff.after(lived) for lived in lives]
    assert all(FIRST <= wait <= MOST for wait in waits)
    assert all(after <= 2 * before for before, after in pairwise(waits))


@given(LIVES)
def test_one_that_lived_long_is_started_again_at_once(lives):
    backoff = Backoff()
    for lived in lives:
        backoff.after(lived)
    assert backoff.after(FORGIVEN_AFTER) == FIRST


def test_quick_deaths_wait_longer_and_longer():
    backoff = Backoff()
    assert [backoff.after(0.0) for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
