"""Serving the admin API: on a socket in the data directory for this machine's commands, and on the console's port.

Who may ask: on the socket, whom the file's mode lets in (its owner and root); on the port, who shows the token of an
operator. Both are bounded in the size of a request, the number of connections and their time.
"""

import contextlib
import hashlib
import logging
import socket
import struct
from asyncio import Transport
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from trunkline.control.admission import CALLER
from trunkline.control.refusals import AdminRefusals
from trunkline.control.roles import Caller
from trunkline.control.users import user_name
from trunkline.model.operators import Operator
from trunkline.operations import OperationalLog

MAX_BODY = 64 * 1024
# Files: a directory of a hundred thousand users has some 7 MB.
MAX_FILE_BODY = 40_000_000
MAX_BODIES = {"/api/users": MAX_FILE_BODY, "/api/costs/import": MAX_FILE_BODY}
MAX_CONNECTIONS = 64
IDLE_SECONDS = 5
PEER_CREDENTIALS = struct.Struct("3i")

Scope = dict[str, Any]


class PeerProtocol(HttpToolsProtocol):
    """Names the caller of a Unix socket by its user, as the kernel vouches for it."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Take the peer's user id for its address."""
        super().connection_made(transport)
        peer = transport.get_extra_info("socket")
        raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER_CREDENTIALS.size)
        _, uid, _ = PEER_CREDENTIALS.unpack(raw)
        self.client = (user_name(uid), 0)


class AdminServer(uvicorn.Server):
    """A server within a process that has its own signal handling."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process."""
        yield


class Guarded:
    """Lets requests through that may come in: not too large, and on the port from somebody with a good token.

    Says in the scope who it is (`admission.CALLER`); `operators` has them by the digests of their tokens, None on the
    socket, where the kernel says who it is. Who has no good token is counted in `refusals`.
    """

    def __init__(
        self, app: Any, refusals: AdminRefusals, operators: Callable[[], Mapping[str, Operator]] | None
    ) -> None:
        self._app, self._refusals, self._operators = app, refusals, operators

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            return
        caller = _account(scope) if self._operators is None else _operator(scope, self._operators())
        if caller is None:
            self._refusals.add(401)
            await _refuse(send, 401, "Authorization: Bearer with an operator's token is needed", b"Bearer")
            return
        most = MAX_BODIES.get(scope["path"], MAX_BODY)
        if _length(scope, most) > most:
            await _refuse(send, 413, f"the body is above {most:,} bytes")
            return
        await self._app(scope | {CALLER: caller}, receive, send)


def server(app: Any, protocol: type[HttpToolsProtocol]) -> AdminServer:
    """Return a server for an app, to be given its sockets."""
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=1,
    )
    return AdminServer(config)


class Reports(logging.Handler):
    """Passes what the server library reports to the operational log."""

    def __init__(self, log: OperationalLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one report."""
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        self._log.event("warning", "admin_server", message=record.getMessage().partition("\n")[0], kind=kind)


def _account(scope: Scope) -> Caller:
    """Return the account of this machine that asks over the socket; it may do what the files' modes let it do."""
    client = scope.get("client")
    return Caller(client[0] if client else "unknown", None)


def _operator(scope: Scope, operators: Mapping[str, Operator]) -> Caller | None:
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(given) != 1:
        return None
    scheme, _, token = given[0].partition(b" ")
    # Found by its digest, so that the time tells nothing about a token, not even its length.
    found = operators.get(hashlib.sha256(token.strip()).hexdigest())
    return Caller(found.who, found.role) if found is not None and scheme.lower() == b"bearer" else None


def _length(scope: Scope, most: int) -> int:
    """Return the announced length of the body; a chunked one counts as too large, for no command sends one."""
    headers = dict(scope["headers"])
    if b"transfer-encoding" in headers:
        return most + 1
    length = headers.get(b"content-length", b"0")
    return int(length) if length.isdigit() and len(length) < 12 else most + 1


async def _refuse(send: Any, status: int, message: str, challenge: bytes | None = None) -> None:
    body = b'{"error": {"message": "%s", "problems": []}}' % message.encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    if challenge is not None:
        headers.append((b"www-authenticate", challenge))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
