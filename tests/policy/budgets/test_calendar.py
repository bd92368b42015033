from datetime import UTC, datetime, timedelta
from math import inf
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trunkline.policy.budgets.calendar import Calendar

PERS = ("day", "week", "month")
# Changes of the clock at night, at midnight, by half an hour; offsets of a quarter of an hour; a day that never was.
ZONES = (
    "UTC",
    "America/New_York",
    "Europe/London",
    "America/Sao_Paulo",
    "America/Havana",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
)
# It went back from one minute past midnight, so that its clocks have shown parts of two days twice.
BACK_OVER_MIDNIGHT = "America/St_Johns"
TIMES = st.floats(1e7, 4e9) | st.integers(10**7, 4 * 10**9).map(float)  # a month after the calendars begin


def unix(zone: str, *moment: int, fold: int = 0) -> float:
    return datetime(*moment, tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def label(per: str, zone: str, wall: float):
    """Which period a moment is in, by what the local clock shows."""
    local = datetime.fromtimestamp(wall, ZoneInfo(zone))
    return {"day": local.date(), "week": local.isocalendar()[:2], "month": (local.year, local.month)}[per]


@given(st.sampled_from(PERS), st.sampled_from([*ZONES, BACK_OVER_MIDNIGHT]), TIMES)
@example("day", "Pacific/Apia", unix("UTC", 2011, 12, 30, 10, 0, 0))
@example("day", BACK_OVER_MIDNIGHT, unix(BACK_OVER_MIDNIGHT, 2010, 11, 7, 0, 0, 30))
@example("day", BACK_OVER_MIDNIGHT, unix(BACK_OVER_MIDNIGHT, 2010, 11, 6, 23, 30, 0, fold=1))
def test_a_moment_is_in_one_period_and_the_periods_follow_each_other(per, zone, wall):
    calendar = Calendar(per, zone)
    period = calendar.period(wall)
    assert period.start <= wall < period.end
    after = calendar.period(period.end)
    assert (after.start, after.number > period.number) == (period.end, True)
    before = calendar.period(period.start - 0.001)
    assert (before.end, before.number < period.number) == (period.start, True)


@given(st.sampled_from(PERS), st.sampled_from(ZONES), TIMES, st.floats(-40 * 86_400, 40 * 86_400))
def test_two_moments_are_in_one_period_if_the_local_clock_shows_the_same(per, zone, wall, apart):
    calendar, other = Calendar(per, zone), max(0.0, wall + apart)
    same = calendar.period(wall).number == calendar.period(other).number
    assert same == (label(per, zone, wall) == label(per, zone, other))


@given(st.sampled_from(PERS), st.sampled_from(ZONES), TIMES)
def test_a_period_begins_with_the_first_moment_that_the_local_clock_shows_of_it(per, zone, wall):
    period = Calendar(per, zone).period(wall)
    first = datetime.fromtimestamp(period.start, ZoneInfo(zone))
    assert first == first.replace(minute=0, second=0, microsecond=0)
    assert per != "month" or first.day == 1
    assert per != "week" or first.isoweekday() == 1
    assert label(per, zone, period.start) == label(per, zone, wall) != label(per, zone, period.start - 0.001)


@given(st.sampled_from([*PERS, "total"]), st.sampled_from(ZONES), st.lists(TIMES, max_size=10))
def test_what_was_asked_before_changes_no_answer(per, zone, walls):
    asked = Calendar(per, zone)
    for wall in walls:
        period, fresh = asked.period(wall), Calendar(per, zone).period(wall)
        assert (period.start, period.end, period.number) == (fresh.start, fresh.end, fresh.number)


def test_within_a_period_it_is_remembered_and_not_found_again():
    calendar = Calendar("day", "America/New_York")
    period = calendar.period(unix("America/New_York", 2026, 3, 7, 12))
    assert all(calendar.period(wall) is period for wall in (period.start, period.start + 1, period.end - 0.001))
    assert calendar.period(period.end) is not period


@pytest.mark.parametrize(
    ("per", "zone", "inside", "start", "end"),
    [
        ("day", "America/New_York", (2026, 3, 8, 12), (2026, 3, 8), (2026, 3, 9)),
        ("week", "America/New_York", (2026, 3, 8, 23), (2026, 3, 2), (2026, 3, 9)),
        ("week", "UTC", (2027, 1, 1, 0), (2026, 12, 28), (2027, 1, 4)),
        ("month", "UTC", (2028, 2, 29, 23), (2028, 2, 1), (2028, 3, 1)),
        ("month", "UTC", (2100, 2, 28, 23), (2100, 2, 1), (2100, 3, 1)),
        ("month", "Asia/Kathmandu", (2026, 1, 31, 23), (2026, 1, 1), (2026, 2, 1)),
        ("month", "America/New_York", (2026, 12, 31, 23), (2026, 12, 1), (2027, 1, 1)),
        ("day", "America/Sao_Paulo", (2018, 11, 4, 12), (2018, 11, 4, 1), (2018, 11, 5)),
        ("day", "Pacific/Apia", (2011, 12, 31, 12), (2011, 12, 31), (2012, 1, 1)),
        ("day", "Pacific/Apia", (2011, 12, 29, 12), (2011, 12, 29), (2011, 12, 31)),
    ],
)
def test_periods_of_the_calendar(per, zone, inside, start, end):
    def of(moment):
        return unix(zone, *moment, *([0] * (3 - len(moment))))

    period = Calendar(per, zone).period(of(inside))
    assert (period.start, period.end) == (of(start), of(end))


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 8), 23), ((2026, 11, 1), 25), ((2026, 7, 1), 24)])
def test_a_day_has_as_many_hours_as_the_local_clock_gives_it(day, hours):
    period = Calendar("day", "America/New_York").period(unix("America/New_York", *day, 12))
    assert period.end - period.start == hours * 3600


def test_where_midnight_comes_twice_the_first_one_counts():
    first, second = (unix("America/Havana", 2026, 11, 1, 0, 0, 0, fold=fold) for fold in (0, 1))
    assert second - first == 3600
    assert Calendar("day", "America/Havana").period(second).start == first


def test_a_day_that_never_was_is_no_period():
    before = Calendar("day", "Pacific/Apia").period(unix("Pacific/Apia", 2011, 12, 29, 12))
    after = Calendar("day", "Pacific/Apia").period(before.end)
    assert after.number - before.number == 2


def test_the_total_never_ends():
    calendar = Calendar("total", "UTC")
    assert {calendar.period(wall).number for wall in (-1e12, 0.0, 1.8e9, 1e15)} == {0}
    assert calendar.period(0.0).end == inf


@pytest.mark.parametrize("per", PERS)
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("wall", [-1e18, -1.0, 253_402_300_799.0, 1e18])
def test_a_clock_beyond_every_calendar_breaks_nothing(per, zone, wall):
    assert Calendar(per, zone).period(wall).number == Calendar(per, zone).period(wall).number


def test_a_time_zone_that_is_none_is_an_error():
    with pytest.raises(LookupError):
        Calendar("day", "Mars/Olympus")


@given(st.dates(datetime(1971, 1, 1, tzinfo=UTC).date(), datetime(2090, 1, 1, tzinfo=UTC).date()))
def test_weeks_are_those_of_iso_8601(day):
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    period = Calendar("week", "UTC").period(noon.timestamp())
    monday = datetime.fromtimestamp(period.start, UTC)
    assert monday.date() == datetime.fromisocalendar(*day.isocalendar()[:2], 1).date()
    assert period.end - period.start == timedelta(days=7).total_seconds()
