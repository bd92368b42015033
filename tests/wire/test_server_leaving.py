"""Who leaves when: a client that goes cancels its handler at once; a server that drains lets its calls finish."""

import asyncio
import socket

import pytest
from serving import connected, run, serving, until

from trunkline.wire.request import Request
from trunkline.wire.server import Responder

POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Held:
    """A handler that starts a stream and then waits; it notes how it ended."""

    def __init__(self, start=True):
        self.start = start
        self.entered = asyncio.Event()
        self.release = asyncio.Event()
        self.ended = asyncio.Event()
        self.how = None

    async def __call__(self, request: Request, responder: Responder) -> None:
        if self.start:
            responder.start(200, b"")
            responder.write(b"part")
        self.entered.set()
        try:
            await self.release.wait()
            self.how = "released"
            if not self.start:
                responder.start(200, b"")
            responder.finish(b"whole")
        except BaseException as error:
            self.how = type(error)
            raise
        finally:
            self.ended.set()


@pytest.mark.parametrize("start", [False, True])
@pytest.mark.parametrize("leave", ["reset", "close", "half-close"])
def test_a_client_that_leaves_cancels_its_handler(leave, start):
    async def main():
        held = Held(start)
        async with serving(held) as running, connected(running.port) as client:
            client.say(GET)
            await held.entered.wait()
            if leave == "reset":
                client.reset()
            elif leave == "close":
                client.writer.close()
            else:
                client.writer.write_eof()
            await held.ended.wait()
            assert held.how is asyncio.CancelledError
            assert running.faults == []

    run(main())


def test_a_client_that_leaves_with_its_request_is_not_served():
    async def main():
        async with serving(Held()) as running:
            for _ in range(20):
                with socket.create_connection(("127.0.0.1", running.port)) as sock:
                    sock.sendall(POST)
                    sock.shutdown(socket.SHUT_WR)
                    await until(lambda: running.server.connections == 1)
                    await until(lambda: running.server.connections == 0)
                    assert running.server.in_flight_bytes == 0
            assert running.faults == []

    run(main())


def test_a_client_that_leaves_with_requests_waiting_cancels_its_handler_and_starts_no_other():
    calls = 0

    async def main():
        held = Held()

        async def counted(request, responder):
            nonlocal calls
            calls += 1
            await held(request, responder)

        async with serving(counted) as running, connected(running.port) as client:
            client.say(GET)
            await held.entered.wait()
            for i in range(2):
                client.say(GET)
                await until(lambda: running.server.in_flight_bytes == (i + 1) * len(GET))  # noqa: B023 - awaited here
            client.reset()
            await held.ended.wait()
        assert held.how is asyncio.CancelledError
        assert calls == 1

    run(main())


def test_a_handler_that_was_cancelled_may_settle_without_being_cancelled_again():
    settled = asyncio.Event()
    entered = asyncio.Event()

    async def settles(request: Request, responder: Responder) -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(50):
                await asyncio.sleep(0)
            responder.send(200, b"", b"nobody hears this")
            responder.abort()
            settled.set()

    async def main():
        async with serving(settles) as running, connected(running.port) as client:
            client.say(GET)
            await entered.wait()
            client.writer.write_eof()
            await settled.wait()
            assert running.faults == []

    run(main())


def test_a_client_that_leaves_after_its_answer_does_not_disturb_the_handler():
    entered, release, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def tidies_up(request: Request, responder: Responder) -> None:
        responder.send(200, b"", b"whole")
        entered.set()
        await release.wait()
        ended.set()

    async def main():
        async with serving(tidies_up) as running:
            async with connected(running.port) as client:
                client.say(GET)
                assert (await client.hear()).body == b"whole"
                await entered.wait()
            await until(lambda: running.server.connections == 0)
            assert running.server.in_flight == 1
            release.set()
            await ended.wait()

    run(main())


def test_a_handler_waiting_for_a_slow_reader_learns_that_it_left():
    waiting, ended = asyncio.Event(), asyncio.Event()
    raised = []

    async def flood(request: Request, responder: Responder) -> None:
        responder.start(200, b"")
        try:
            while True:
                responder.write(b"x" * 50_000)
                if responder.congested:
                    asyncio.get_running_loop().call_soon(waiting.set)
                    await responder.drain()
        except BaseException as error:
            raised.append(type(error))
            with pytest.raises(ConnectionResetError):
                await responder.drain()
            raise
        finally:
            ended.set()

    async def main():
        async with serving(flood) as running, connected(running.port, limit=1000) as client:
            client.writer.transport.pause_reading()
            client.say(GET)
            await waiting.wait()
            client.reset()
            await ended.wait()
            assert raised == [asyncio.CancelledError]
            assert running.faults == []

    run(main())


def test_draining_closes_idle_connections_and_the_others_after_their_answer():
    async def main():
        held = Held()
        async with serving(held) as running, connected(running.port) as idle, connected(running.port) as busy:
            busy.say(GET)
            await held.entered.wait()
            await until(lambda: running.server.connections == 2)
            running.server.drain()
            assert await idle.hung_up() == b""
            held.release.set()
            assert (await busy.hear()).body == b"partwhole"
            assert await busy.hung_up() == b""

    run(main())


def test_a_new_connection_to_a_draining_server_is_answered_and_closed():
    async def refuses(request: Request, responder: Responder) -> None:
        responder.send(503, b"", b"elsewhere")

    async def main():
        async with serving(refuses) as running:
            running.server.drain()
            async with connected(running.port) as client:
                client.say(GET)
                answer = await client.hear()
                assert (answer.status, answer.headers[b"connection"]) == (503, b"close")
                assert await client.hung_up() == b""

    run(main())


def test_closing_waits_for_the_calls_in_flight():
    async def main():
        held = Held()
        async with serving(held) as running, connected(running.port) as client:
            client.say(GET)
            await held.entered.wait()
            closing = asyncio.ensure_future(running.server.closed(running.server.loop.time() + 10))
            await asyncio.sleep(0)
            assert not closing.done()
            held.release.set()
            assert (await client.hear()).body == b"partwhole"
            await closing
            assert held.how == "released"
            with pytest.raises(ConnectionError):
                async with connected(running.port):
                    pass

    run(main())


def test_closing_cuts_what_is_left_at_the_deadline():
    async def main():
        held = Held()
        async with serving(held) as running, connected(running.port) as client:
            client.say(GET)
            await held.entered.wait()
            await running.server.closed(running.server.loop.time() + 0.05)
            assert held.how is asyncio.CancelledError
            with pytest.raises(ConnectionResetError):
                await client.hung_up()

    run(main())


def test_a_large_answer_is_sent_whole_before_a_closing_server_closes():
    async def large(request: Request, responder: Responder) -> None:
        responder.send(200, b"", b"x" * 10_000_000)

    async def main():
        async with serving(large) as running, connected(running.port, limit=1000) as client:
            client.say(GET)
            await client.hear_until(b"\r\n\r\n")
            closing = asyncio.ensure_future(running.server.closed(running.server.loop.time() + 10))
            assert len(await client.hung_up()) == 10_000_000
            await closing

    run(main())
