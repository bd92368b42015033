"""One connection to a provider, as asyncio sees it: carries one exchange at a time, and notices when it dies idle."""

import asyncio
import socket
import time
from typing import Protocol, cast

from trunkline.wire.answer import HIGH_WATER, Answer
from trunkline.wire.client_errors import AnswerMalformed, ConnectionBroken
from trunkline.wire.endpoint import Endpoint
from trunkline.wire.response_reader import ResponseReader

# What may still come of a released answer before closing is cheaper than reading on.
RELEASED_BYTES = 64 * 1024
RELEASED_SECONDS = 1.0
# A provider that vanished without a word is noticed within about a minute even by a connection that waits.
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}


class Owner(Protocol):
    """What a connection needs of its pool."""

    endpoint: Endpoint

    def give_back(self, connection: "Connection") -> None:
        """Take back a connection that can carry another exchange."""

    def left(self, connection: "Connection") -> None:
        """Count a connection as gone: nothing can be sent on it any more."""

    def closed(self, connection: "Connection") -> None:
        """Take note that the socket of a connection is closed."""


class Connection(asyncio.Protocol):
    """The protocol of one open connection.

    `kept` says that it had been idle, or carried another exchange, before the present one; `idle_since` is loop time;
    `exchanges` counts what was sent on it; `gone` says that it can carry nothing more; `stale` that it died the way
    a connection does that the provider had closed before we wrote.
    """

    __slots__ = (
        "_answer", "_discarded", "_loop", "_owner", "_paused", "_reader", "_release_timer", "_sent_at", "_transport",
        "exchanges", "gone", "idle_since", "kept", "opened_at", "stale",
    )  # fmt: skip

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self._owner = owner
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        self._reader: ResponseReader | None = None  # present while an exchange is under way
        self._release_timer: asyncio.TimerHandle | None = None
        self._discarded = 0
        self._paused = False
        self._sent_at = 0.0
        self.exchanges = 0
        self.idle_since = self.opened_at = 0.0
        self.kept = self.gone = self.stale = False

    def __repr__(self) -> str:
        state = "gone" if self.gone else "idle" if self._reader is None else "busy"
        return f"Connection({state}, {self.exchanges} exchanges)"

    # What the pool and the answer call

    def send(self, request: bytes) -> Answer:
        """Write a whole request and return its answer, of which nothing has come yet."""
        endpoint = self._owner.endpoint
        self._reader = ResponseReader(endpoint.max_head)
        self._answer = answer = Answer(self, self._reader, self._loop, endpoint.max_answer)
        self._sent_at = self._loop.time()
        self.exchanges += 1
        if self.gone or self._transport is None:
            self._break("closed before the request")
        else:
            self._transport.write(request)
        return answer

    def resume(self) -> None:
        """Read on after a pause."""
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def drop(self) -> None:
        """Close at once, without a word to the peer; safe to call again."""
        if self.gone:
            return
        self.gone = True
        self._forget_exchange()
        if self._transport is not None:
            self._transport.abort()
        self._owner.left(self)

    def cut(self, error: Exception) -> None:
        """Close at once and let the answer under way end with `error`."""
        answer = self._answer
        if answer is not None:
            answer.broke(error)
        self.drop()

    def discard_rest(self) -> None:
        """Read to the end of an answer that nobody wants, within bounds."""
        self._answer = None
        self._discarded = 0
        self.resume()
        self._release_timer = self._loop.call_later(RELEASED_SECONDS, self.drop)

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open, TLS included."""
        self._transport = transport = cast("asyncio.Transport", transport)
        self.opened_at = self._loop.time()
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX:
            _tune(sock)

    def data_received(self, data: bytes) -> None:
        """The provider has sent bytes."""
        reader = self._reader
        if reader is None:
            # An answer that nobody asked for must never meet a request.
            self.drop()
            return
        answer = self._answer
        try:
            reader.receive(data)
        except AnswerMalformed as error:
            self.cut(error)
            return
        if answer is None:
            self._discard(reader, len(data))
            return
        if reader.pieces and not answer.first_byte_at:
            answer.first_byte_at = time.monotonic_ns()
        if reader.ended:
            self._finish(reader)
            answer.completed()
            return
        if reader.buffered > HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        answer.progressed()

    def eof_received(self) -> None:
        """The provider has closed its side; asyncio closes ours."""
        reader, answer = self._reader, self._answer
        if reader is not None and answer is not None and reader.end_of_input():
            self.drop()
            answer.completed()
        else:
            self._break("closed by the provider")

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is no more."""
        self._break("closed by the provider" if exc is None else "reset by the provider")
        self._transport = None
        self._owner.closed(self)

    # Within

    def _break(self, how: str) -> None:
        reader, answer = self._reader, self._answer
        if reader is not None and answer is not None:
            quick = self._loop.time() - self._sent_at < self._owner.endpoint.stale_within
            self.stale = self.kept and quick and reader.untouched
            where = "within the answer" if reader.headed else "before the answer" if reader.untouched else "in its head"
            answer.broke(ConnectionBroken(f"{how} {where}"))
        self.drop()

    def _finish(self, reader: ResponseReader) -> None:
        """The exchange is over: keep the connection where it is certain that both sides are at a boundary."""
        self._forget_exchange()
        self.resume()
        if reader.keep_alive and not reader.surplus and self._everything_sent():
            self.kept = True
            self._owner.give_back(self)
        else:
            self.drop()

    def _everything_sent(self) -> bool:
        return self._transport is not None and self._transport.get_write_buffer_size() == 0

    def _forget_exchange(self) -> None:
        if self._reader is not None:
            self._reader.stop()
        self._reader = self._answer = None
        timer, self._release_timer = self._release_timer, None
        if timer is not None:
            timer.cancel()

    def _discard(self, reader: ResponseReader, size: int) -> None:
        self._discarded += size
        reader.take()
        if reader.ended:
            self._finish(reader)
        elif self._discarded > RELEASED_BYTES:
            self.drop()


def _tune(sock: socket.socket) -> None:
    """No delay for small writes, and keep-alive probes, where the platform has them."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
