"""What expires is a log's beginning, and never what somebody still needs."""

from hypothesis import given
from hypothesis import strategies as st

from trunkline.control.retention import MOST_OPEN, Span, expired

NOW = 1_000.0
PERIODS = {None: 100.0, "acme": 50.0, "harbor": 400.0}
SPANS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from([None, "acme", "harbor"]), st.floats(0, NOW), max_size=3),
        st.lists(st.sampled_from(["hold-1", "hold-2"]), max_size=2),
        st.sampled_from([0, 1, MOST_OPEN, MOST_OPEN + 1]),
    ),
    max_size=6,
).map(
    lambda made: [Span(place, place + 1, 1, newest, holds, open_) for place, (newest, holds, open_) in enumerate(made)]
)


@given(SPANS)
def test_what_expires_is_past_every_period_and_under_no_hold(spans):
    found = expired(spans, PERIODS.__getitem__, NOW)
    for span in spans[: found.segments]:
        assert not span.holds
        assert all(newest + PERIODS[tenant] <= NOW for tenant, newest in span.newest.items())
    if found.segments:
        assert spans[found.segments - 1].open <= MOST_OPEN


@given(SPANS)
def test_the_next_segment_stays_for_a_reason_that_is_said(spans):
    found = expired(spans, PERIODS.__getitem__, NOW)
    rest = spans[found.segments :]
    if found.until is not None:
        assert found.until > NOW
    elif not found.holds:
        assert all(span.open > MOST_OPEN for span in rest)
    else:
        assert found.holds in [span.holds for span in rest]


@given(SPANS, st.floats(0, 5_000))
def test_what_has_expired_stays_so(spans, later):
    assert (
        expired(spans, PERIODS.__getitem__, NOW + later).segments >= expired(spans, PERIODS.__getitem__, NOW).segments
    )
