"""Server-sent events: the standard's examples, any cut, bounded memory."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.dialects.provider import BrokenAnswer
from trunkline.dialects.sse import LONGEST_END, SseParser


def events(*pieces: bytes) -> list[tuple[bytes, bytes]]:
    parser = SseParser()
    return [event for piece in pieces for event in parser.feed(piece)]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [(b"", b"YHOO\n+2\n10")]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n",
            [(b"", b"first event"), (b"", b"second event")],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [(b"", b""), (b"", b"\n")]),
        (b"data:test\n\ndata: test\n\n", [(b"", b"test"), (b"", b"test")]),
        (b"data:  two spaces\n\n", [(b"", b" two spaces")]),
        (b"event: add\ndata: 1\n\ndata: 2\n\n", [(b"add", b"1"), (b"", b"2")]),
        (b"event: lost\n\ndata: 2\n\n", [(b"", b"2")]),
        (b"event: add\nevent\ndata: 1\n\n", [(b"", b"1")]),
        (b"data: 1\r\n\r\ndata: 2\r\rdata: 3\n\n", [(b"", b"1"), (b"", b"2"), (b"", b"3")]),
        (b"data: a\rdata: b\r\n\ndata: c\n\r\n", [(b"", b"a\nb"), (b"", b"c")]),
        (b"\xef\xbb\xbfdata: 1\n\n\xef\xbb\xbfdata: 2\n\n", [(b"", b"1")]),
        (b"retry: 10\nunknown: x\ndataset: 1\ndata: y\n\n", [(b"", b"y")]),
        (b"\n\n\ndata: y\n\n\n", [(b"", b"y")]),
        (b"data: never ended\n", []),
    ],
)
def test_streams_are_read_as_the_standard_says(stream: bytes, expected: list[tuple[bytes, bytes]]) -> None:
    assert events(stream) == expected
    assert events(*(stream[i : i + 1] for i in range(len(stream)))) == expected


LINES = st.sampled_from(
    [
        b"data: x",
        b'data: {"a": 1}',
        b"data:",
        b"data",
        b"event: e",
        b":",
        b": c",
        b"id: 1",
        b"",
        b"",
        b"\xef\xbb\xbf",
        b"junk",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b""])
STREAMS = st.lists(st.tuples(LINES, ENDS), max_size=20).map(lambda pairs: b"".join(a + b for a, b in pairs))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_cut_gives_the_same_events(data: st.DataObject) -> None:
    stream = data.draw(STREAMS)
    at = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[a:b] for a, b in zip([0, *at], [*at, len(stream)], strict=True)]
    assert events(*pieces) == events(stream)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.integers(1, 20))
def test_any_bytes_in_any_cut_are_events_or_too_large_and_never_both(data: bytes, size: int) -> None:
    def outcome(step: int) -> object:
        parser = SseParser(largest=30)
        try:
            return [event for at in range(0, len(data), step) for event in parser.feed(data[at : at + step])]
        except BrokenAnswer:
            return "too large"

    assert outcome(size) == outcome(1) == outcome(max(1, len(data)))


@pytest.mark.parametrize(
    "stream",
    [
        b"data: " + b"x" * 100 + b"\n\n",
        b"event: e\ndata: " + b"x" * 100 + b"\n\n",
        b"x" * 101,
        b"data: 12345\n" * 20,
        b"data: a\n\ndata: " + b"x" * 95 + b"\n\n",
    ],
)
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_frame_above_the_limit_is_broken_however_it_is_cut(stream: bytes, step: int) -> None:
    parser = SseParser(largest=100)
    with pytest.raises(BrokenAnswer, match="larger than 100 bytes"):
        list(map(parser.feed, (stream[at : at + step] for at in range(0, len(stream), step))))


def test_a_frame_as_large_as_the_limit_is_read() -> None:
    stream = b"data: " + b"x" * 94 + b"\n\n"
    parser = SseParser(largest=100)
    assert parser.feed(stream) == [(b"", b"x" * 94)]
    assert parser.feed(stream) == [(b"", b"x" * 94)]


def test_lines_that_end_without_a_line_feed_cost_no_more_than_their_bytes() -> None:
    class Counted(bytes):
        sought = 0

        def find(self, sub, start=0, *end):  # type: ignore[no-untyped-def,override]
            found = super().find(sub, start, *end)
            Counted.sought += (found if found >= 0 else len(self)) - start
            return found

    size = 10_000
    SseParser()._parse(Counted(b"\r" * size), [])
    assert Counted.sought <= 3 * size


def test_endless_pieces_of_one_line_cost_no_more_than_their_bytes() -> None:
    parser = SseParser()
    parser.feed(b"data: ")
    for _ in range(100_000):
        assert parser.feed(b"xxxxxxxxxx") == []
    assert parser.feed(b"\n\n") == [(b"", b"x" * 1_000_000)]


@pytest.mark.parametrize(
    ("stream", "unfinished"),
    [
        (b"", b""),
        (b"data: a\n\n", b""),
        (b"data: a\n\ndata: [DONE]", b"[DONE]"),
        (b"data: [DONE]\n", b"[DONE]"),
        (b"data: a\nda", b"a"),
        (b"data: a\ndata: b", b"a\nb"),
        (b"event: e\ndata: a", b""),
        (b"data: " + b"x" * (LONGEST_END - 6), b"x" * (LONGEST_END - 6)),
        (b"data: " + b"x" * LONGEST_END, b""),
        (b"data: %b\n" % (b"x" * LONGEST_END), b""),
    ],
)
def test_what_a_stream_leaves_unfinished_is_known(stream: bytes, unfinished: bytes) -> None:
    parser = SseParser()
    parser.feed(stream)
    assert parser.unfinished == unfinished
