"""A client that sees bytes: what a provider put on the wire, and how it ended."""

import asyncio
import contextlib
import json
from dataclasses import dataclass

OPENAI_HEADERS = b"authorization: Bearer sk-test\r\n"
ANTHROPIC_HEADERS = b"x-api-key: sk-ant-test\r\nanthropic-version: 2023-06-01\r\n"
HELLO = [{"role": "user", "content": "How is the Henderson household allocated?"}]


@dataclass
class Seen:
    """What came before the end, and the end: `eof`, `reset`."""

    data: bytes
    end: str

    @property
    def head(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[0]

    @property
    def rest(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[2]

    @property
    def status(self) -> int:
        return int(self.data.split(b" ", 2)[1])


def request(provider, fields=None, *, stream=False, headers=None, path=None):
    """The bytes of a call to a simulated provider."""
    is_openai = provider.name == "openai"
    body = {"model": "gpt-4o-mini" if is_openai else "claude-haiku-4-5", "messages": HELLO}
    if not is_openai:
        body["max_tokens"] = 500
    if stream:
        body["stream"] = True
    body.update(fields or {})
    payload = json.dumps(body).encode()
    keys = headers if headers is not None else OPENAI_HEADERS if is_openai else ANTHROPIC_HEADERS
    target = path or ("/v1/chat/completions" if is_openai else "/v1/messages")
    return (
        b"POST %b HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json\r\n%b"
        b"content-length: %d\r\n\r\n%b" % (target.encode(), keys, len(payload), payload)
    )


async def read_to_end(reader):
    """Everything until the connection ends, and how it ended."""
    data = b""
    try:
        while piece := await reader.read(1 << 16):
            data += piece
    except ConnectionResetError:
        return Seen(data, "reset")
    return Seen(data, "eof")


async def call(provider, fields=None, **options):
    """Send one call on its own connection and see it to its end."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", provider.port, limit=1 << 27)
        try:
            writer.write(request(provider, fields, **options))
            return await read_to_end(reader)
        finally:
            await close(writer)


async def close(writer):
    """Leave, whatever the other side did before."""
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def unchunked(data):
    """The body of a chunked message, and whether its end was there; ValueError where the framing is broken."""
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return body, True
        body, data = body + data[:length], data[length + 2 :]
    return body, False


def openai_text(body):
    """The text of a stream's chunks."""
    text = ""
    for frame in frames(body):
        if frame.startswith("{"):
            for choice in json.loads(frame).get("choices", ()):
                text += choice["delta"].get("content") or ""
    return text


def anthropic_text(body):
    """The text of a stream's events."""
    deltas = (json.loads(frame).get("delta", {}) for frame in frames(body))
    return "".join(delta.get("text", "") for delta in deltas)


def frames(body):
    """The data of server-sent events."""
    return [line[6:] for line in body.decode().splitlines() if line.startswith("data: ")]
