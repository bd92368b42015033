"""The connections to one provider: hands one to each exchange, keeps idle ones, and opens some ahead of need."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable

from trunkline.wire.answer import Answer
from trunkline.wire.client_connection import Connection
from trunkline.wire.client_errors import ConnectFailed, ConnectionBroken, PoolClosed, PoolExhausted, WireError
from trunkline.wire.client_tls import client_context
from trunkline.wire.connector import connect
from trunkline.wire.endpoint import Endpoint, check_headers, route_of
from trunkline.wire.warmth import SETTLED, Warmth

# How often idle connections are looked at: this, or several times within a shorter idle timeout.
SWEEP_SECONDS = 1.0
SWEEPS_PER_IDLE_TIMEOUT = 4
# A warm connection is replaced before it is too old, so that there is no moment without one.
REPLACE_AHEAD = 0.1
# Request heads kept ready, and header blocks known to be good: a provider has a handful of targets and keys.
MAX_KEPT = 64
_Waiter = asyncio.Future[Connection | None]


def _nobody_asks() -> None:
    """Do nothing with the news that a request has been sent."""


class Pool:
    """All connections to one endpoint, at most `max_connections`; used by one event loop.

    A place is counted from the moment a connection begins to be opened until it is dropped. When all places are taken
    callers wait in order; what becomes free is handed to the first of them, never to a newcomer. So while somebody
    waits nothing is idle, and a caller that gives up passes on what it had been handed.
    """

    def __init__(self, endpoint: Endpoint, *, context: ssl.SSLContext | None = None) -> None:
        """Raise ValueError where the endpoint's URLs or certificates cannot be used; open nothing yet.

        `context` replaces the one that is made from `ca_bundle` or the system's certificates.
        """
        self.endpoint = endpoint
        self._route = route_of(endpoint)
        self._context = context if context is not None or not self._route.tls else client_context(endpoint.ca_bundle)
        self._heads: dict[bytes, bytes] = {}
        self._checked_headers: set[bytes] = set()
        self._idle: list[Connection] = []  # in the order of `idle_since`; the last one is used first
        self._open: set[Connection] = set()
        self._opening = 0
        self._leaving: set[Connection] = set()  # dropped, their sockets not closed yet
        self._waiters: deque[_Waiter] = deque()
        self._warmth = Warmth(endpoint.keep_warm)
        self._warming: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._sweep_every = min(SWEEP_SECONDS, endpoint.idle_timeout / SWEEPS_PER_IDLE_TIMEOUT)
        self._all_gone: asyncio.Event | None = None
        self._retired = self._closed = False

    def __repr__(self) -> str:
        state = ", closed" if self._closed else ", retired" if self._retired else ""
        return (
            f"Pool({self.endpoint.base_url}: {self.busy} busy, {self.idle} idle, {self._opening} opening, "
            f"{self.waiting} waiting{state})"
        )

    @property
    def connections(self) -> int:
        """Open connections, and those being opened."""
        return len(self._open) + self._opening

    @property
    def idle(self) -> int:
        """Connections that wait for an exchange."""
        return len(self._idle)

    @property
    def busy(self) -> int:
        """Connections with an exchange under way."""
        return len(self._open) - len(self._idle)

    @property
    def waiting(self) -> int:
        """Callers that wait for a connection to become free."""
        return sum(not waiter.done() for waiter in self._waiters)

    async def ask(
        self,
        target: bytes,
        headers: bytes,
        body: bytes,
        *,
        connect_timeout: float | None = None,
        on_sent: Callable[[], None] = _nobody_asks,
    ) -> Answer:
        """POST `body` to `target`, which is appended to the base URL's path; return when the answer's head has come.

        `headers` are ready lines, each with its CRLF, without host, content-length, accept-encoding and connection.
        `connect_timeout`, in seconds, bounds the wait for a connection instead of the endpoint's own. There is no
        other time limit: cancel the waiting task, which aborts the connection at once. One timer that does so can
        bound the connection, the head and the pieces after it alike; it may as well call `Answer.fail`, once there is
        an answer. `on_sent` is called when there is a connection and the request has been handed to it.

        Redirects are answers like any other. Raises ConnectFailed, PoolExhausted and PoolClosed (nothing was sent),
        ConnectionBroken, AnswerMalformed; ValueError for a target or headers that would break the message.
        """
        request = self._request(target, headers, body)
        connection = self._idle.pop() if self._idle else await self._obtain(connect_timeout)
        try:
            answer = connection.send(request)
            on_sent()
            return await answer.headed()
        except ConnectionBroken:
            # RFC 9112, 9.3.1: a client may try again what it knows the server has not begun.
            if not connection.stale:
                raise
        # The other idle ones may have died with it, so this is asked on a new one.
        connection = await self._obtain(connect_timeout)
        return await connection.send(request).headed()

    async def warm(self) -> None:
        """Open `keep_warm` idle connections, and keep them open from here on; return when each was tried once.

        A provider that cannot be reached is no error here: it is tried again, ever more slowly.
        """
        self._sweep()
        if self._warming:
            await asyncio.wait(self._warming)

    def retire(self) -> None:
        """Keep nothing open any more: what is idle closes now, what is busy when its answer has ended.

        Asking remains possible, for calls that began before.
        """
        self._retired = True
        self._stop_sweeping()
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.drop()

    async def close(self) -> None:
        """Close everything now, and return when the sockets are closed.

        Answers under way raise ConnectionBroken, waiting callers PoolClosed; so do those whose connection is being
        opened, as soon as that has ended.
        """
        self._closed = True
        self.retire()
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(PoolClosed())
        for task in self._warming:
            task.cancel()
        if self._warming:
            await asyncio.wait(self._warming)
        for connection in list(self._open):
            connection.cut(ConnectionBroken("the pool was closed"))
        if self._leaving:
            self._all_gone = asyncio.Event()
            await self._all_gone.wait()

    # What a connection calls

    def give_back(self, connection: Connection) -> None:
        """Hand a connection to the first that waits, or keep it."""
        if self._retired:
            connection.drop()
            return
        connection.kept = True
        waiter = self._next_waiter()
        if waiter is not None:
            waiter.set_result(connection)
            return
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.append(connection)
        if self._sweeper is None:
            self._sweep_later()

    def left(self, connection: Connection) -> None:
        """Count a connection as gone."""
        if connection not in self._open:
            return
        self._open.remove(connection)
        self._leaving.add(connection)
        if connection in self._idle:
            # Not by our wish: what the pool itself closes it takes from the idle ones first.
            self._idle.remove(connection)
            self._check_lasting(connection)
        self._place_freed()

    def closed(self, connection: Connection) -> None:
        """Take note that a socket is closed."""
        self._leaving.discard(connection)
        if self._all_gone is not None and not self._leaving:
            self._all_gone.set()

    # Requests

    def _request(self, target: bytes, headers: bytes, body: bytes) -> bytes:
        if headers not in self._checked_headers:
            if len(self._checked_headers) >= MAX_KEPT:
                self._checked_headers.clear()
            check_headers(headers)
            self._checked_headers.add(headers)
        head = self._heads.get(target)
        if head is None:
            if len(self._heads) >= MAX_KEPT:
                self._heads.clear()
            head = self._heads[target] = self._route.head(target)
        return b"%b%bcontent-length: %d\r\n\r\n%b" % (head, headers, len(body), body)

    # Connections and places

    async def _obtain(self, seconds: float | None) -> Connection:
        """Return a connection for an exchange: a new one, or the next that becomes free."""
        if self._closed:
            raise PoolClosed
        allowed = self.endpoint.connect_timeout if seconds is None else seconds
        deadline = asyncio.get_running_loop().time() + allowed
        if self._idle and self.connections >= self.endpoint.max_connections:
            self._idle.pop(0).drop()
        if self.connections < self.endpoint.max_connections:
            self._opening += 1
        else:
            handed = await self._wait_for_turn(deadline)
            if handed is not None:
                return handed
        return await self._connect(deadline)

    async def _connect(self, deadline: float) -> Connection:
        """Open a connection; the caller has taken its place already, by counting one more as opening."""
        connection = Connection(self, asyncio.get_running_loop())
        try:
            async with asyncio.timeout_at(deadline):
                await connect(self._route, self._context, connection)
        except TimeoutError:
            self._give_up_place()
            raise ConnectFailed("not in time") from None
        except BaseException:
            self._give_up_place()
            raise
        if connection.gone:
            # It was closed before this task had its turn.
            self._give_up_place()
            raise ConnectFailed("closed by the provider at once")
        self._opening -= 1
        self._open.add(connection)
        if self._closed:
            connection.drop()
            raise PoolClosed
        return connection

    def _give_up_place(self) -> None:
        self._opening -= 1
        self._place_freed()

    def _place_freed(self) -> None:
        """Let the first that waits open a connection in the place that has become free."""
        if self.connections < self.endpoint.max_connections:
            waiter = self._next_waiter()
            if waiter is not None:
                self._opening += 1
                waiter.set_result(None)

    # The queue

    async def _wait_for_turn(self, deadline: float) -> Connection | None:
        """Return a connection that was handed over, or None: a place to open one, counted already."""
        if len(self._waiters) >= self.endpoint.max_waiting:
            raise PoolExhausted(f"{self.endpoint.max_waiting} callers wait already")
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout_at(deadline):
                return await waiter
        except BaseException as error:
            self._leave_queue(waiter)
            if isinstance(error, TimeoutError):
                raise PoolExhausted(f"all {self.endpoint.max_connections} connections are in use") from None
            raise

    def _leave_queue(self, waiter: _Waiter) -> None:
        """Give up waiting; what had been handed over a moment before goes to the next."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        if waiter.cancelled() or not waiter.done() or waiter.exception() is not None:
            return
        connection = waiter.result()
        if connection is None:
            self._give_up_place()
        elif not connection.gone:
            self.give_back(connection)

    def _next_waiter(self) -> _Waiter | None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                return waiter
        return None

    # Upkeep

    def _sweep(self) -> None:
        """Close what was idle for too long, open what is wanted ahead of need, and look again later."""
        self._stop_sweeping()
        if self._retired:
            return
        now = asyncio.get_running_loop().time()
        allowed = self.endpoint.idle_timeout
        while self._idle and now - self._idle[0].idle_since >= allowed:
            self._idle.pop(0).drop()
        young = sum(now - connection.idle_since < allowed * (1 - REPLACE_AHEAD) for connection in self._idle)
        for _ in range(self._warmth.shortage(now, young + len(self._warming))):
            task = asyncio.get_running_loop().create_task(self._open_ahead(now + self.endpoint.connect_timeout))
            self._warming.add(task)
            task.add_done_callback(self._warming.discard)
        if self._idle or self._warmth.wanted:
            self._sweep_later()

    def _sweep_later(self) -> None:
        self._sweeper = asyncio.get_running_loop().call_later(self._sweep_every, self._sweep)

    def _stop_sweeping(self) -> None:
        sweeper, self._sweeper = self._sweeper, None
        if sweeper is not None:
            sweeper.cancel()

    async def _open_ahead(self, deadline: float) -> None:
        # The place is taken here and not before: a task that is cancelled before it begins would never free it.
        if self.connections >= self.endpoint.max_connections:
            return
        self._opening += 1
        try:
            connection = await self._connect(deadline)
        except WireError:
            self._warmth.failed(asyncio.get_running_loop().time())
        else:
            self.give_back(connection)

    def _check_lasting(self, connection: Connection) -> None:
        """An idle connection has died; one that was never used and did not last is as bad as none."""
        now = asyncio.get_running_loop().time()
        if not connection.exchanges and now - connection.opened_at < SETTLED and not self._retired:
            self._warmth.failed(now)
