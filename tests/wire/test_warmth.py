"""Warm connections are opened as needed, and ever more slowly where that fails."""

from hypothesis import given
from hypothesis import strategies as st

from trunkline.wire.warmth import FIRST_PAUSE, LONGEST_PAUSE, SETTLED, Warmth


def test_what_is_missing_is_opened_and_no_more() -> None:
    warmth = Warmth(3)
    assert [warmth.shortage(0.0, at_hand) for at_hand in range(5)] == [3, 2, 1, 0, 0]


def test_each_failure_doubles_the_pause_up_to_the_longest() -> None:
    warmth, now, pauses = Warmth(1), 100.0, []
    for _ in range(9):
        warmth.failed(now)
        assert warmth.shortage(now, 0) == 0
        pause = next(step / 4 for step in range(1, 1000) if warmth.shortage(now + step / 4, 0))
        pauses.append(pause)
        now += pause
    assert pauses == [FIRST_PAUSE, 1, 2, 4, 8, 16, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]


def test_failures_within_one_pause_count_as_one() -> None:
    warmth = Warmth(4)
    for _ in range(4):
        warmth.failed(10.0)
    assert warmth.shortage(10.0 + FIRST_PAUSE, 0) == 4


def test_a_failure_after_a_good_while_starts_with_the_first_pause() -> None:
    warmth = Warmth(1)
    warmth.failed(0.0)
    warmth.failed(FIRST_PAUSE)
    late = 3 * FIRST_PAUSE + 2 * SETTLED
    warmth.failed(late)
    assert warmth.shortage(late + FIRST_PAUSE, 0) == 1


@given(st.lists(st.floats(0, 5), max_size=200))
def test_attempts_that_all_fail_are_bounded_in_any_rhythm(steps: list[float]) -> None:
    warmth, now, attempts = Warmth(1), 0.0, 0
    for step in steps:
        now += step
        if warmth.shortage(now, 0):
            attempts += 1
            warmth.failed(now)
    assert attempts <= 1 + now / FIRST_PAUSE
    assert attempts <= 8 + now / LONGEST_PAUSE
