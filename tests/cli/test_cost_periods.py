"""Months and times as reports of cost have them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.cli.cost_periods import spans

ZONES = st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"])


@given(st.integers(1971, 9000), st.integers(1, 12), ZONES)
def test_a_month_begins_and_ends_at_midnight_there_and_follows_the_one_before(year, month, name):
    zone = ZoneInfo(name)
    span, before = spans(None, None, f"{year}-{month:02d}", zone)
    assert before.end == span.start < span.end
    for second in (before.start, span.start, span.end):
        moment = datetime.fromtimestamp(second, zone)
        assert (moment.day, moment.hour, moment.minute) == (1, 0, 0)
    assert datetime.fromtimestamp(span.start, zone).month == month


@pytest.mark.parametrize("name", ["UTC", "America/New_York"])
def test_a_day_is_one_of_the_time_zone_and_as_much_before_it_is_compared(name):
    zone = ZoneInfo(name)
    span, before = spans("2026-06-01", "2026-06-08", None, zone)
    assert span.start == datetime(2026, 6, 1, tzinfo=zone).timestamp()
    assert span.end - span.start == before.end - before.start == 7 * 86_400
    assert before.end == span.start


def test_without_a_word_it_is_the_last_thirty_days():
    span, _ = spans(None, None, None, UTC)
    assert span.end - span.start == 30 * 86_400
    assert abs(span.end - datetime.now(UTC).timestamp()) < 60
