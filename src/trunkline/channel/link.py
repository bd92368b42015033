"""One end of a channel: messages in, messages out, neither without bound."""

import asyncio
import socket
from typing import Any, Generic, TypeVar

import msgspec

# The largest message holds the secrets of every provider; a snapshot travels as a file.
MAX_MESSAGE = 1024 * 1024
# A process that reads nothing for so long that this much waits for it is not going to.
MAX_WAITING = 4 * MAX_MESSAGE
LAST_WORDS = 1.0

Incoming = TypeVar("Incoming")


class LinkBroken(Exception):
    """The other end sent what is no message, or takes none; it can't be worked with."""


class Link(Generic[Incoming]):
    """Sends and receives messages over a connected stream socket.

    Use within one event loop. `receive` returns None once the other end has gone; `send` then does nothing.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, incoming: Any) -> None:
        self._reader, self._writer = reader, writer
        self._decoder: msgspec.json.Decoder[Incoming] = msgspec.json.Decoder(incoming)

    @classmethod
    async def open(cls, sock: socket.socket, incoming: Any) -> "Link[Incoming]":
        """Take over a socket; `incoming` is the union of messages that may come."""
        sock.settimeout(0)
        reader, writer = await asyncio.open_connection(sock=sock, limit=MAX_MESSAGE)
        return cls(reader, writer, incoming)

    def send(self, message: msgspec.Struct) -> None:
        """Send a message without waiting; raises LinkBroken where it is too large or too much waits already."""
        data = msgspec.json.encode(message)
        if len(data) >= MAX_MESSAGE:
            raise LinkBroken(f"a message of {len(data):,} bytes is above the bound of {MAX_MESSAGE:,}")
        if self._writer.transport.get_write_buffer_size() > MAX_WAITING:
            raise LinkBroken("the other end does not read")
        if not self._writer.is_closing():
            self._writer.write(data + b"\n")

    async def receive(self) -> Incoming | None:
        """Return the next message, None at the end; raises LinkBroken for what is none."""
        try:
            line = await self._reader.readuntil(b"\n")
        except (asyncio.IncompleteReadError, OSError):
            return None
        except asyncio.LimitOverrunError as error:
            raise LinkBroken(f"a message is above the bound of {MAX_MESSAGE:,} bytes") from error
        try:
            return self._decoder.decode(line)
        except msgspec.MsgspecError as error:
            # The decoder names the field, never its value; the line itself may hold secrets and is not kept.
            raise LinkBroken(f"not a message: {error}") from None

    async def close(self, seconds: float = LAST_WORDS) -> None:
        """Close this end; what was sent has so long to go out."""
        self._writer.close()
        try:
            async with asyncio.timeout(seconds):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()
