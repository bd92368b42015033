"""A forward proxy on loopback: relays, and keeps the heads that it was sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Proxy:
    """`heads` are those sent to the proxy itself; `answer` replaces its good answer to CONNECT."""

    port: int = 0
    heads: list[bytes] = field(default_factory=list)
    answer: bytes = b"HTTP/1.1 200 Connection established\r\ncontent-length: 9\r\n\r\n"
    relays: bool = True
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        method, target, _ = head.split(b" ", 2)
        if method == b"CONNECT":
            writer.write(self.answer)
            if not self.relays:
                await reader.read(-1)
                return
            host, port = target.decode().rsplit(":", 1)
            first = b""
        else:
            url = urlsplit(target.decode())
            host, port = str(url.hostname), str(url.port)
            first = head.replace(target, url.path.encode())
        upstream, onward = await asyncio.open_connection(host, int(port))
        try:
            onward.write(first)
            await asyncio.wait(
                [asyncio.ensure_future(relay(reader, onward)), asyncio.ensure_future(relay(upstream, writer))]
            )
        finally:
            onward.transport.abort()
            with suppress(ConnectionError):
                await onward.wait_closed()


async def relay(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.transport.abort()


@asynccontextmanager
async def proxying() -> AsyncIterator[Proxy]:
    proxy = Proxy()
    server = await asyncio.start_server(proxy.take, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        if proxy.tasks:
            await asyncio.wait(proxy.tasks)
        await server.wait_closed()
