"""Rate limits in the heads of answers: as providers write them, and whatever else stands there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.dialects.faults import LONGEST_WAIT
from trunkline.dialects.rates import MOST_UNITS, anthropic_rate, openai_rate
from trunkline.dialects.registry import PROVIDER_DIALECTS
from trunkline.model.rates import ProviderRate, Standing

NOW = 1_755_780_060.0  # Thu, 21 Aug 2025 12:41:00 GMT

OPENAI = {
    b"x-ratelimit-limit-requests": b"5000",
    b"x-ratelimit-limit-tokens": b"160000",
    b"x-ratelimit-remaining-requests": b"4999",
    b"x-ratelimit-remaining-tokens": b"159976",
    b"x-ratelimit-reset-requests": b"12ms",
    b"x-ratelimit-reset-tokens": b"9ms",
}
ANTHROPIC = {
    b"anthropic-ratelimit-input-tokens-limit": b"80000",
    b"anthropic-ratelimit-input-tokens-remaining": b"79000",
    b"anthropic-ratelimit-input-tokens-reset": b"2025-08-21T12:41:01Z",
    b"anthropic-ratelimit-output-tokens-limit": b"16000",
    b"anthropic-ratelimit-output-tokens-remaining": b"16000",
    b"anthropic-ratelimit-output-tokens-reset": b"2025-08-21T12:41:00Z",
    b"anthropic-ratelimit-requests-limit": b"1000",
    b"anthropic-ratelimit-requests-remaining": b"999",
    b"anthropic-ratelimit-requests-reset": b"2025-08-21T12:40:59Z",
    b"anthropic-ratelimit-tokens-limit": b"96000",
    b"anthropic-ratelimit-tokens-remaining": b"95000",
    b"anthropic-ratelimit-tokens-reset": b"2025-08-21T14:41:01+02:00",
}


def test_what_openai_says():
    assert openai_rate(OPENAI) == ProviderRate(
        requests=Standing(5000, 4999, pytest.approx(0.012)), tokens=Standing(160_000, 159_976, pytest.approx(0.009))
    )


def test_what_anthropic_says():
    assert anthropic_rate(ANTHROPIC, NOW) == ProviderRate(
        requests=Standing(1000, 999, 0.0),
        tokens=Standing(96_000, 95_000, 1.0),
        input_tokens=Standing(80_000, 79_000, 1.0),
        output_tokens=Standing(16_000, 16_000, 0.0),
    )


def test_times_are_taken_by_the_provider_s_own_clock():
    late = ANTHROPIC | {b"date": b"Thu, 21 Aug 2025 12:40:31 GMT"}
    rate = anthropic_rate(late, NOW + 500)
    assert rate is not None
    assert rate.input_tokens == Standing(80_000, 79_000, 30.0)


def test_an_answer_without_such_headers_says_nothing():
    assert openai_rate({b"content-type": b"application/json"}) is None
    assert openai_rate(ANTHROPIC) is None
    assert anthropic_rate(OPENAI, NOW) is None


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (b"1s", 1.0),
        (b"20ms", 0.02),
        (b"6m0s", 360.0),
        (b"1h2m3s", 3723.0),
        (b"7m12.5s", 432.5),
        (b"2m59.56s", 179.56),
        (b"1d2h", 86_400.0),
        (b"0s", 0.0),
        (b"1m", 60.0),
        (b" 3 ", 3.0),
        (b"0.5", 0.5),
        (b"99999999999d", None),
        (b"-1s", None),
        (b"1s2m", None),
        (b"nan", None),
        (b"1e3s", None),
        (b"", None),
        (b"soon", None),
        (b"\xb2s", None),
    ],
)
def test_a_reset_is_a_duration_or_says_nothing(written, seconds):
    rate = openai_rate(OPENAI | {b"x-ratelimit-reset-requests": written})
    assert rate is not None
    assert rate.requests is not None
    assert rate.requests.reset == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    "written",
    [b"2025-02-30T00:00:00Z", b"0000-01-01T00:00:00Z", b"2025-08-21", b"tomorrow", b"1755780060", b"\xff", b""],
)
def test_a_moment_that_is_none_says_nothing(written):
    rate = anthropic_rate(ANTHROPIC | {b"anthropic-ratelimit-requests-reset": written}, NOW)
    assert rate is not None
    assert rate.requests == Standing(1000, 999, None)


@pytest.mark.parametrize(
    ("limit", "remaining", "standing"),
    [
        (b"60", b"70", Standing(60, 60, 0.012)),
        (b"0", b"0", None),
        (b"-1", b"5", None),
        (b"60", b"-5", None),
        (b"1.5", b"1", None),
        (b"9999999999999", b"1", None),
        (b"1" * 5000, b"1", None),
        (b"1000000000000", b"1", Standing(MOST_UNITS, 1, 0.012)),
        (b"60", b"many", None),
        (b"\xd9\xa3", b"1", None),
    ],
)
def test_numbers_that_no_account_has_say_nothing(limit, remaining, standing):
    said = {b"x-ratelimit-limit-requests": limit, b"x-ratelimit-remaining-requests": remaining}
    rate = openai_rate(OPENAI | said)
    assert rate is not None
    assert rate.requests == standing
    assert rate.tokens is not None


NAMES = st.sampled_from([*OPENAI, *ANTHROPIC, b"date"])
VALUES = (
    st.binary(max_size=30)
    | st.integers(-(10**30), 10**30).map(lambda number: str(number).encode())
    | st.from_regex(rb"(\d{1,12}[dhms]){1,4}", fullmatch=True)
    | st.from_regex(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", fullmatch=True)
    | st.datetimes().map(lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S GMT").encode())
)


@given(st.dictionaries(NAMES, VALUES), st.floats(0, 4e9))
def test_whatever_stands_there_each_number_that_is_taken_is_one_that_an_account_can_have(headers, now):
    for dialect in PROVIDER_DIALECTS.values():
        rate = dialect.decode_rate(headers, now)
        for standing in () if rate is None else (rate.requests, rate.tokens, rate.input_tokens, rate.output_tokens):
            if standing is not None:
                assert 0 <= standing.remaining <= standing.limit <= MOST_UNITS
                assert standing.limit > 0
                assert standing.reset is None or 0 <= standing.reset <= LONGEST_WAIT
