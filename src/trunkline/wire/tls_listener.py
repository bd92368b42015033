"""Accepting over TLS: who is shaking hands takes a place, as who is connected does.

`loop.create_server` would accept and shake hands on its own, and say nothing of a connection before it is secure: any
number of clients could then begin a handshake and leave it at that.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial

# Accepted at one wake-up at most, so that a crowd at the door does not keep those inside waiting.
ACCEPT_AT_ONCE = 64
# After the process has run out of descriptors, or the system of memory, it is tried again this much later. Seconds.
ACCEPT_AGAIN = 0.5


class TlsListener:
    """Accepts on one listening socket. `has_room` says whether one more may shake hands; who may not is cut."""

    def __init__(
        self,
        sock: socket.socket,
        context: ssl.SSLContext,
        protocol: Callable[[], asyncio.Protocol],
        handshake_timeout: Callable[[], float],
        has_room: Callable[[], bool],
    ) -> None:
        self._sock, self._context, self._protocol = sock, context, protocol
        self._handshake_timeout, self._has_room = handshake_timeout, has_room
        self._loop = asyncio.get_running_loop()
        self._shaking: set[asyncio.Task[None]] = set()
        self._again: asyncio.TimerHandle | None = None
        sock.settimeout(0)
        self._listen()

    @property
    def handshakes(self) -> int:
        """Connections that are not secure yet."""
        return len(self._shaking)

    def close(self) -> None:
        """Accept no more, and cut whoever is shaking hands."""
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()
        for task in self._shaking:
            task.cancel()

    def _listen(self) -> None:
        self._again = None
        self._loop.add_reader(self._sock, self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPT_AT_ONCE):
            try:
                client, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._loop.remove_reader(self._sock)
                self._again = self._loop.call_later(ACCEPT_AGAIN, self._listen)
                return
            if not self._has_room():
                client.close()
                continue
            task = self._loop.create_task(self._shake(client))
            self._shaking.add(task)
            task.add_done_callback(partial(self._shaken, client))

    async def _shake(self, client: socket.socket) -> None:
        """Become secure; from there on the connection has its own protocol, and its own limits."""
        client.settimeout(0)
        # What fails here is the client's affair: it leaves, speaks no TLS, or is too slow.
        with suppress(OSError):
            await self._loop.connect_accepted_socket(
                self._protocol, client, ssl=self._context, ssl_handshake_timeout=self._handshake_timeout()
            )

    def _shaken(self, client: socket.socket, task: asyncio.Task[None]) -> None:
        self._shaking.discard(task)
        if task.cancelled():
            client.close()  # a task that was cancelled before its first step has handed it to nobody
