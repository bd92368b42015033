"""Any cut of the bytes gives the same response; what is accepted here, h11 accepts as the same."""

from dataclasses import dataclass
from itertools import pairwise

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trunkline.wire.client_errors import AnswerMalformed
from trunkline.wire.response_reader import MAX_FIELDS, ResponseReader

MAX_HEAD = 4096
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Outcome:
    """What a reader made of some bytes; `fault` where it refused them, after the pieces before."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    ended: bool
    keep_alive: bool
    fault: str = ""


def read(pieces: list[bytes], *, closes: bool = False) -> Outcome:
    reader = ResponseReader(MAX_HEAD)
    fault = ""
    try:
        for piece in pieces:
            reader.receive(piece)
        if closes:
            reader.end_of_input()
    except AnswerMalformed as error:
        fault = error.reason
    return Outcome(reader.status, tuple(reader.headers.items()), reader.take(), reader.ended, reader.keep_alive, fault)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({place % (len(data) + 1) for place in at} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    return b"%x%b\r\n%b\r\n" % (len(data), extension, data)


names = st.sampled_from([b"content-type", b"X-Request-ID", b"set-cookie", b"retry-after", b"X-A"])
values = st.sampled_from([b"", b"text/event-stream", b"a, b", b"7", b"v\xe9", b"\tpadded  "])
fields = st.lists(st.tuples(names, values), max_size=4)
interim = st.sampled_from(
    [b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * 2]
)
bodies = st.lists(st.binary(min_size=1, max_size=40), max_size=5)


@st.composite
def responses(draw: st.DrawFn) -> tuple[bytes, bytes, bool]:
    """Bytes of a good response, its body, and whether its end is the connection's."""
    lines = b"".join(b"%b: %b\r\n" % field for field in draw(fields))
    pieces = draw(bodies)
    body = b"".join(pieces)
    status = draw(st.sampled_from([b"200 OK", b"307 Temporary Redirect", b"429 Too Many Requests", b"529 ", b"500"]))
    head = draw(interim) + b"HTTP/1.1 " + status + b"\r\n" + lines
    framing = draw(st.sampled_from(["length", "chunked", "close", "none"]))
    if framing == "length":
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body, body, False
    if framing == "chunked":
        extension = draw(st.sampled_from([b"", b";a=b"]))
        trailers = draw(st.sampled_from([b"", b"x-trailer: 1\r\n", b"a: 1\r\nb: 2\r\n"]))
        framed = b"".join(chunk(piece, extension) for piece in pieces) + b"0\r\n" + trailers + b"\r\n"
        return head + b"Transfer-Encoding: Chunked\r\n\r\n" + framed, body, False
    if framing == "close":
        return head + b"Connection: close\r\n\r\n" + body, body, True
    return draw(interim) + b"HTTP/1.1 204 No Content\r\n" + lines + b"\r\n", b"", False


cuts = st.lists(st.integers(0, 2000), max_size=8)


@given(responses(), cuts)
@settings(max_examples=300, deadline=None)
def test_any_cut_gives_the_same_response(response: tuple[bytes, bytes, bool], at: list[int]) -> None:
    data, body, closes = response
    whole = read([data], closes=closes)
    assert (whole.ended, whole.body, whole.fault) == (True, body, "")
    assert read(cut(data, at), closes=closes) == whole
    assert read([data[i : i + 1] for i in range(len(data))], closes=closes) == whole


@given(responses(), st.integers(0, 2000), cuts)
@settings(max_examples=200, deadline=None)
def test_a_response_that_stops_early_has_not_ended(
    response: tuple[bytes, bytes, bool], kept: int, at: list[int]
) -> None:
    data, body, closes = response
    data = data[: kept % len(data)]
    outcome = read(cut(data, at))
    assert not outcome.ended
    assert outcome.fault == ""
    assert body.startswith(outcome.body)
    if not closes:
        assert not read([data], closes=True).ended


MUTATIONS = [b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"\t", b"\x7f", b"0", b"f", b"-1", b",", b";", b"\x80", b"+",
             b"content-length: 1\r\n", b"transfer-encoding: chunked\r\n", b"HTTP/1.1 100 \r\n\r\n",
             b" x\r\n"]  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A response with something put in, or something taken out."""
    data, _, _ = draw(responses())
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.sampled_from([b"", *MUTATIONS])) + data[at + draw(st.integers(0, 3)) :]
    return data


@given(spoilt(), cuts)
@settings(max_examples=500, deadline=None)
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [])
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", [])
@example(b"HTTP/1.1 204 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [])
def test_what_is_accepted_h11_accepts_as_the_same(data: bytes, at: list[int]) -> None:
    ours = read(cut(data, at), closes=True)
    whole = read([data], closes=True)
    assert (ours.ended, ours.fault == "", ours.body) == (whole.ended, whole.fault == "", whole.body)
    if ours.ended:
        status, headers, body = by_h11(data)
        assert (ours.status, ours.body) == (status, body)
        assert {name: spelled(name, value) for name, value in ours.headers} == headers


def spelled(name: bytes, value: bytes) -> bytes:
    """A value as h11 gives it, which puts this one name's into lower case."""
    return value.lower() if name == b"transfer-encoding" else value


