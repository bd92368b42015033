import contextlib
from datetime import UTC, datetime

import pytest
from config_samples import GOOD, compiled, the_problem
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.config.readers import Mistake
from trunkline.config.units import BYTES, LATEST_EXPIRY, SECONDS, expiry, retention, seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [("250ms", 0.25), ("2s", 2), ("5m", 300), ("1h", 3_600), ("30d", 2_592_000), ("7y", 220_752_000), ("1.5s", 1.5)],
)
def test_a_duration_is_a_number_with_a_unit(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["2", "2 parsecs", "s", "-1s", "1m30s", "1e3s", "٣s", "2S", ""])
def test_anything_else_is_no_duration(text):
    with pytest.raises(Mistake):
        seconds(text)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 999_999_999), st.sampled_from(sorted(SECONDS)))
def test_a_whole_number_of_units_is_exact(count, unit):
    assert seconds(f"{count}{unit}") == pytest.approx(count * float(SECONDS[unit]), rel=1e-15)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10MB", 10_000_000), ("32KB", 32_000), ("32KiB", 32_768), ("1000B", 1_000), ("1.5MB", 1_500_000)],
)
def test_a_size_is_a_number_with_a_unit(text, expected):
    if expected < 1_000_000:
        assert compiled(GOOD + f"server: {{max_headers: {text}}}\n").snapshot.server.max_headers == expected
    else:
        assert compiled(GOOD + f"server: {{max_body: {text}}}\n").snapshot.server.max_body == expected


@pytest.mark.parametrize("text", ["10", "10 apples", "10mb", "2GB", "1B"])
def test_a_size_without_unit_or_out_of_bounds_is_refused(text):
    assert the_problem(GOOD + f"server: {{max_body: {text}}}\n").path == "server.max_body"
    assert "KiB" in BYTES


def test_a_key_expires_at_the_end_of_its_day_in_utc():
    assert expiry("2027-06-30") == expiry("2027-07-01T00:00:00Z") == 1_814_400_000


def test_the_last_day_of_the_calendar_ends_with_its_last_second():
    assert expiry("9999-12-31") == expiry("9999-12-31T23:59:59Z") == LATEST_EXPIRY
    assert datetime.fromtimestamp(LATEST_EXPIRY, UTC).isoformat() == "9999-12-31T23:59:59+00:00"
    with pytest.raises(Mistake) as refused:
        expiry("9999-12-31T23:59:59-00:01")
    assert refused.value.message == "is after the year 9999 in UTC"


@given(st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2})?", fullmatch=True))
def test_an_expiry_is_a_second_that_has_a_name_or_a_mistake(text):
    with contextlib.suppress(Mistake):
        assert expiry(text) <= LATEST_EXPIRY


def test_a_key_may_expire_at_a_moment_with_an_offset():
    assert expiry("2027-06-30T12:00:00+02:00") == expiry("2027-06-30T10:00:00Z")


@pytest.mark.parametrize(
    "text", ["2027-06-31", "30.6.2027", "2027-6-30", "tomorrow", "9999-12-32", "2027-06-30T12:00:00"]
)
def test_what_is_no_date_or_leaves_the_zone_open_is_refused(text):
    with pytest.raises(Mistake):
        expiry(text)


def test_no_retention_at_all_is_zero_seconds():
    assert retention("zero") == 0
    assert retention("30d") == 30 * 86_400


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30) | st.from_regex(r"[0-9]{1,5}-[0-9]{2}-[0-9]{2}(T[0-9:]{5,8}Z?)?", fullmatch=True))
def test_no_text_breaks_a_parser(text):
    for parse in (seconds, retention, expiry):
        try:
            assert parse(text) > -1e12
        except Mistake as mistake:
            assert mistake.fix
