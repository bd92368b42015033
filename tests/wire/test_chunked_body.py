"""What chunked framing may cost us is bounded, whatever the sender does."""

import pytest

from trunkline.errors import InvalidRequest, RequestTooLarge
from trunkline.wire.chunked_body import FREE_CHUNKS, MAX_SIZE_LINE, ChunkedBody


def feed_all(body, pieces):
    left = b""
    for piece in pieces:
        left += piece
        left = left[body.feed(left) :]
    return left


def test_what_follows_the_end_is_left_alone():
    body = ChunkedBody(100, 100)
    assert feed_all(body, [b"3\r\nabc\r\n0\r\n\r\nGET /"]) == b"GET /"
    assert body.done
    assert body.data == b"abc"


def test_a_size_line_that_never_ends_is_refused():
    body = ChunkedBody(100, 100)
    with pytest.raises(InvalidRequest):
        feed_all(body, [b"3;"] + [b"x"] * MAX_SIZE_LINE)
    with pytest.raises(InvalidRequest):
        feed_all(ChunkedBody(100, 100), [b"3;" + b"x" * MAX_SIZE_LINE + b"\r\nabc\r\n"])


def test_trailers_that_never_end_are_refused():
    for pieces in ([b"0\r\nX: "] + [b"x"] * 100, [b"0\r\n"] + [b"X: y\r\n"] * 20, [b"0\r\n" + b"X: y\r\n" * 20]):
        with pytest.raises(RequestTooLarge):
            feed_all(ChunkedBody(100, 100), pieces)


def test_a_body_of_tiny_chunks_is_refused_and_one_of_small_chunks_is_not():
    with pytest.raises(InvalidRequest, match="too many chunks"):
        feed_all(ChunkedBody(10**6, 100), [b"1\r\nx\r\n"] * (FREE_CHUNKS + 100))
    body = ChunkedBody(10**6, 100)
    feed_all(body, [b"40\r\n" + b"x" * 64 + b"\r\n"] * (2 * FREE_CHUNKS))
    assert len(body.data) == 2 * FREE_CHUNKS * 64


def test_a_chunk_is_refused_by_its_size_before_its_data_comes():
    with pytest.raises(RequestTooLarge):
        ChunkedBody(100, 100).feed(b"65\r\n")
