"""A handler's hold on the answer to one request."""

from typing import Protocol

from trunkline.wire.http import LAST_CHUNK, AnswerHeads, chunk, has_body
from trunkline.wire.request import Request


class Outlet(Protocol):
    """What a responder needs of its connection."""

    congested: bool

    @property
    def heads(self) -> AnswerHeads:
        """Ready made first lines of answers."""

    @property
    def draining(self) -> bool:
        """Whether the server asks its clients to go elsewhere."""

    def write(self, data: bytes) -> None:
        """Pass bytes to the transport at once; nothing where the client has gone."""

    def reset(self) -> None:
        """Cut the connection so that the client notices."""

    async def drained(self) -> None:
        """Wait until the client has read most of what was written."""


class Responder:
    """Answers one request: `send` once, or `start`, `write` as often as needed, and `finish`; or `abort`.

    Nothing here blocks; once the client has gone, what is written goes nowhere. `finished` means that nothing more can
    be sent. Header lines are given ready, each ending in CRLF, without content-length, transfer-encoding, connection
    and date. Using it out of order raises RuntimeError.
    """

    __slots__ = ("_chunked", "_outlet", "_request", "_with_body", "close_after", "finished", "started")

    def __init__(self, outlet: Outlet, request: Request) -> None:
        self._outlet = outlet
        self._request = request
        self._chunked = False
        self._with_body = True
        self.close_after = not request.keep_alive
        self.started = False
        self.finished = False

    def send(self, status: int, headers: bytes, body: bytes) -> None:
        """Send a whole answer, in one write."""
        connection = self._begin(status)
        self.finished = True
        head = self._outlet.heads.of(status)
        if self._with_body:
            self._outlet.write(b"%b%b%bcontent-length: %d\r\n\r\n%b" % (head, headers, connection, len(body), body))
        elif self._request.method == b"HEAD" and has_body(b"GET", status):
            self._outlet.write(b"%b%b%bcontent-length: %d\r\n\r\n" % (head, headers, connection, len(body)))
        else:
            self._outlet.write(b"%b%b%b\r\n" % (head, headers, connection))

    def start(self, status: int, headers: bytes) -> None:
        """Send the head of an answer whose length is not known: chunked, or up to the close for HTTP/1.0."""
        if self._request.http10:
            self.close_after = True
        connection = self._begin(status)
        self._chunked = self._with_body and not self._request.http10
        framing = b"transfer-encoding: chunked\r\n\r\n" if self._chunked else b"\r\n"
        self._outlet.write(b"%b%b%b%b" % (self._outlet.heads.of(status), headers, connection, framing))

    def write(self, data: bytes) -> None:
        """Send one piece of a started answer, in one write; an empty piece is nothing."""
        self._check_open()
        if data and self._with_body:
            self._outlet.write(chunk(data) if self._chunked else data)

    def finish(self, data: bytes = b"") -> None:
        """Send the last piece, if any, and the end of a started answer, in one write."""
        self._check_open()
        self.finished = True
        last = data if self._with_body else b""
        if self._chunked:
            last = chunk(last) + LAST_CHUNK if last else LAST_CHUNK
        if last:
            self._outlet.write(last)

    def unframe(self) -> None:
        """Leave HTTP behind: what is written from here on goes out as it is, and `finish` closes the connection."""
        self.started = True
        self._chunked = False
        self._with_body = True
        self.close_after = True

    def abort(self) -> None:
        """Cut the connection with a reset: the client must not take what it has for a whole answer."""
        self.finished = True
        self._outlet.reset()

    @property
    def congested(self) -> bool:
        """Whether more than 64 KiB wait for the client to read them."""
        return self._outlet.congested

    async def drain(self) -> None:
        """Wait until the answer is not congested; ConnectionResetError or CancelledError if the client has gone."""
        await self._outlet.drained()

    def _begin(self, status: int) -> bytes:
        """Mark the answer as begun and return its connection header."""
        if self.started or self.finished:
            raise RuntimeError("this request has its answer already")
        self.started = True
        self._with_body = has_body(self._request.method, status)
        if self._outlet.draining:
            self.close_after = True
        if self.close_after:
            return b"connection: close\r\n"
        return b"connection: keep-alive\r\n" if self._request.http10 else b""

    def _check_open(self) -> None:
        if not self.started or self.finished:
            raise RuntimeError("this answer has not been started, or is finished")
