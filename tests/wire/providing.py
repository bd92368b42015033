"""A provider on loopback that says exactly what a test tells it to, and reads requests with h11."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import h11
from serving import until

from trunkline.wire.client import Answer, Endpoint, Pool

HEADERS = b"content-type: application/json\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def until_next_turn() -> None:
    """Let the loop look at its sockets once."""
    turns = iter([False, True])
    await until(lambda: next(turns))


@dataclass(frozen=True)
class Received:
    """A request as h11 understood it."""

    line: bytes
    headers: dict[bytes, bytes]
    body: bytes


class Peer:
    """The provider's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=1_000_000)

    async def request(self) -> Received:
        """The next request on this connection."""
        if self._h11.their_state is h11.DONE:
            self._h11.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            self._h11.send(h11.EndOfMessage())
            self._h11.start_next_cycle()
        head = None
        body: list[bytes] = []
        while True:
            event = self._h11.next_event()
            if event is h11.NEED_DATA:
                data = await self._reader.read(65536)
                if not data:
                    raise ConnectionError("the client has closed the connection")
                self._h11.receive_data(data)
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                return Received(head.method + b" " + head.target, dict(head.headers), b"".join(body))
            else:
                raise ConnectionError(f"instead of a request came {event}")

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def sent(self) -> None:
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()

    def half_close(self) -> None:
        self._writer.write_eof()

    def reset(self) -> None:
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def gone(self) -> bytes:
        """Wait until the client has closed; return what it still sent."""
        with suppress(ConnectionError):
            return await self._reader.read(-1)
        return b""

    async def raw(self, separator: bytes = b"\r\n\r\n") -> bytes:
        """Bytes as they came, for what is no request to a provider."""
        return await self._reader.readuntil(separator)

    @property
    def streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return self._reader, self._writer


class Provider:
    """Accepts connections and hands them to the test in the order in which they came."""

    def __init__(self, answer_all: bytes) -> None:
        self._answer_all = answer_all
        self._accepted: asyncio.Queue[Peer] = asyncio.Queue()
        self.peers: list[Peer] = []
        self.port = 0

    async def peer(self) -> Peer:
        return await self._accepted.get()

    def endpoint(self, **settings: object) -> Endpoint:
        """An endpoint that leads here, with times that a busy machine does not exceed."""
        usual: dict[str, object] = {"connect_timeout": 15.0, "stale_within": 15.0}
        return Endpoint(**({"base_url": f"http://127.0.0.1:{self.port}/v1"} | usual | settings))  # type: ignore[arg-type]

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        self.peers.append(peer)
        if not self._answer_all:
            self._accepted.put_nowait(peer)
            return
        with suppress(ConnectionError):
            while True:
                await peer.request()
                peer.send(self._answer_all)


@asynccontextmanager
async def providing(
    context: ssl.SSLContext | None = None, port: int = 0, answer_all: bytes = b""
) -> AsyncIterator[Provider]:
    """Listen on loopback; with `answer_all`, answer every request with that instead of handing out connections."""
    provider = Provider(answer_all)
    server = await asyncio.start_server(provider.take, "127.0.0.1", port, ssl=context, limit=1_000_000)
    provider.port = server.sockets[0].getsockname()[1]
    try:
        yield provider
    finally:
        server.close()
        for peer in provider.peers:
            peer.streams[1].transport.abort()
        for peer in provider.peers:
            with suppress(ConnectionError, ssl.SSLError):
                await peer.streams[1].wait_closed()
        await server.wait_closed()


@asynccontextmanager
async def pooling(endpoint: Endpoint, context: ssl.SSLContext | None = None) -> AsyncIterator[Pool]:
    """A pool that must have nothing open, waiting or running when the test is over."""
    pool = Pool(endpoint, context=context)
    others = asyncio.all_tasks()
    try:
        yield pool
    finally:
        await pool.close()
        assert (pool.connections, pool.idle, pool.busy, pool.waiting) == (0, 0, 0, 0)
        mine = {task for task in asyncio.all_tasks() - others if "Pool" in repr(task.get_coro())}
        assert not mine


def asking(pool: Pool, body: bytes = b"{}", **settings: float) -> asyncio.Task[Answer]:
    """Ask in a task of its own, so that the test can play the provider meanwhile."""
    return asyncio.create_task(pool.ask(b"/chat", HEADERS, body, **settings))


async def answered(
    pool: Pool, provider: Provider, response: bytes = OK, peer: Peer | None = None
) -> tuple[Peer, bytes]:
    """One whole exchange, on a connection that is new to the provider unless `peer` is given."""
    task = asking(pool)
    peer = peer or await provider.peer()
    await peer.request()
    peer.send(response)
    answer = await task
    body = await answer.read()
    await until(lambda: pool.busy == 0)
    return peer, body


async def several(pool: Pool, provider: Provider, count: int) -> list[Peer]:
    """Bring the pool to `count` idle connections; return the provider's ends, the longest idle first."""
    tasks, peers = [], []
    for _ in range(count):
        tasks.append(asking(pool))
        peers.append(await provider.peer())
        await peers[-1].request()
    for task, peer in zip(tasks, peers, strict=True):
        idle = pool.idle
        peer.send(OK)
        await (await task).read()
        await until(lambda idle=idle: pool.idle == idle + 1)
    return peers
