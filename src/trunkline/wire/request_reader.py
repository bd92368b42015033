"""Bytes of one connection -> requests, without any I/O.

llhttp (through httptools) is the judge of a head's grammar; it is strict, and what it still lets pass is refused here:
HTTP/0.9 and 2.0, other protocols' names, several spaces in the request line, a missing or second Host, transfer
codings other than chunked, chunked in HTTP/1.0. A head is given to llhttp whole, so that the result cannot depend on
how the bytes were cut, and each head gets a parser of its own, so that nothing of one request can reach the next.
"""

import re
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

import httptools

from trunkline.errors import EndpointNotSupported, InvalidRequest
from trunkline.wire.chunked_body import ChunkedBody
from trunkline.wire.in_flight import InFlightBytes
from trunkline.wire.limits import ServerLimits
from trunkline.wire.refusals import HeadersTooLarge, body_too_large, headers_too_large, too_many_bytes
from trunkline.wire.request import Request

_END_OF_HEAD: Final = b"\r\n\r\n"
_REQUEST_LINE: Final = re.compile(rb"([A-Z-]{1,24}) ([!-\"$-~]+) HTTP/1\.([01])\r\n")
_METHOD_SO_FAR: Final = re.compile(rb"[A-Z-]{1,24}(?: |\Z)")
_BARE_LINE_FEED: Final = re.compile(rb"(?<!\r)\n")
_ABSOLUTE: Final = re.compile(rb"https?://[^/?]+", re.IGNORECASE)
_HOST: Final = re.compile(rb"[0-9A-Za-z._~%!$&'()*+;=:\[\]-]*")
_LENGTH: Final = re.compile(rb"[0-9]{1,20}")

# Said twice, these would let two readers of one request believe different things.
_SINGLE: Final = frozenset(
    {
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"authorization",
        b"x-api-key",
        b"api-key",
        b"x-trunkline-user",
        b"x-trunkline-subject",
        b"x-trunkline-session",
        b"x-trunkline-purpose",
    }
)
MAX_FIELDS: Final = 256


