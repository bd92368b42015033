"""One response as its caller sees it: the head at once, the body whole or as it comes."""

import asyncio
from typing import Final, Protocol

from trunkline.wire.client_errors import AnswerTooLarge, ConnectionBroken
from trunkline.wire.response_reader import ResponseReader

# When this much lies here unread, the connection is not read any further until it is taken.
HIGH_WATER: Final = 256 * 1024


class Carrier(Protocol):
    """The connection that an answer comes from, until it has ended."""

    def resume(self) -> None:
        """Read on."""

    def drop(self) -> None:
        """Close at once; this connection carries nothing more."""

    def discard_rest(self) -> None:
        """Go on without the answer: back to the pool if its end is near, else closed."""


class Answer:
    """A provider's response. One task at a time may wait for it; cancelling that task aborts the connection at once.

    When the body has been received to its end the connection goes back to the pool by itself. An answer that is not
    read to its end must be given to `abort`, `fail` or `release`. `first_byte_at` is `time.monotonic_ns()` when the
    first byte of the body came, 0 before.
    """

    __slots__ = ("_carrier", "_error", "_loop", "_max_size", "_reader", "_size", "_waiter", "first_byte_at")

    def __init__(
        self, carrier: Carrier, reader: ResponseReader, loop: asyncio.AbstractEventLoop, max_size: int
    ) -> None:
        self._carrier: Carrier | None = carrier
        self._reader = reader
        self._loop = loop
        self._max_size = max_size
        self._size = 0  # of the pieces that were taken
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self.first_byte_at = 0

    def __repr__(self) -> str:
        state = "ended" if self._reader.ended else "failed" if self._error else "open"
        return f"Answer({self._reader.status or 'no head yet'}, {state})"

    @property
    def status(self) -> int:
        """The status code; 200 or above."""
        return self._reader.status

    @property
    def headers(self) -> dict[bytes, bytes]:
        """The headers by lower-case name; repeated ones are joined with `, `. Trailers are not among them."""
        return self._reader.headers

    @property
    def delimited(self) -> bool:
        """Whether the response itself says where it ends; if not, a cut cannot be told from an end."""
        return self._reader.delimited

    async def read(self) -> bytes:
        """Return the whole body.

        Raises AnswerTooLarge above `Endpoint.max_answer`, ConnectionBroken, AnswerMalformed.
        """
        reader = self._reader
        taken: list[bytes] = []
        size = 0
        while True:
            if reader.pieces:
                taken.append(self._take())
                size += len(taken[-1])
                if size > self._max_size:
                    self.abort()
                    raise AnswerTooLarge(f"more than {self._max_size} bytes")
            if self._error is not None:
                raise self._error
            if reader.ended:
                return taken[0] if len(taken) == 1 else b"".join(taken)
            await self._wait()

    async def next_piece(self) -> bytes:
        """Return all that has come of the body since the last call; wait if that is nothing; `b""` is the clean end.

        Raises ConnectionBroken where the connection ends before the body, and AnswerMalformed, each after the pieces
        that came before; AnswerTooLarge above `Endpoint.max_answer` in all.
        """
        reader = self._reader
        while not reader.pieces:
            if self._error is not None:
                raise self._error
            if reader.ended:
                return b""
            await self._wait()
        piece = self._take()
        self._size += len(piece)
        if self._size > self._max_size:
            self.abort()
            raise AnswerTooLarge(f"more than {self._max_size} bytes")
        return piece

    def abort(self) -> None:
        """Drop the connection now, if the answer has not ended; what is waited for raises ConnectionBroken."""
        if self._carrier is not None:
            self.fail(ConnectionBroken("aborted by the caller"))

    def fail(self, error: Exception) -> None:
        """Drop the connection now and let the current or next wait raise `error`; for deadlines, from a timer."""
        carrier, self._carrier = self._carrier, None
        self._reader.pieces.clear()
        self.broke(error)
        if carrier is not None:
            carrier.drop()

    def release(self) -> None:
        """Take no more of the body. The connection is kept if the rest is short and comes soon, else dropped.

        For streams that say their end in the body: the framing's own end may come a moment later.
        """
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            self._reader.pieces.clear()
            self.broke(ConnectionBroken("released by the caller"))
            carrier.discard_rest()

    # Called by the pool and the connection

    async def headed(self) -> "Answer":
        """Wait until the head is complete."""
        while not self._reader.headed:
            if self._error is not None:
                raise self._error
            await self._wait()
        return self

    def progressed(self) -> None:
        """Something has come."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def completed(self) -> None:
        """The whole response has come, and the connection has gone its own way."""
        self._carrier = None
        self.progressed()

    def broke(self, error: Exception) -> None:
        """No more will come; what has come is still the caller's."""
        self._carrier = None
        self._error = error
        self.progressed()

    def _take(self) -> bytes:
        reader = self._reader
        paused = reader.buffered > HIGH_WATER
        data = reader.take()
        if paused and self._carrier is not None:
            self._carrier.resume()
        return data

    async def _wait(self) -> None:
        if self._waiter is not None:
            raise RuntimeError("somebody waits for this answer already")
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self._waiter = None
