"""A provider that never stops sending costs one attempt, and memory within a bound."""

import asyncio
import contextlib

import pytest
import uvloop

from gateway.raw_client import hear
from gateway.running import PATIENCE, check, running, until
from trunkline.gateway.attempt import OPENING_LIMIT
from trunkline.gateway.release import LOGGED_FROM
from trunkline.simulator import Script, Simulator

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
WORD = b'data: {"choices":[{"index":0,"delta":{"content":"Hello"}}]}\n\n'
COMMENTS = (b":" + b"x" * 1000 + b"\n") * 60


class Flood:
    """A provider that answers with a beginning and then sends the same bytes until nobody takes them any more."""

    def __init__(self, beginning: bytes, wave: bytes) -> None:
        self._beginning, self._wave = beginning, wave
        self.left = 0
        self._server: asyncio.Server

    async def _serve(self, reader, writer):
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(HEAD + self._beginning)
            while True:
                writer.write(self._wave)
                await writer.drain()
        self.left += 1
        writer.close()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_):
        self._server.close()


@contextlib.asynccontextmanager
async def flooded(tmp_path, beginning, wave):
    async with (
        asyncio.timeout(PATIENCE),
        Flood(beginning, wave) as flood,
        Simulator(None, Script(text="All is well.")) as simulator,
        running(simulator, tmp_path, openai=flood.url) as gateway,
    ):
        yield flood, gateway
        await until(lambda: flood.left == 1)
        check(gateway)


@pytest.mark.parametrize("beginning", [b"", ROLE], ids=["comments", "role"])
def test_a_stream_that_floods_before_it_says_anything_sends_the_call_on(tmp_path, beginning):
    async def main():
        async with flooded(tmp_path, beginning, beginning + COMMENTS) as (_, gateway):
            heard = await hear(gateway, {"stream": True})
            assert (heard.status, heard.text, heard.whole) == (200, "All is well.", True)
            closed = gateway.record("call.closed")
            failed, answered = closed["attempts"]
            assert failed["reason"].startswith("answer_too_large")
            assert (answered["provider"], answered["outcome"]) == ("second", "answered")
            assert len(gateway.parts(closed)["1.provider_response"]) <= OPENING_LIMIT

    uvloop.run(main())


def test_a_stream_that_floods_once_it_has_begun_is_cut_and_kept_in_pieces(tmp_path):
    async def main():
        async with flooded(tmp_path, WORD, COMMENTS) as (_, gateway):
            heard = await hear(gateway, {"stream": True})
            assert heard.status == 200
            assert b"answer_too_large" in heard.body
            closed = gateway.record("call.closed")
            (attempt,) = closed["attempts"]
            assert attempt["reason"].startswith("answer_too_large")
            most = gateway.upstream("first").pool.endpoint.max_answer
            frames = [frame.get("1.provider_response", b"") for frame in gateway.frames(closed)]
            assert most - LOGGED_FROM < sum(map(len, frames)) <= most
            assert max(map(len, frames)) < 2 * LOGGED_FROM

    uvloop.run(main())
