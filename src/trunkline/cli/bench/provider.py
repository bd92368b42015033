"""The fake provider: `python -m trunkline.cli.bench.provider --deltas N --rate R`.

Speaks OpenAI's chat completions, without delay: an answer at once, or a stream whose first delta comes at once and the
others at their pace. Prints its port when it listens, and ends on SIGTERM or when its standard input closes.
`trunkline.simulator` is the one to test with; this one does only what a measurement needs, and so costs little itself.
"""

import argparse
import asyncio
import gc
import signal
import sys

import httptools
import msgspec
import uvloop

from trunkline.cli.bench.places import allow_many_connections
from trunkline.cli.bench.transcript import Transcript, transcript

NOT_FOUND = b'{"error":{"message":"Only POST /v1/chat/completions is answered.","type":"invalid_request_error"}}'
BACKLOG = 4096


class _StreamOptions(msgspec.Struct):
    include_usage: bool = False


class _Asked(msgspec.Struct):
    """What of a request decides how it is answered."""

    model: str
    messages: list[msgspec.Raw]
    stream: bool = False
    stream_options: _StreamOptions | None = None


_read = msgspec.json.Decoder(_Asked).decode


class Connection(asyncio.Protocol):
    """One keep-alive connection; a request begins after the answer to the last one has ended."""

    def __init__(self, said: Transcript, interval: float) -> None:
        self._said, self._interval = said, interval
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._body: list[bytes] = []
        self._next: asyncio.TimerHandle | None = None
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; the answers are written to `transport`."""
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]

    def connection_lost(self, _: Exception | None) -> None:
        """Stop what streams; the parser and this connection hold each other."""
        if self._next is not None:
            self._next.cancel()
        del self._parser

    def data_received(self, data: bytes) -> None:
        """Take bytes; what is no HTTP ends the connection."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_url(self, url: bytes) -> None:
        """Begin a request (called by the parser)."""
        self._path = url
        self._body.clear()

    def on_body(self, body: bytes) -> None:
        """Take a piece of its body (called by the parser)."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Answer it (called by the parser)."""
        if self._path != b"/v1/chat/completions":
            self._refuse(404)
            return
        try:
            asked = _read(b"".join(self._body))
        except msgspec.DecodeError:
            self._refuse(400)
            return
        if asked.stream:
            usage = asked.stream_options is not None and asked.stream_options.include_usage
            self._stream(self._said.closing_with_usage if usage else self._said.closing)
        else:
            self._transport.write(self._said.answer)

    def _refuse(self, status: int) -> None:
        head = b"HTTP/1.1 %d No\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self._transport.write(head % (status, len(NOT_FOUND)) + NOT_FOUND)

    def _stream(self, closing: bytes) -> None:
        self._began = self._loop.time()
        self._transport.write(self._said.opening)
        self._schedule(0, closing)

    def _schedule(self, index: int, closing: bytes) -> None:
        """Send the next delta when it is due by the time the stream began, so that no lag adds up."""
        due = self._began + (index + 1) * self._interval
        self._next = self._loop.call_at(due, self._continue, index, closing)

    def _continue(self, index: int, closing: bytes) -> None:
        later = self._said.later
        if index + 1 < len(later):
            self._transport.write(later[index])
            self._schedule(index + 1, closing)
        else:
            self._transport.write(b"".join(later[index:]) + closing)


async def _serve(deltas: int, rate: float) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    # Whoever started it holds the other end: nothing is left behind if that one is killed.
    loop.add_reader(sys.stdin.fileno(), stop.set)
    said = transcript(deltas)
    server = await loop.create_server(lambda: Connection(said, 1 / rate), "127.0.0.1", 0, backlog=BACKLOG)
    # A collection in here would show as latency of the gateway's; a run leaves a few cycles per connection.
    gc.disable()
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await stop.wait()
    server.close()


def main() -> None:
    """Run until told to stop."""
    parser = argparse.ArgumentParser(description="A fake provider for measurements.")
    parser.add_argument("--deltas", type=int, default=64, help="deltas of a stream, and tokens of an answer")
    parser.add_argument("--rate", type=float, default=50.0, help="deltas a second of a stream")
    given = parser.parse_args()
    allow_many_connections()
    uvloop.run(_serve(given.deltas, given.rate))


if __name__ == "__main__":
    main()
