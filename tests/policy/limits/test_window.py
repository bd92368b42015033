"""The sliding window against a reference that keeps every timestamp."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.window import PARTS, Window

SPANS = st.sampled_from([1, 60, 3600, 86_400])


def at(seconds: float) -> Moment:
    return Moment(seconds, 1_700_000_000.0 + seconds)


class Reference:
    """Every admission with its exact moment."""

    def __init__(self, span: int) -> None:
        self.span, self.admitted = span, []

    def most_in_any_interval(self) -> int:
        most = 0
        for start, _ in self.admitted:  # the worst closed interval begins with an admission
            most = max(most, sum(units for when, units in self.admitted if start <= when <= start + self.span))
        return most


@given(
    span=SPANS,
    limit=st.integers(1, 50),
    start=st.floats(0, 1e6, allow_nan=False),
    steps=st.lists(st.tuples(st.floats(0, 0.4), st.integers(1, 7)), max_size=60),
)
def test_no_interval_of_the_windows_length_has_more_than_the_limit(span, limit, start, steps):
    window, reference, now = Window(span), Reference(span), start
    for step, units in steps:
        now += step * span
        if window.wait(units, limit, at(now)) == 0.0:
            window.take(units, at(now))
            reference.admitted.append((now, units))
    assert reference.most_in_any_interval() <= limit


@given(
    span=SPANS,
    limit=st.integers(1, 50),
    start=st.floats(0, 1e6),
    steps=st.lists(st.tuples(st.floats(0, 0.4), st.integers(1, 7)), max_size=40),
    units=st.integers(1, 50),
)
def test_what_is_told_to_wait_fits_then_and_not_a_sub_bucket_earlier(span, limit, start, steps, units):
    window, now = Window(span), start
    for step, taken in steps:
        now += step * span
        if window.wait(taken, limit, at(now)) == 0.0:
            window.take(taken, at(now))
    wait = window.wait(units, limit, at(now))
    if units > limit:
        assert wait == inf
        return
    assert 0.0 <= wait <= span * (1 + 1 / PARTS) + 1e-5
    assert window.wait(units, limit, at(now + wait)) == 0.0


@given(span=SPANS, limit=st.integers(100, 1000), start=st.floats(0, 1e6))
def test_a_flood_gets_at_least_95_percent_of_the_limit(span, limit, start):
    window, now, admitted = Window(span), start, 0
    while now < start + 10 * span:
        wait = window.wait(1, limit, at(now))
        if wait == 0.0:
            window.take(1, at(now))
            admitted += 1
        else:
            now += wait
    assert admitted >= 0.95 * limit * 10


@given(
    span=SPANS,
    limit=st.integers(1, 40),
    steps=st.lists(st.tuples(st.floats(0, 0.3), st.integers(1, 9), st.integers(0, 20), st.floats(0, 0.5)), max_size=40),
)
def test_settled_tokens_stay_within_the_limit_and_the_errors_of_the_estimates(span, limit, steps):
    """What is reserved never exceeds the limit; what is used does so by the sum of the estimates' errors at most."""
    window, reserved, used, debt, now = Window(span), Reference(span), Reference(span), 0, 100.0
    for step, estimate, actual, duration in steps:
        now += step * span
        if window.wait(estimate, limit, at(now)) > 0.0:
            continue
        mark = window.take(estimate, at(now))
        reserved.admitted.append((now, min(estimate, actual)))
        now += duration * span
        window.settle(mark, estimate, actual, at(now))
        used.admitted.append((now, actual))
        debt += max(0, actual - estimate)
    assert reserved.most_in_any_interval() <= limit
    # Used at the end instead of at the beginning, an interval has the use of calls of twice its length.
    assert window.used(at(now)) <= limit + debt


def test_debt_keeps_the_next_call_out():
    window = Window(60)
    mark = window.take(10, at(0))
    window.settle(mark, 10, 150, at(1))
    assert window.wait(1, 100, at(2)) == pytest.approx(60, abs=1.5)
    assert window.wait(1, 100, at(63)) == 0.0


def test_what_is_given_back_is_free_at_once_and_only_once():
    window = Window(60)
    mark = window.take(100, at(0))
    assert window.wait(1, 100, at(1)) > 0
    window.settle(mark, 100, 30, at(1))
    assert window.used(at(1)) == 30
    window.release(mark, 500, at(1))
    assert (window.used(at(1)), window.idle(at(1))) == (0, True)


