"""A client that sees bytes: what the gateway put on the wire, and how it ended."""

import asyncio
import contextlib
import json
from dataclasses import dataclass, field

from gateway.running import HELLO, SECRET, Gateway


@dataclass
class Heard:
    """An answer: its body without the chunks' framing, whether it came to its end, and whether it was reset."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool
    reset: bool
    chunks: list[bytes] = field(default_factory=list)

    @property
    def json(self) -> dict:
        return json.loads(self.body)

    @property
    def error(self) -> dict:
        return self.json["error"]

    @property
    def events(self) -> list[str]:
        """The data of the stream's events."""
        assert self.headers["content-type"].startswith("text/event-stream")
        *events, rest = self.body.decode().split("\n\n")
        assert rest == ""
        assert all(event.startswith("data: ") and "\n" not in event for event in events)
        return [event.removeprefix("data: ") for event in events]

    @property
    def text(self) -> str:
        """The text of the first choice, of a stream or a whole answer."""
        if not self.headers["content-type"].startswith("text/event-stream"):
            return self.json["choices"][0]["message"]["content"]
        chunks = [json.loads(event) for event in self.events if event != "[DONE]"]
        return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk.get("choices", ()))


def payload(fields: dict) -> bytes:
    """The body of a call."""
    return json.dumps({"model": "voice", "messages": HELLO} | fields).encode()


def request(body: bytes, headers: dict[str, str] | None = None, target: str = "POST /v1/chat/completions") -> bytes:
    """The bytes of a request; it has the good key unless the headers say otherwise (None takes one away)."""
    lines = {"host": "gateway", "authorization": f"Bearer {SECRET}", "connection": "close"} | (headers or {})
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"{target} HTTP/1.1\r\n{head}content-length: {len(body)}\r\n\r\n".encode() + body


async def hear(gateway: Gateway, fields: dict | None = None, headers: dict | None = None) -> Heard:
    """Make one call on a connection of its own and hear it to its end."""
    return await send(gateway, request(payload(fields or {}), headers))


async def get(gateway: Gateway, path: str, headers: dict | None = None) -> Heard:
    """GET a path."""
    return await send(gateway, request(b"", headers, f"GET {path}"))


async def send(gateway: Gateway, data: bytes) -> Heard:
    """Send bytes on a connection of their own and hear the answer to its end."""
    async with connected(gateway) as (reader, writer):
        writer.write(data)
        received, reset = b"", False
        try:
            while piece := await reader.read(1 << 16):
                received += piece
        except ConnectionResetError:
            reset = True
        return parse(received, reset=reset)


@contextlib.asynccontextmanager
async def connected(gateway: Gateway):
    """A connection of its own; leaving the context leaves the gateway."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def parse(data: bytes, *, reset: bool = False) -> Heard:
    """Take an answer apart."""
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        assert name == name.lower()
        assert name not in headers, f"{name} came twice"
        headers[name] = value
    status = int(first.split(" ")[1])
    if headers.get("transfer-encoding") != "chunked":
        length = int(headers["content-length"])
        return Heard(status, headers, rest[:length], len(rest) == length, reset)
    chunks, whole = [], False
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            assert rest == b"\r\n"
            whole = True
            break
        chunks.append(rest[:length])
        rest = rest[length + 2 :]
    return Heard(status, headers, b"".join(chunks), whole, reset, chunks)
