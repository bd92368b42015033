"""The chunked transfer coding of a request, read strictly (RFC 9112, 7.1).

Every leniency in this framing has been a way to smuggle a request past something that reads it otherwise, so line ends
are CRLF only, a size is hexadecimal digits only, and nothing stands between a chunk's data and its line end.
"""

import re

from trunkline.errors import InvalidRequest, RequestTooLarge
from trunkline.wire.refusals import body_too_large

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[\t -~\x80-\xff]*)?\r\n")
_SIZE_LINE_SO_FAR = re.compile(rb"(?:[0-9A-Fa-f]{1,16}(?:;[\t -~\x80-\xff]*)?\r?)?")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n")
_TRAILER_SO_FAR = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+(?::[\t -~\x80-\xff]*)?)?\r?")

# A size line is a few digits; extensions are for us to skip, not to store.
MAX_SIZE_LINE = 256
# One-byte chunks cost us far more than they cost the sender. A body may have this many chunks of any size, and then
# one more for each SMALL_CHUNK bytes it brings.
FREE_CHUNKS = 1024
SMALL_CHUNK = 64


class ChunkedBody:
    """Takes the bytes after a head with `transfer-encoding: chunked`, up to and including the trailers.

    `data` grows with the body; `done` says that the message has ended. Trailers are checked and dropped.
    """

    __slots__ = ("_chunks", "_in_trailers", "_max_body", "_max_trailers", "_remaining", "data", "done")

    def __init__(self, max_body: int, max_trailers: int) -> None:
        self.data = bytearray()
        self.done = False
        self._remaining = 0  # of the current chunk, its line end included; 0: a size line comes next
        self._in_trailers = False
        self._chunks = 0
        self._max_body = max_body
        self._max_trailers = max_trailers

    def feed(self, source: bytes) -> int:
        """Take from the start of `source` what can be understood, and return how many bytes that was.

        Raises InvalidRequest on malformed framing and RequestTooLarge above the limits; `source` must begin with
        what the previous call left over.
        """
        at = 0
        while not self.done:
            if self._in_trailers:
                step = self._trailer(source, at)
            elif self._remaining:
                step = self._piece(source, at)
            else:
                step = self._size(source, at)
            if not step:
                break
            at += step
        return at

    def _size(self, source: bytes, at: int) -> int:
        line = _SIZE_LINE.match(source, at, at + MAX_SIZE_LINE)
        if line is None:
            if len(source) - at >= MAX_SIZE_LINE or _SIZE_LINE_SO_FAR.fullmatch(source, at) is None:
                raise InvalidRequest("malformed chunk size in the request body")
            return 0
        size = int(line[1], 16)
        if len(self.data) + size > self._max_body:
            raise body_too_large(self._max_body)
        self._chunks += 1
        if self._chunks > FREE_CHUNKS + len(self.data) // SMALL_CHUNK:
            raise InvalidRequest(f"the body comes in too many chunks below {SMALL_CHUNK} bytes")
        if size:
            self._remaining = size + 2
        else:
            self._in_trailers = True
        return line.end() - at

    def _piece(self, source: bytes, at: int) -> int:
        size = min(self._remaining, len(source) - at)
        of_data = max(0, min(self._remaining - 2, size))
        self.data += source[at : at + of_data]
        line_end = b"\r\n"[2 - (self._remaining - of_data) :] if self._remaining - of_data <= 2 else b""
        if source[at + of_data : at + size] != line_end[: size - of_data]:
            raise InvalidRequest("a chunk of the request body is longer than its size says")
        self._remaining -= size
        return size

    def _trailer(self, source: bytes, at: int) -> int:
        if source.startswith(b"\r\n", at):
            self.done = True
            return 2
        line = _TRAILER.match(source, at)
        if line is None:
            if _TRAILER_SO_FAR.fullmatch(source, at) is None:
                raise InvalidRequest("malformed trailer after the request body")
            self._spend_trailer(len(source) - at, 0)
            return 0
        size = line.end() - at
        self._spend_trailer(size, size)
        return size

    def _spend_trailer(self, size: int, spent: int) -> None:
        if size > self._max_trailers:
            raise RequestTooLarge("the trailers are larger than the headers may be", rule="server.max_headers")
        self._max_trailers -= spent
