"""What the supervisor tells a worker and hears from it: one JSON object a line over a socket pair."""

import asyncio
import socket
from collections.abc import AsyncIterator

import msgspec

from trunkline.model.snapshot import Secrets

LINE_LIMIT = 1 << 20  # bytes; secrets of many providers fit, a snapshot travels as a file


class Load(msgspec.Struct, frozen=True, tag_field="do", tag="load"):
    """Put the snapshot at this path in force. `secrets` are what only the providers may be told."""

    snapshot: str
    digest: str
    secrets: Secrets


class Drain(msgspec.Struct, frozen=True, tag_field="do", tag="drain"):
    """Take no more calls and end within this many seconds."""

    deadline: float


Order = Load | Drain
_decode = msgspec.json.Decoder(Order).decode
_encode = msgspec.json.Encoder().encode


class Channel:
    """The worker's end of the socket pair."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def on(cls, fd: int) -> "Channel":
        """Return a channel on an inherited file descriptor."""
        pair = socket.socket(fileno=fd)
        pair.settimeout(0)
        return cls(*await asyncio.open_unix_connection(sock=pair, limit=LINE_LIMIT))

    async def orders(self) -> AsyncIterator[Order]:
        """Yield what the supervisor asks for until it goes away; a line that makes no sense ends the channel."""
        while True:
            try:
                line = await self._reader.readuntil(b"\n")
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
                return
            yield _decode(line)

    def tell(self, event: str, **facts: object) -> None:
        """Tell the supervisor something."""
        if not self._writer.is_closing():
            self._writer.write(_encode({"event": event, **facts}) + b"\n")
