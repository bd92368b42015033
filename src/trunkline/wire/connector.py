"""Opening a connection: TCP, a proxy's tunnel where there is one, TLS. Foreign errors become ConnectFailed here."""

import asyncio
import os
import re
import socket
import ssl

from trunkline.wire.client_connection import Connection
from trunkline.wire.client_errors import ConnectFailed
from trunkline.wire.dialling import dial
from trunkline.wire.endpoint import Proxy, Route

_TUNNEL_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r]")
MAX_TUNNEL_HEAD = 16 * 1024


async def connect(route: Route, context: ssl.SSLContext | None, connection: Connection) -> None:
    """Open `connection` to where `route` leads; `context` is needed for TLS. Raises ConnectFailed.

    It takes as long as it takes: the caller bounds it, and cancelling leaves nothing open.
    """
    loop = asyncio.get_running_loop()
    try:
        if route.proxy is None:
            sock = await dial(route.host, route.port)
            name = route.host if route.tls else None
            await loop.create_connection(
                lambda: connection, sock=sock, ssl=context if route.tls else None, server_hostname=name
            )
        elif context is None or not route.tls:
            await loop.create_connection(lambda: connection, sock=await dial(route.proxy.host, route.proxy.port))
        else:
            await _connect_through(route, route.proxy, context, connection)
    except OSError as error:
        raise ConnectFailed(_describe(error)) from None


async def _connect_through(route: Route, proxy: Proxy, context: ssl.SSLContext, connection: Connection) -> None:
    """Ask the proxy for a tunnel (RFC 9110, 9.3.6), then speak TLS with the provider inside it."""
    loop = asyncio.get_running_loop()
    tunnel = _Tunnel(loop)
    raw, _ = await loop.create_connection(lambda: tunnel, sock=await dial(proxy.host, proxy.port))
    try:
        name = f"[{route.host}]" if ":" in route.host else route.host
        authority = f"{name}:{route.port}".encode()
        raw.write(b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n%b\r\n" % (authority, authority, proxy.authorization))
        await tunnel.established
        transport = await loop.start_tls(raw, connection, context, server_hostname=route.host)
    except BaseException:
        raw.abort()
        raise
    if transport is None:
        raise ConnectFailed("the proxy closed the tunnel")
    connection.connection_made(transport)


class _Tunnel(asyncio.Protocol):
    """Waits for a proxy's answer to CONNECT; the response has no body, whatever its headers say."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.established: asyncio.Future[None] = loop.create_future()
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """The proxy has sent bytes."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n") + 4
        if end < 4:
            if len(self._buffer) > MAX_TUNNEL_HEAD:
                self._end("the proxy's answer is too large")
            return
        status = _TUNNEL_STATUS.match(self._buffer)
        if status is None:
            self._end("the proxy does not speak HTTP/1.x")
        elif not status[1].startswith(b"2"):
            self._end(f"the proxy answered {status[1].decode()}")
        elif end != len(self._buffer):
            self._end("the proxy sent bytes of its own into the tunnel")
        elif not self.established.done():
            self.established.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The proxy has gone."""
        self._end("the proxy closed the connection" if exc is None else "the proxy reset the connection")

    def _end(self, reason: str) -> None:
        if not self.established.done():
            self.established.set_exception(ConnectFailed(reason))


def _describe(error: OSError) -> str:
    """Return what happened, without addresses: the text may reach the one whose call failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or 'no reason given'}"
    if isinstance(error, socket.gaierror):
        return "the host name was not found"
    if error.errno:
        return os.strerror(error.errno).lower()
    if isinstance(error, ConnectionError):
        return "the connection was closed while it was being opened"
    return "no address of the host could be reached"