class RequestReader:
    """`receive` bytes, then ask `next_request` until it returns None.

    `awaiting_continue` says that the head of a request with `Expect: 100-continue` was accepted and none of its body
    has come. `progress` counts the body bytes of the request that is arriving. What it holds of bodies is counted in
    `held_bytes`; a finished request's body remains counted until its owner releases it.
    """

    __slots__ = (
        "_body",
        "_buffer",
        "_chunks",
        "_clock",
        "_headers",
        "_held",
        "_held_bytes",
        "_length",
        "_limits",
        "_request",
        "_second",
        "awaiting_continue",
        "peer",
    )

    def __init__(
        self,
        limits: ServerLimits,
        held_bytes: InFlightBytes,
        peer: str = "",
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._limits = limits
        self._held_bytes = held_bytes
        self._clock = clock
        self.peer = peer
        self._buffer = b""
        self._request: Request | None = None  # its head has been read, its body has not
        self._headers: dict[bytes, bytes] = {}
        self._second: bytes | None = None
        self._body: bytearray | None = None
        self._chunks: ChunkedBody | None = None
        self._length = 0
        self._held = 0
        self.awaiting_continue = False

    @property
    def buffered(self) -> int:
        """Bytes received and not yet looked at."""
        return len(self._buffer)

    @property
    def progress(self) -> int:
        """Bytes of the arriving request's body that have come."""
        return self._held

    def receive(self, data: bytes) -> None:
        """Take what the client sent."""
        self._buffer = self._buffer + data if self._buffer else data

    def next_request(self) -> Request | None:
        """The next whole request, or None: more bytes are needed.

        Raises InvalidRequest, RequestTooLarge, EndpointNotSupported or Overloaded: to be answered, and then nothing
        that this client sends on this connection can be trusted to be a request.
        """
        if not self._buffer:
            return None
        request = self._request
        if request is None:
            request = self._read_head()
            if request is None:
                return None
            self._request = request
        elif self.awaiting_continue:
            self.awaiting_continue = False
        whole = self._read_length(request) if self._chunks is None else self._read_chunks(request, self._chunks)
        return request if whole else None

    def discard(self) -> None:
        """Forget everything that is not a whole request yet."""
        self._held_bytes.release(self._held)
        self._held = 0
        self._buffer = b""
        self._request = self._body = self._chunks = None
        self.awaiting_continue = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by llhttp for each header line of a head."""
        name = name.lower()
        value = value.rstrip(b" \t")
        headers = self._headers
        if name not in headers:
            headers[name] = value
        elif name in _SINGLE:
            self._second = name
        else:
            headers[name] += b", " + value

    def _read_head(self) -> Request | None:
        buffer = self._buffer
        end = buffer.find(_END_OF_HEAD)
        if end < 0:
            self._check_partial_head(buffer)
            return None
        end += 4
        if end > self._limits.max_headers:
            raise headers_too_large(self._limits.max_headers)
        line = _REQUEST_LINE.match(buffer)
        if line is None:
            raise InvalidRequest("malformed request line, or not HTTP/1.1")
        self._headers = {}
        head = buffer if end == len(buffer) else buffer[:end]
        try:
            httptools.HttpRequestParser(self).feed_data(head)
        except httptools.HttpParserUpgrade:
            pass  # an offer to speak something else, which we decline by answering in HTTP/1.1
        except httptools.HttpParserError as error:
            raise InvalidRequest(f"malformed request head: {error}") from None
        request = self._understand(line)
        self._buffer = buffer[end:]
        return request

    def _check_partial_head(self, buffer: bytes) -> None:
        """Refuse as early as possible what can never become a head."""
        if len(buffer) > self._limits.max_headers:
            raise headers_too_large(self._limits.max_headers)
        if _METHOD_SO_FAR.match(buffer) is None:
            raise InvalidRequest("malformed request line, or not HTTP/1.1")
        if _BARE_LINE_FEED.search(buffer) is not None:
            raise InvalidRequest("malformed request head: a line feed without its carriage return")

    def _understand(self, line: re.Match[bytes]) -> Request:
        method, target, minor = line.groups()
        headers = self._headers
        if self._second is not None:
            raise InvalidRequest(f"the header {self._second.decode()} is there more than once")
        if len(headers) > MAX_FIELDS:
            raise HeadersTooLarge(f"more than {MAX_FIELDS} headers", rule="server.max_headers")
        host = headers.get(b"host")
        if host is None or _HOST.fullmatch(host) is None:
            raise InvalidRequest("the Host header is missing or malformed")
        if method == b"CONNECT":
            raise EndpointNotSupported("this is not a proxy: CONNECT is not supported")
        http10 = minor == b"0"
        self._frame(headers, http10=http10)
        return Request(
            method,
            target,
            _path(target),
            headers,
            b"",
            self._clock(),
            self.peer,
            http10,
            _keep_alive(headers.get(b"connection"), http10=http10),
        )

    def _frame(self, headers: dict[bytes, bytes], *, http10: bool) -> None:
        """Find out how the body is delimited, and refuse it now where it could not be kept."""
        coding = headers.get(b"transfer-encoding")
        length = headers.get(b"content-length")
        self._length = 0
        if coding is not None:
            if http10 or length is not None or coding.lower() != b"chunked":
                raise InvalidRequest("a body is delimited by content-length, or by transfer-encoding: chunked")
            self._chunks = ChunkedBody(self._limits.max_body, self._limits.max_headers)
        elif length is not None:
            if _LENGTH.fullmatch(length) is None:
                raise InvalidRequest("malformed content-length")
            self._length = int(length)
            if self._length > self._limits.max_body:
                raise body_too_large(self._limits.max_body)
            if not self._held_bytes.has_room(self._length):
                raise too_many_bytes()
        expects = headers.get(b"expect")
        if expects is not None and not http10 and (self._length or coding is not None):
            self.awaiting_continue = expects.lower() == b"100-continue"

    def _read_length(self, request: Request) -> bool:
        buffer, missing = self._buffer, self._length
        if len(buffer) < missing:
            self._hold(len(buffer))
            if self._body is None:
                self._body = bytearray()
            self._body += buffer
            self._length -= len(buffer)
            self._buffer = b""
            return False
        self._hold(missing)
        piece = buffer if len(buffer) == missing else buffer[:missing]
        self._buffer = buffer[missing:]
        if self._body is None:
            request.body = piece
        else:
            self._body += piece
            request.body = bytes(self._body)
        self._finish()
        return True

    def _read_chunks(self, request: Request, chunks: ChunkedBody) -> bool:
        before = len(chunks.data)
        taken = chunks.feed(self._buffer)
        self._buffer = self._buffer[taken:]
        self._hold(len(chunks.data) - before)
        if not chunks.done:
            return False
        request.body = bytes(chunks.data)
        self._finish()
        return True

    def _hold(self, size: int) -> None:
        if size:
            if not self._held_bytes.take(size):
                raise too_many_bytes()
            self._held += size
            self.awaiting_continue = False

    def _finish(self) -> None:
        self._request = self._body = self._chunks = None
        self._held = 0
        self.awaiting_continue = False


def _path(target: bytes) -> str:
    """The decoded path of a request target (RFC 9112, 3.2), whose grammar llhttp has checked."""
    if not target.startswith(b"/"):
        if target == b"*":
            return "*"
        absolute = _ABSOLUTE.match(target)
        if absolute is None:
            raise InvalidRequest("malformed request target")
        target = target[absolute.end() :]
        if not target.startswith(b"/"):
            target = b"/" + target
    path = target.partition(b"?")[0].decode("ascii")
    return unquote(path) if "%" in path else path


def _keep_alive(connection: bytes | None, *, http10: bool) -> bool:
    """Whether the connection outlives this request (RFC 9112, 9.3)."""
    if connection is None:
        return not http10
    if connection == b"keep-alive":  # what SDKs send, without need, on every request
        return True
    options = [option.strip() for option in connection.lower().split(b",")]
    return b"close" not in options and (not http10 or b"keep-alive" in options)
