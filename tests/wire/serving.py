"""A real server on loopback, and a client that says raw bytes and reads answers with h11."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import h11
import uvloop

from trunkline.errors import CallError
from trunkline.wire.server import Handler, Server, ServerLimits


def run(main: Coroutine[None, None, None]) -> None:
    """Run a test; twenty seconds mean that it hangs."""

    async def bounded() -> None:
        async with asyncio.timeout(20):
            await main

    uvloop.run(bounded())


async def until(true: Callable[[], bool]) -> None:
    """Let the loop run until something that nobody announces has become true."""
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(0)


@dataclass
class Running:
    """A server, its port, and what it reported."""

    server: Server
    port: int
    refused: list[tuple[CallError, str]] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)


@asynccontextmanager
async def serving(handler: Handler, context: ssl.SSLContext | None = None, **limits: float) -> AsyncIterator[Running]:
    """Serve on a free port of loopback; closes at once at the end."""
    refused, faults = [], []
    server = Server(
        handler,
        ServerLimits(**limits),
        on_refused=lambda error, peer: refused.append((error, peer)),
        on_fault=faults.append,
    )
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    await server.serve(sock, context)
    try:
        yield Running(server, port, refused, faults)
    finally:
        await server.closed(0)
        assert (server.connections, server.in_flight, server.in_flight_bytes) == (0, 0, 0)


@dataclass
class Answer:
    """A whole answer."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Client:
    """One connection: `say` bytes, `hear` an answer, or wait until the server has `hung_up`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._left = b""

    def say(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)

    async def hear(self, method: bytes = b"GET") -> Answer:
        """Read one answer with h11, which checks it; ConnectionError or h11.RemoteProtocolError if it is cut."""
        connection = h11.Connection(h11.CLIENT)
        connection.send(h11.Request(method=method, target="/", headers=[("host", "a")]))
        connection.send(h11.EndOfMessage())
        if self._left:
            connection.receive_data(self._left)
            self._left = b""
        answer = Answer(0, {}, b"")
        body = []
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await self.reader.read(65536))
            elif isinstance(event, h11.Response):
                answer.status, answer.headers = event.status_code, dict(event.headers)
            elif isinstance(event, h11.Data):
                body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                answer.body = b"".join(body)
                self._left = connection.trailing_data[0]
                return answer

    async def hear_until(self, mark: bytes) -> bytes:
        """Read raw bytes up to and including `mark`."""
        return await self.reader.readuntil(mark)

    async def hung_up(self) -> bytes:
        """Wait for the server's end of file; what it had still said."""
        rest = self._left + await self.reader.read()
        self._left = b""
        return rest

    def reset(self) -> None:
        """Leave with a reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.writer.transport.abort()


@asynccontextmanager
async def connected(port: int, context: ssl.SSLContext | None = None, **options: object) -> AsyncIterator[Client]:
    """A client of the server at `port`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, **options)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()
