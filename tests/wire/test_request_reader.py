"""The reader against h11, against a corpus of malformed requests, and against every way to cut the bytes."""

from itertools import pairwise

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.errors import CallError, EndpointNotSupported, InvalidRequest, Overloaded, RequestTooLarge
from trunkline.wire.limits import InFlightBytes, ServerLimits
from trunkline.wire.refusals import HeadersTooLarge
from trunkline.wire.request import Request
from trunkline.wire.request_reader import RequestReader

LIMITS = ServerLimits(max_body=10_000, max_headers=2_000)


def read(pieces, limits=LIMITS, held=None):
    """Everything that the pieces make: the requests, and the error that ended the connection, if any."""
    reader = RequestReader(limits, held or InFlightBytes(1_000_000), "127.0.0.1:1", clock=lambda: 7)
    requests = []
    for piece in pieces:
        reader.receive(piece)
        try:
            while (request := reader.next_request()) is not None:
                requests.append(request)
                if not request.keep_alive:
                    return requests, None
        except CallError as error:
            return requests, error
    return requests, None


def one_by_one(data):
    return [data[i : i + 1] for i in range(len(data))]


def seen(request: Request):
    headers = dict(request.headers)
    if b"transfer-encoding" in headers:
        headers[b"transfer-encoding"] = headers[b"transfer-encoding"].lower()
    return request.method, request.target, headers, request.body