def by_h11(data: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
    """Read a response with h11; it raises where it would not accept it."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="POST", target="/", headers=[("host", "a"), ("content-length", "0")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    status, headers, body = 0, {}, b""
    told = False
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            assert not told
            connection.receive_data(b"")
            told = True
        elif isinstance(event, h11.Response):
            status = event.status_code
            for name, value in event.headers:
                headers[name] = headers[name] + b", " + value if name in headers else value
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return status, headers, body


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "status line"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "status line"),
        (b"HTTP/1.2 200 OK\r\n\r\n", "status line"),
        (b"HTTP/0.9 200 OK\r\n\r\n", "status line"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "status line"),
        (b"HTTP/1.1  200 OK\r\n\r\n", "status line"),
        (b"HTTP/1.1 099 OK\r\n\r\n", "status line"),
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n", "status line"),
        (b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n", "protocols"),
        (b"HTTP/1.1 103 X\r\nbad line\r\n\r\n" + HEAD, ""),
        (HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n", ""),
        (HEAD + b"transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n", ""),
        (HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n", "transfer coding"),
        (HEAD + b"transfer-encoding: identity\r\n\r\n", "transfer coding"),
        (HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n", ""),
        (b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "transfer coding"),
        (HEAD + b"content-length: 2\r\ncontent-length: 2\r\n\r\n", ""),
        (HEAD + b"content-length: 2, 2\r\n\r\n", ""),
        (HEAD + b"content-length: -1\r\n\r\n", ""),
        (HEAD + b"content-length: 99999999999999999999999\r\n\r\n", ""),
        (HEAD + b"name : value\r\n\r\n", ""),
        (HEAD + b" folded: value\r\n\r\n", ""),
        (HEAD + b"a: b\0c\r\n\r\n", ""),
        (HEAD + b"a: b\nc: d\r\n\r\n", ""),
        (CHUNKED + b"zz\r\n", ""),
        (CHUNKED + b"2\r\nokay\r\n", ""),
        (CHUNKED + b"-2\r\nok\r\n", ""),
        (CHUNKED + b"2\nok\r\n", ""),
        (CHUNKED + b"ffffffffffffffffff\r\n", ""),
        (CHUNKED + b"0\r\nbad trailer\r\n\r\n", ""),
    ],
)
def test_what_is_no_clear_response_is_refused_however_it_is_cut(data: bytes, why: str) -> None:
    for outcome in (read([data]), read([data[i : i + 1] for i in range(len(data))])):
        assert outcome.fault.startswith("answer_malformed: ")
        assert why in outcome.fault
        assert not outcome.ended


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"a: " + b"x" * MAX_HEAD + b"\r\n\r\n",
        HEAD + b"a: " + b"x" * MAX_HEAD,
        HEAD + b"a" * MAX_HEAD,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 500,
    ],
)
def test_heads_above_the_limit_are_refused(data: bytes) -> None:
    for outcome in (read([data]), read([data[i : i + 1] for i in range(len(data))])):
        assert outcome.fault == f"answer_malformed: the head is larger than {MAX_HEAD} bytes"


def test_as_many_header_lines_as_that_are_refused() -> None:
    reader = ResponseReader(1_000_000)
    with pytest.raises(AnswerMalformed, match="header lines"):
        reader.receive(HEAD + b"a: b\r\n" * (MAX_FIELDS + 1) + b"\r\n")


@pytest.mark.parametrize("endless", [b"2;" + b"x" * 999, b"0\r\nx: " + b"x" * 999])
def test_framing_that_never_ends_is_refused(endless: bytes) -> None:
    reader = ResponseReader(MAX_HEAD)
    reader.receive(CHUNKED + endless)
    reader.receive(b"x" * (MAX_HEAD - 1))
    with pytest.raises(AnswerMalformed, match="framing without end"):
        reader.receive(b"xx")


def test_trailers_are_never_headers() -> None:
    outcome = read([CHUNKED + chunk(b"ok") + b"0\r\nretry-after: 9\r\n\r\n"])
    assert outcome.ended
    assert outcome.headers == ((b"transfer-encoding", b"chunked"),)


def test_repeated_headers_are_joined_in_order() -> None:
    outcome = read([HEAD + b"Set-Cookie: a\r\nx: 1\r\nset-cookie: b\r\ncontent-length: 0\r\n\r\n"])
    assert dict(outcome.headers)[b"set-cookie"] == b"a, b"


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (HEAD + b"content-length: 0\r\n\r\n", True),
        (HEAD + b"connection: close\r\ncontent-length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n", True),
    ],
)
def test_keep_alive_is_what_version_and_connection_header_say(data: bytes, kept: bool) -> None:
    outcome = read([data])
    assert outcome.ended
    assert outcome.keep_alive is kept


@pytest.mark.parametrize("surplus", [b"x", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad", b"H"])
@pytest.mark.parametrize("framed", [HEAD + b"content-length: 2\r\n\r\nok", CHUNKED + chunk(b"ok") + b"0\r\n\r\n"])
def test_bytes_after_a_response_are_noticed_and_change_nothing(framed: bytes, surplus: bytes) -> None:
    for pieces in ([framed + surplus], [framed, surplus]):
        reader = ResponseReader(MAX_HEAD)
        for piece in pieces:
            reader.receive(piece)
        assert reader.ended
        assert reader.surplus
        assert (reader.status, reader.take()) == (200, b"ok")
        assert b"3" not in reader.headers.values()


def test_a_response_without_length_ends_with_the_input_and_says_so() -> None:
    reader = ResponseReader(MAX_HEAD)
    reader.receive(HEAD + b"\r\nsome")
    assert reader.headed
    assert not reader.delimited
    assert not reader.ended
    assert reader.end_of_input()
    assert reader.take() == b"some"
    assert not reader.keep_alive