def test_what_is_forgotten_cannot_be_given_back():
    window = Window(60)
    mark = window.take(5, at(0))
    window.take(7, at(70))
    window.release(mark, 5, at(70))
    assert window.used(at(70)) == 7


@given(span=SPANS, steps=st.lists(st.tuples(st.floats(0, 0.2), st.integers(1, 9)), min_size=1, max_size=30))
def test_a_restored_window_never_forgets_earlier(span, steps):
    window, now = Window(span), 50.0
    for step, units in steps:
        now += step * span
        window.take(units, at(now))
    restored = Window(span)
    elsewhere = 7.3  # another monotonic clock
    for seconds, units in window.state(at(now)):
        restored.restore(seconds, units, at(elsewhere))
    assert restored.used(at(elsewhere)) == window.used(at(now))
    for part in range(PARTS + 2):
        later = part * span / PARTS
        assert restored.used(at(elsewhere + later)) >= window.used(at(now + later))
    assert restored.idle(at(elsewhere + span * (1 + 2 / PARTS) + 1))


def test_what_is_lent_ahead_counts_from_now_on():
    window = Window(60)
    window.take(3, at(11))
    assert window.used(at(10)) == 3
    assert window.used(at(70.9)) == 3
    assert window.used(at(74)) == 0


class Plain:
    """The same window, as a table of sub-buckets that is gone through each time."""

    def __init__(self, span: int) -> None:
        self.span, self.width, self.units = span * 1_000_000, span * 1_000_000 // PARTS, {}

    def counting(self, now: Moment) -> dict[int, int]:
        self.units = {
            bucket: units
            for bucket, units in sorted(self.units.items())
            if units > 0 and (bucket + 1) * self.width + self.span > now.microseconds
        }
        return self.units

    def take(self, units: int, now: Moment) -> None:
        bucket = now.microseconds // self.width
        self.units[bucket] = self.units.get(bucket, 0) + units

    def release(self, mark: int, units: int) -> None:
        if mark in self.units:
            self.units[mark] -= min(units, self.units[mark])

    def seconds(self, bucket: int, now: Moment) -> float:
        return ((bucket + 1) * self.width + self.span - now.microseconds + 1) / 1_000_000

    def wait(self, units: int, limit: int, now: Moment) -> float:
        counting = self.counting(now)
        left = sum(counting.values()) + units - limit
        if left <= 0:
            return 0.0
        for bucket, there in counting.items():
            left -= there
            if left <= 0 and units <= limit:
                return self.seconds(bucket, now)
        return inf


# What is done with a window, how much, and how many parts of its span later than what was done before.
DOINGS = st.tuples(
    st.sampled_from(["take", "take", "take", "ahead", "before", "release", "restore", "look"]),
    st.integers(0, 9),
    st.one_of(st.just(0.0), st.floats(0, 3), st.floats(0, 60)),
)


@given(span=SPANS, start=st.floats(0, 1e6), doings=st.lists(DOINGS, max_size=60), limit=st.integers(1, 30))
def test_whatever_is_done_a_window_says_what_a_plain_table_of_sub_buckets_says(span, start, doings, limit):
    window, plain, now, marks = Window(span), Plain(span), start, []
    for what, units, later in doings:
        now += later * span / PARTS
        moment = at(now)
        if what in ("take", "ahead", "before"):
            when = at(now + {"take": 0, "ahead": 2, "before": -span / 2}[what])
            plain.counting(moment)
            marks.append(window.take(units, when))
            plain.take(units, when)
        elif what == "release" and marks:
            mark = marks[units * len(marks) // 10]
            window.release(mark, units, moment)
            plain.release(mark, units)
        elif what == "restore":
            window.restore(later * span / PARTS, units, moment)
            if later > 0:
                end = moment.microseconds + int(later * span / PARTS * 1_000_000) + 1 - plain.span
                bucket = min(-(-end // plain.width) - 1, moment.microseconds // plain.width)
                plain.units[bucket] = plain.units.get(bucket, 0) + units
        counting = plain.counting(moment)
        assert window.used(moment) == sum(counting.values())
        assert window.state(moment) == [(plain.seconds(bucket, moment), there) for bucket, there in counting.items()]
        assert window.wait(units, limit, moment) == plain.wait(units, limit, moment)
        assert window.fits(units, limit, moment) == (plain.wait(units, limit, moment) == 0.0)
        assert window.reset(moment) == (plain.seconds(max(counting), moment) if counting else 0.0)
        assert window.idle(moment) == (not counting)
