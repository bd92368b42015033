"""The HTTP/1.1 server: takes a listening socket and a handler, and holds what all its connections share."""

import asyncio
import socket
import ssl as tls
import time
from collections.abc import Callable

from trunkline.errors import CallError
from trunkline.wire.http import AnswerHeads
from trunkline.wire.in_flight import InFlightBytes
from trunkline.wire.limits import ServerLimits
from trunkline.wire.owner import Handler, Member
from trunkline.wire.request import Request
from trunkline.wire.responder import Responder
from trunkline.wire.server_connection import Connection
from trunkline.wire.tls_listener import TlsListener

__all__ = ["Handler", "Request", "Responder", "Server", "ServerLimits"]

# Connections above `max_connections` that may wait at the same time to be told so; the ones above these are cut.
# Over TLS nobody can be told before the handshake: until then a connection counts, and above these it is cut at once.
REFUSALS = 256
BACKLOG = 4096
# Deadlines of connections are looked at this often; they are met this much late at most.
SWEEP_SECONDS = 1.0
# A client that vanished without a word is noticed by the kernel's probes after about this long, in seconds.
PROBE_AFTER = 60
PROBE_EVERY = 15
PROBES = 4
# Handlers that were cut may take this long to put their affairs in order.
SETTLE_SECONDS = 5.0


class Server:
    """Serves requests with `handler`: one task per request, one request of a connection at a time.

    The handler is cancelled as soon as its client leaves before the answer is finished. `on_refused` is called with the
    error and the peer (`address:port`) for each request that the wire itself refused, `on_fault` with what a handler
    raised and should not have. Create and use it within a running event loop.
    """

    def __init__(
        self,
        handler: Handler,
        limits: ServerLimits,
        *,
        on_refused: Callable[[CallError, str], None] | None = None,
        on_fault: Callable[[Exception], None] | None = None,
    ) -> None:
        self.handler = handler
        self._limits = limits
        self.loop = asyncio.get_running_loop()
        self.held_bytes = InFlightBytes(limits.max_in_flight_bytes)
        self.heads = AnswerHeads(time.time())
        self.draining = False
        self.in_flight = 0
        self._on_refused = on_refused
        self._on_fault = on_fault
        self._open: set[Member] = set()
        self._listeners: list[asyncio.Server | TlsListener] = []
        self._sweeper: asyncio.TimerHandle | None = None
        self._sweep_seconds = _sweep_seconds(limits)
        self._changed: asyncio.Future[None] | None = None

    @property
    def limits(self) -> ServerLimits:
        """The limits in force; what is set here holds for times at once, for sizes from the next connection on."""
        return self._limits

    @limits.setter
    def limits(self, limits: ServerLimits) -> None:
        self._limits = limits
        self.held_bytes.limit = limits.max_in_flight_bytes
        self._sweep_seconds = _sweep_seconds(limits)

    @property
    def connections(self) -> int:
        """Connections that are open, those that are still shaking hands included."""
        shaking = sum(listener.handshakes for listener in self._listeners if isinstance(listener, TlsListener))
        return len(self._open) + shaking

    @property
    def in_flight_bytes(self) -> int:
        """Bytes of requests that are held for handlers, or on their way to one."""
        return self.held_bytes.used

    async def serve(self, sock: socket.socket, ssl: tls.SSLContext | None) -> None:
        """Begin to accept on `sock`, which is listening; returns at once. May be called for several sockets."""
        if sock.family in {socket.AF_INET, socket.AF_INET6}:
            _probe_silent_peers(sock)
        if ssl is None:
            self._listeners.append(await self.loop.create_server(lambda: Connection(self), sock=sock, backlog=BACKLOG))
        else:
            self._listeners.append(
                TlsListener(
                    sock, ssl, lambda: Connection(self), lambda: self.limits.header_timeout, self._has_room_at_the_door
                )
            )
        if self._sweeper is None:
            self._sweep()

    def drain(self) -> None:
        """Stop keep-alive: idle connections are closed, and so is each of the others after its next answer.

        New connections are still accepted, so that the handler can tell their callers to go elsewhere.
        """
        self.draining = True
        for connection in list(self._open):
            connection.close_if_idle()

    async def closed(self, deadline: float, on_cut: Callable[[], None] | None = None) -> None:
        """Drain, wait for the requests in flight, and close everything; at `deadline` (loop time) cut what is left.

        `on_cut` is called before requests that are still in flight are cut.
        """
        self.drain()
        await self._until(lambda: not self.in_flight, deadline)
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for connection in list(self._open):
            connection.close_if_answered()
        await self._until(lambda: not self._open, deadline)
        if self.in_flight and on_cut is not None:
            on_cut()
        for connection in list(self._open):
            connection.abort()
        await self._until(lambda: not self._open and not self.in_flight, self.loop.time() + SETTLE_SECONDS)
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    # What the connections call

    def _has_room_at_the_door(self) -> bool:
        return self.connections < self.limits.max_connections + REFUSALS

    def connection_opened(self, connection: Member) -> bool:
        """Count a connection; False where there are too many."""
        self._open.add(connection)
        if len(self._open) > self.limits.max_connections + REFUSALS:
            connection.abort()
        return len(self._open) <= self.limits.max_connections

    def connection_closed(self, connection: Member) -> None:
        """Forget a connection."""
        self._open.discard(connection)
        self._notify()

    def call_started(self) -> None:
        """Count a request whose handler starts."""
        self.in_flight += 1

    def call_ended(self) -> None:
        """Count a request whose handler has ended."""
        self.in_flight -= 1
        self._notify()

    def refused(self, error: CallError, peer: str) -> None:
        """Take note of a request that no handler saw."""
        if self._on_refused is not None:
            self._on_refused(error, peer)

    def faulted(self, error: Exception) -> None:
        """Take note of an error that a handler should not have raised."""
        if self._on_fault is not None:
            self._on_fault(error)

    # Time

    def _sweep(self) -> None:
        """Expire what is due: one timer for all connections, for most deadlines are moved long before they pass."""
        now = self.loop.time()
        self.heads.refresh(time.time())
        for connection in [connection for connection in self._open if connection.deadline <= now]:
            connection.expire(now)
        self._sweeper = self.loop.call_later(self._sweep_seconds, self._sweep)

    async def _until(self, done: Callable[[], bool], deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                while not done():
                    await self._change()
        except TimeoutError:
            pass

    async def _change(self) -> None:
        if self._changed is None:
            self._changed = self.loop.create_future()
        # Shielded: others may wait for the same change.
        await asyncio.shield(self._changed)

    def _notify(self) -> None:
        changed, self._changed = self._changed, None
        if changed is not None:
            changed.set_result(None)


def _sweep_seconds(limits: ServerLimits) -> float:
    return min(SWEEP_SECONDS, limits.header_timeout / 2, limits.idle_timeout / 2)


def _probe_silent_peers(sock: socket.socket) -> None:
    """Accepted sockets inherit these from the listening one (Linux)."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_AFTER)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_EVERY)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
