"""Bytes of one connection -> one response, without any I/O.

llhttp (through httptools) reads head and body; what it lets pass and a client must not is refused here: other
versions, protocol switches, transfer codings other than chunked, both framings at once. A head is given to llhttp
whole, so that the result cannot depend on how the bytes were cut, and each response has a parser of its own, so that
nothing of one can reach the next.
"""

import re
from typing import Final

import httptools

from trunkline.wire.client_errors import AnswerMalformed

_END_OF_HEAD: Final = b"\r\n\r\n"
_START: Final = b"HTTP/1."
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [\t -~\x80-\xff]*)?\r\n")
MAX_FIELDS: Final = 256


class ResponseReader:
    """`receive` bytes until `ended`; what has come of the body collects in `pieces`.

    `headed`: status and headers are there. `delimited`: the response itself says where it ends; otherwise the end of
    the input does, and `end_of_input` must be told. `surplus`: more came than the response. `untouched`: not one byte
    has come.
    """

    __slots__ = (
        "_budget", "_buffer", "_fault", "_fields", "_idle_bytes", "_max_head", "_old", "_parser", "buffered",
        "delimited", "ended", "headed", "headers", "keep_alive", "pieces", "status", "surplus", "untouched",
    )  # fmt: skip

    def __init__(self, max_head: int) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.pieces: list[bytes] = []
        self.buffered = 0
        self.headed = self.ended = self.surplus = self.keep_alive = False
        self.delimited = self.untouched = True
        self._buffer = b""
        self._budget = self._max_head = max_head
        self._fields = 0
        self._idle_bytes = 0
        self._old = False  # HTTP/1.0
        self._fault = ""
        self._parser: httptools.HttpResponseParser | None = None

    def receive(self, data: bytes) -> None:
        """Take what the server sent. Raises AnswerMalformed; then nothing more can be read from this connection."""
        self.untouched = False
        if self.headed:
            self._read_body(data)
        else:
            self._read_head(self._buffer + data if self._buffer else data)

    def end_of_input(self) -> bool:
        """The server has closed its side in good order: return whether the response is whole."""
        if self.headed and not self.delimited:
            self.ended = True
        return self.ended

    def stop(self) -> None:
        """Nothing more will be received; what has come can still be taken."""
        # The parser and this reader hold each other.
        self._parser = None

    def take(self) -> bytes:
        """Return what of the body has come since the last call, and keep it no longer."""
        pieces = self.pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self.buffered = 0
        return data

    def _read_head(self, buffer: bytes) -> None:
        """Skip interim responses (RFC 9110, 15.2), which count against the same limit, to the final one's head."""
        while True:
            end = buffer.find(_END_OF_HEAD) + 4
            if end < 4:
                self._check_partial(buffer)
                self._buffer = buffer
                return
            if end > self._budget:
                raise AnswerMalformed(f"the head is larger than {self._max_head} bytes")
            line = _STATUS_LINE.match(buffer)
            if line is None:
                raise AnswerMalformed("no HTTP/1.x status line")
            status = int(line[2])
            if status >= 200:
                break
            if status == 101:
                raise AnswerMalformed("a switch of protocols that nobody asked for")
            self._skip_interim(buffer[:end])
            buffer = buffer[end:]
        self.status = status
        self._old = line[1] == b"0"
        self._buffer = b""
        self._parser = httptools.HttpResponseParser(self)
        self._feed(buffer)

    def _skip_interim(self, head: bytes) -> None:
        self._budget -= len(head)
        try:
            httptools.HttpResponseParser(None).feed_data(head)
        except httptools.HttpParserError as error:
            raise AnswerMalformed(str(error)) from None

    def _check_partial(self, buffer: bytes) -> None:
        """Refuse early what can never become a head, so that nobody waits for its end."""
        if not buffer.startswith(_START) and not _START.startswith(buffer):
            raise AnswerMalformed("no HTTP/1.x status line")
        if len(buffer) > self._budget:
            raise AnswerMalformed(f"the head is larger than {self._max_head} bytes")

    def _read_body(self, data: bytes) -> None:
        if self.ended:
            self.surplus = True
            return
        before = self.buffered
        self._feed(data)
        if self.buffered != before or self.ended:
            self._idle_bytes = 0
            return
        # Chunk extensions and trailers are read past, not without end.
        self._idle_bytes += len(data)
        if self._idle_bytes > self._max_head:
            raise AnswerMalformed("framing without end")

    def _feed(self, data: bytes) -> None:
        if self._parser is None:
            raise RuntimeError("the body was read before the head")
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.ended:
                raise AnswerMalformed(self._fault or str(error)) from None
            self.surplus = True
        if self.ended:
            self.stop()

    def _refuse(self, fault: str) -> None:
        """Stop llhttp from inside one of its callbacks; `_feed` turns this into the error for the caller."""
        self._fault = fault
        raise ValueError(fault)

    # Called by llhttp

    def on_message_begin(self) -> None:
        """A response begins: a second one in the same bytes is none of ours."""
        if self.ended:
            self._refuse("more than one response")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line has been read, or a trailer, which is never a header."""
        self._fields += 1
        if self._fields > MAX_FIELDS:
            self._refuse(f"more than {MAX_FIELDS} header lines")
        if self.headed:
            return
        headers = self.headers
        name = name.lower()
        value = value.rstrip(b" \t")
        headers[name] = headers[name] + b", " + value if name in headers else value

    def on_headers_complete(self) -> None:
        """The head has been read."""
        headers = self.headers
        coding = headers.get(b"transfer-encoding")
        if coding is not None:
            if self._old or coding.lower() != b"chunked":
                self._refuse("a transfer coding other than chunked")
            if b"content-length" in headers:
                self._refuse("both content-length and transfer-encoding")
        elif b"content-length" not in headers and self.status not in (204, 304):
            self.delimited = False
        self.keep_alive = self._parser is not None and self._parser.should_keep_alive()
        self.headed = True

    def on_body(self, data: bytes) -> None:
        """A part of the body has been read."""
        self.pieces.append(data)
        self.buffered += len(data)

    def on_message_complete(self) -> None:
        """The response is whole."""
        self.ended = True