def seen_by_h11(data):
    """What h11 makes of the same bytes, up to the first thing that it refuses."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    requests = []
    try:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return requests
            if isinstance(event, h11.Request):
                head, body = event, b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            else:
                headers = {}
                for name, value in head.headers:
                    headers[name] = headers[name] + b", " + value if name in headers else value
                requests.append((head.method, head.target, headers, body))
                connection.send(h11.Response(status_code=404, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE:
                    return requests
                connection.start_next_cycle()
    except h11.RemoteProtocolError:
        return requests


CRLF = b"\r\n"
TOKEN = st.text("ABCabcxyz019-_!~", min_size=1, max_size=8).map(str.encode)
VALUE = st.binary(max_size=20).map(lambda raw: bytes(b for b in raw if b == 9 or 32 <= b != 127)).map(bytes.strip)
LINE_END = st.sampled_from([CRLF] * 30 + [b"\n", b"\r", b"\r\r\n", b""])
VERSION = st.sampled_from([b"HTTP/1.1"] * 12 + [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.2", b"ICE/1.0", b""])
TARGET = st.sampled_from([b"/", b"/a%20b?c=d", b"*", b"http://a/b", b"/\xff", b"/a b", b"/#x", b"", b"a:1", b"//x"])
ODD_HEADER = st.sampled_from(
    [
        b"Host: b", b"Host : b", b"Content-Length: 3", b"Content-Length: 3, 3", b"Content-Length: +3",
        b"Content-Length:", b"Content-Length: 03",
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: CHUNKED", b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked, chunked",
        b"Transfer-Encoding: \x0bchunked", b"Connection: close", b"Connection: keep-alive", b"Connection: Upgrade",
        b"Upgrade: h2c", b"Expect: 100-continue", b" folded: x", b"X: a\x00b", b"X: a\x01b", b"X: a\rb", b": empty",
        b"X:", b"none", b"Authorization: a", b"X:\ta\t", b"X: \x80",
    ]
)  # fmt: skip
SIZE = st.sampled_from(
    [b"3", b"3", b"3", b"03", b"3;a=b", b"3 ", b" 3", b"0x3", b"-3", b"+3", b"", b"4", b"2", b"3;\x00", b"F" * 17]
)
LAST = st.sampled_from(
    [b"0\r\n\r\n"] * 4 + [b"0\r\nX: y\r\n\r\n", b"0\r\nX y\r\n\r\n", b"0\n\r\n", b"0\r\n\n", b"0\r\n", b"000\r\n\r\n"]
)


@st.composite
def nearly_requests(draw):
    """A request that is odd in at most a few places, so that many are accepted and few are dull."""

    def one_of(usual, odd):
        return draw(odd) if draw(st.integers(0, 7)) == 0 else usual

    odd_lines = draw(st.integers(0, 3)) == 0

    def line_end():
        return draw(LINE_END) if odd_lines else CRLF

    method = one_of(b"POST", st.sampled_from([b"GET", b"OPTIONS", b"CONNECT", b"get", b"PRI", b"SOURCE", b"HEAD"]))
    space = one_of(b" ", st.sampled_from([b" ", b"  ", b"\t"]))
    lines = [method + space + one_of(b"/", TARGET) + b" " + one_of(b"HTTP/1.1", VERSION)]
    lines.append(one_of(b"Host: a", ODD_HEADER))
    lines += draw(st.lists(st.builds(lambda n, v: n + b": " + v, TOKEN, VALUE), max_size=3))
    lines.append(one_of(b"X: y", ODD_HEADER))
    framing = draw(st.sampled_from(["none", "length", "chunked", "chunked"]))
    body = b""
    if framing == "length":
        body = draw(st.binary(max_size=8))
        lines.append(b"Content-Length: %d" % len(body))
    elif framing == "chunked":
        lines.append(b"Transfer-Encoding: chunked")
        for _ in range(draw(st.integers(0, 3))):
            body += one_of(b"3", SIZE) + line_end() + b"abc" + line_end()
        body += one_of(b"0\r\n\r\n", LAST)
    return b"".join(line + line_end() for line in lines) + line_end() + body


@st.composite
def streams_of_bytes(draw):
    data = bytearray(b"".join(draw(st.lists(nearly_requests(), min_size=1, max_size=3))))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        at = draw(st.integers(0, len(data) - 1))
        if draw(st.booleans()):
            data[at] = draw(st.integers(0, 255))
        else:
            del data[at]
    return bytes(data)


@settings(max_examples=700, deadline=None)
@given(streams_of_bytes())
def test_what_is_accepted_is_accepted_by_h11_with_the_same_meaning(data):
    requests, _ = read([data])
    assert [seen(request) for request in requests] == seen_by_h11(data)[: len(requests)]


@settings(max_examples=200, deadline=None)
@given(streams_of_bytes(), st.data())
def test_no_way_to_cut_the_bytes_changes_what_is_read(data, draw):
    whole, refusal = read([data])
    cuts = sorted(draw.draw(st.sets(st.integers(0, len(data)), max_size=6)) | {0, len(data)})
    for pieces in (one_by_one(data), [data[a:b] for a, b in pairwise(cuts)]):
        requests, error = read(pieces)
        assert requests == whole
        assert type(error) is type(refusal)


@st.composite
def good_requests(draw):
    names = draw(st.lists(TOKEN, max_size=5, unique_by=bytes.lower))
    headers = {b"host": b"example.com:80"} | {name.lower(): draw(VALUE) for name in names}
    method = draw(st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"HEAD", b"PATCH"]))
    body = draw(st.binary(max_size=300))
    if draw(st.booleans()):
        headers[b"content-length"] = b"%d" % len(body)
        wire = body
    else:
        headers[b"transfer-encoding"] = b"chunked"
        cuts = sorted(draw(st.sets(st.integers(0, len(body)), max_size=4)) | {0, len(body)})
        chunks = [body[a:b] for a, b in pairwise(cuts)]
        wire = (
            b"".join(b"%X;x=1\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks if chunk) + b"0\r\nLate: x\r\n\r\n"
        )
    target = b"/v1/" + draw(TOKEN) + b"?q=" + draw(TOKEN)
    head = b"%b %b HTTP/1.1\r\n" % (method, target) + b"".join(b"%b: %b \r\n" % item for item in headers.items())
    return (method, target, headers, body), head + CRLF + wire


@settings(max_examples=150, deadline=None)
@given(st.lists(good_requests(), min_size=1, max_size=4), st.data())
def test_every_well_formed_request_is_read_as_it_was_meant(parts, draw):
    data = b"".join(wire for _, wire in parts)
    cuts = sorted(draw.draw(st.sets(st.integers(0, len(data)), max_size=5)) | {0, len(data)})
    held = InFlightBytes(1_000_000)
    requests, error = read([data[a:b] for a, b in pairwise(cuts)], held=held)
    assert error is None
    assert [seen(request) for request in requests] == [meant for meant, _ in parts]
    assert held.used == sum(len(request.body) for request in requests)


HOST = b"Host: a\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
MALFORMED = {
    "no request line": b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "lower-case method": b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
    "unknown method": b"FROB / HTTP/1.1\r\nHost: a\r\n\r\n",
    "HTTP/0.9": b"GET / HTTP/0.9\r\nHost: a\r\n\r\n",
    "HTTP/0.9 without a version": b"GET /\r\n\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "HTTP/2.0": b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "another protocol": b"SOURCE / ICE/1.0\r\nHost: a\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "space after the version": b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
    "space in the target": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "a target that is not ASCII": b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "a target with a fragment": b"GET /#a HTTP/1.1\r\nHost: a\r\n\r\n",
    "a target without a slash": b"GET a HTTP/1.1\r\nHost: a\r\n\r\n",
    "a foreign scheme": b"GET ftp://a/b HTTP/1.1\r\nHost: a\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\nX: y\r\n\r\n",
    "no Host in HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
    "a second Host": b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
    "two names in one Host": b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "a Host with a path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "a second Authorization": b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: b\r\nAuthorization: b\r\n\r\n",
    "a second x-api-key": b"GET / HTTP/1.1\r\nHost: a\r\nX-Api-Key: b\r\nX-API-Key: c\r\n\r\n",
    **{
        f"a second {name}": f"GET / HTTP/1.1\r\nHost: a\r\n{name}: b\r\n{name.lower()}: b\r\n\r\n".encode()
        for name in ("X-Trunkline-User", "X-Trunkline-Subject", "X-Trunkline-Session", "X-Trunkline-Purpose")
    },
    "a second api-key": b"GET / HTTP/1.1\r\nHost: a\r\nApi-Key: b\r\nApi-Key: c\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: a\n\n",
    "a bare line feed after a header": b"GET / HTTP/1.1\r\nHost: a\n\r\n",
    "a bare line feed at the end of the head": b"GET / HTTP/1.1\r\nHost: a\r\n\n",
    "a bare carriage return": b"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
    "whitespace before the colon": b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
    "whitespace before the first header": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
    "a header without a name": b"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n",
    "a NUL in a header": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    "a control character in a header": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x1bb\r\n\r\n",
    "a header name that is not ASCII": b"GET / HTTP/1.1\r\nHost: a\r\nX\xe4: a\r\n\r\n",
    "length and chunked": CHUNKED[:-2] + b"Content-Length: 3\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "the same length twice": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a list of lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc",
    "a length with a sign": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
    "a negative length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\nabc",
    "an empty length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nabc",
    "a length of many digits": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %s3\r\n\r\nabc" % (b"0" * 30),
    "gzip, chunked": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "identity": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
    "chunked twice": CHUNKED[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked in HTTP/1.0": b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bare line feed after a chunk size": CHUNKED + b"3\nabc\r\n0\r\n\r\n",
    "a bare line feed after a chunk": CHUNKED + b"3\r\nabc\n0\r\n\r\n",
    "a bare line feed after the last chunk": CHUNKED + b"3\r\nabc\r\n0\n\r\n",
    "a bare line feed at the end": CHUNKED + b"3\r\nabc\r\n0\r\n\n",
    "a bare line feed in an extension": CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "a space after the chunk size": CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n",
    "a chunk size with 0x": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "a negative chunk size": CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
    "a chunk size that is no number": CHUNKED + b"three\r\nabc\r\n0\r\n\r\n",
    "a chunk without a size": CHUNKED + b"\r\nabc\r\n0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "a chunk shorter than its size": CHUNKED + b"3\r\nab\r\n0\r\n\r\n",
    "a chunk size that overflows": CHUNKED + b"10000000000000003\r\nabc\r\n0\r\n\r\n",
    "a trailer without a colon": CHUNKED + b"0\r\nX\r\n\r\n",
    "a folded trailer": CHUNKED + b"0\r\nX: a\r\n b\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_request_is_refused_however_it_is_cut(data):
    for pieces in ([data], one_by_one(data), [data[:-1], data[-1:]]):
        requests, error = read(pieces)
        assert requests == []
        assert type(error) is InvalidRequest
        assert error.status == 400


def test_a_request_behind_a_good_one_is_refused_after_it():
    requests, error = read([b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n" + b"GET /b HTTP/1.1\r\n\r\n"])
    assert [request.path for request in requests] == ["/a"]
    assert type(error) is InvalidRequest


def test_trailers_are_never_headers():
    (request,), error = read([CHUNKED + b"3\r\nabc\r\n0\r\nX-Trunkline-User: mallory\r\nHost: b\r\n\r\n"])
    assert error is None
    assert request.headers == {b"host": b"a", b"transfer-encoding": b"chunked"}
    assert request.body == b"abc"


def test_an_offer_to_upgrade_is_read_as_an_ordinary_request_with_its_body():
    head = b"POST / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 3\r\n\r\n"
    data = head + b"abc" + b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n"
    for pieces in ([data], one_by_one(data)):
        requests, error = read(pieces)
        assert error is None
        assert [(request.path, request.body) for request in requests] == [("/", b"abc"), ("/b", b"")]


def test_connect_is_not_supported():
    requests, error = read([b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\nxx"])
    assert requests == []
    assert type(error) is EndpointNotSupported


def test_repeated_headers_are_joined_in_order():
    (request,), _ = read([b"GET / HTTP/1.1\r\nHost: a\r\nX-Tag: 1\r\nY: 2\r\nx-tag:  3 \r\n\r\n"])
    assert request.headers[b"x-tag"] == b"1, 3"


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/v1/models?x=%20", "/v1/models"),
        (b"/a%20b%2Fc", "/a b/c"),
        (b"/%ff", "/\ufffd"),
        (b"*", "*"),
        (b"http://example.com/v1/models?x", "/v1/models"),
        (b"HTTPS://example.com", "/"),
        (b"http://example.com?x=/y", "/"),
        (b"/a?b?c", "/a"),
    ],
)
def test_the_path_is_decoded_and_has_no_query(target, path):
    (request,), error = read([b"OPTIONS %b HTTP/1.1\r\nHost: a\r\n\r\n" % target])
    assert error is None
    assert (request.target, request.path) == (target, path)


@pytest.mark.parametrize(
    ("version", "connection", "keep_alive"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: close\r\n", False),
        (b"1.1", b"Connection: x, CLOSE\r\n", False),
        (b"1.1", b"Connection: x\r\nConnection: close\r\n", False),
        (b"1.1", b"Connection: closed\r\n", True),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: Keep-Alive\r\n", True),
        (b"1.0", b"Connection: keep-alive, close\r\n", False),
    ],
)
def test_whether_the_connection_stays_follows_version_and_header(version, connection, keep_alive):
    (request,), _ = read([b"GET / HTTP/%b\r\nHost: a\r\n%b\r\n" % (version, connection)])
    assert request.keep_alive is keep_alive
    assert request.http10 is (version == b"1.0")


@pytest.mark.parametrize("size", [9_999, 10_000, 10_001])
def test_a_declared_body_is_refused_exactly_above_the_limit_and_at_its_head(size):
    requests, error = read([b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size, b"x" * size])
    assert len(requests) == (size <= 10_000)
    assert (type(error) is RequestTooLarge) == (size > 10_000)
    _, at_head = read([b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size])
    assert (type(at_head) is RequestTooLarge) == (size > 10_000)


@pytest.mark.parametrize("size", [9_999, 10_000, 10_001])
def test_a_chunked_body_is_refused_exactly_above_the_limit(size):
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (b"y" * 5_000, b"x" * (size - 5_000)))
    for pieces in ([CHUNKED + chunks + b"0\r\n\r\n"], one_by_one(CHUNKED + chunks + b"0\r\n\r\n")):
        requests, error = read(pieces)
        assert len(requests) == (size <= 10_000)
        assert (type(error) is RequestTooLarge) == (size > 10_000)


@pytest.mark.parametrize("size", [1_999, 2_000, 2_001])
def test_a_head_is_refused_exactly_above_the_limit(size):
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n"
    data = head.replace(b"X: ", b"X: " + b"x" * (size - len(head)))
    for pieces in ([data], one_by_one(data)):
        requests, error = read(pieces)
        assert len(requests) == (size <= 2_000)
        assert (type(error) is HeadersTooLarge) == (size > 2_000)


def test_a_head_that_never_ends_is_refused_at_the_limit():
    pieces = [b"GET / HTTP/1.1\r\nX: "] + [b"x" * 100] * 20
    assert read(pieces[:-1]) == ([], None)
    _, error = read(pieces)
    assert type(error) is HeadersTooLarge


def test_too_many_headers_are_refused():
    lines = b"".join(b"a%d:\r\n" % i for i in range(256))
    _, error = read([b"GET / HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n"], ServerLimits())
    assert type(error) is HeadersTooLarge


def test_bodies_beyond_what_the_process_may_hold_are_refused_and_given_back():
    held = InFlightBytes(100)
    _, error = read([b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n"], held=held)
    assert type(error) is Overloaded
    assert error.retry_after == 1.0
    first, second = (RequestReader(LIMITS, held) for _ in range(2))
    for reader in (first, second):
        reader.receive(CHUNKED + b"3c\r\n" + b"x" * 59)
    assert first.next_request() is None
    assert held.used == first.progress == 59
    with pytest.raises(Overloaded):
        second.next_request()
    second.discard()
    first.discard()
    assert held.used == 0


def test_a_client_that_expects_100_is_waited_for_only_while_none_of_its_body_has_come():
    reader = RequestReader(LIMITS, InFlightBytes(1000))
    reader.receive(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n")
    assert reader.next_request() is None
    assert reader.awaiting_continue
    reader.receive(b"x")
    assert reader.next_request() is None
    assert not reader.awaiting_continue


@pytest.mark.parametrize(
    "head", [b"HTTP/1.0\r\nContent-Length: 2", b"HTTP/1.1\r\nContent-Length: 0", b"HTTP/1.1\r\nX: y"]
)
def test_no_100_is_due_to_http_1_0_or_without_a_body(head):
    reader = RequestReader(LIMITS, InFlightBytes(1000))
    reader.receive(b"POST / " + head + b"\r\nHost: a\r\nExpect: 100-continue\r\n\r\n")
    reader.next_request()
    assert not reader.awaiting_continue


def test_the_time_of_a_request_is_that_of_its_head():
    times = iter([1, 2])
    reader = RequestReader(LIMITS, InFlightBytes(1000), "peer", clock=lambda: next(times))
    reader.receive(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
    assert reader.next_request() is None
    reader.receive(b"xx")
    assert reader.next_request().received == 1


def test_a_request_does_not_show_its_secrets():
    (request,), _ = read([b"POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer sk-1\r\nContent-Length: 4\r\n\r\nsk-2"])
    assert "sk-" not in repr(request)
    assert "sk-" not in str(request)
