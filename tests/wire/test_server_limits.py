"""Slow, oversized, too many: a clear error, bounded memory, and nobody else is harmed."""

import asyncio
import contextlib
import json
import os
import resource
import sys
from pathlib import Path

import pytest
from serving import connected, run, serving, until

from trunkline.wire import server_connection
from trunkline.wire.request import Request
from trunkline.wire.server import REFUSALS, Responder, ServerLimits

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def ok(request: Request, responder: Responder) -> None:
    responder.send(200, b"", b"%d" % len(request.body))


async def next_sweep(server):
    """Wait until the server has looked at its deadlines, which it does twice in a `header_timeout`."""
    before = server._sweeper
    await until(lambda: server._sweeper is not before)


def code(answer):
    return json.loads(answer.body)["error"]["code"]


@pytest.mark.parametrize(
    "begin",
    [b"G", b"GET / HTTP/1.1\r\nHost: a\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"],
    ids=["a letter", "half a head", "half a body"],
)
def test_a_sender_that_stops_is_told_408(begin):
    async def main():
        async with serving(ok, header_timeout=0.1) as running, connected(running.port) as client:
            client.say(begin)
            answer = await client.hear()
            assert (answer.status, code(answer)) == (408, "request_timeout")
            assert await client.hung_up() == b""
            assert [error.code for error, _ in running.refused] == ["request_timeout"]

    run(main())


def test_a_sender_that_drips_is_told_408_though_it_never_stops():
    async def main():
        async with serving(ok, header_timeout=0.2) as running, connected(running.port) as client:
            client.say(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
            heard = asyncio.ensure_future(client.hear())
            while not heard.done():
                client.say(b"x")
                await next_sweep(running.server)
            assert (await heard).status == 408

    run(main())


def test_a_large_body_that_makes_progress_may_take_longer_than_one_timeout():
    async def main():
        async with serving(ok, header_timeout=0.1) as running, connected(running.port) as client:
            size = 8 * server_connection.MIN_PROGRESS
            client.say(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
            heard = asyncio.ensure_future(client.hear())
            for _ in range(8):
                await next_sweep(running.server)
                client.say(b"x" * server_connection.MIN_PROGRESS)
            answer = await heard
            assert (answer.status, answer.body) == (200, b"%d" % size)

    run(main())


def test_an_idle_connection_is_closed_without_a_word():
    async def main():
        async with serving(ok, idle_timeout=0.1) as running, connected(running.port) as silent:
            async with connected(running.port) as used:
                used.say(GET)
                assert (await used.hear()).status == 200
                assert await used.hung_up() == b""
            assert await silent.hung_up() == b""
            assert running.refused == []

    run(main())


@pytest.mark.parametrize("chunked", [False, True])
def test_the_client_of_an_oversized_body_gets_the_answer_though_it_sends_on(chunked):
    async def main():
        async with serving(ok, max_body=100_000) as running, connected(running.port) as client:
            body = b"x" * 3_000_000
            if chunked:
                client.say(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                for at in range(0, len(body), 50_000):
                    client.say(b"c350\r\n" + body[at : at + 50_000] + b"\r\n")
            else:
                client.say(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await client.writer.drain()
            answer = await client.hear()
            assert (answer.status, code(answer)) == (413, "request_too_large")
            assert await client.hung_up() == b""
            assert running.server.in_flight_bytes == 0

    run(main())


def test_a_refused_client_that_never_stops_sending_is_cut(monkeypatch):
    monkeypatch.setattr(server_connection, "LINGER_BYTES", 1_000_000)

    async def main():
        async with serving(ok, max_body=1000) as running, connected(running.port) as client:
            client.say(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
            with pytest.raises(ConnectionError):  # noqa: PT012 - it fails once the buffers are full
                while True:
                    client.say(b"x" * 100_000)
                    await client.writer.drain()
            await until(lambda: running.server.connections == 0)

    run(main())


def test_a_refused_client_that_never_closes_is_cut(monkeypatch):
    monkeypatch.setattr(server_connection, "LINGER_SECONDS", 0.1)

    async def main():
        async with serving(ok, header_timeout=0.2) as running, connected(running.port) as client:
            client.say(b"BAD")
            client.say(b"\r\n\r\n")
            assert (await client.hear()).status == 400
            assert await client.hung_up() == b""
            await until(lambda: running.server.connections == 0)

    run(main())


def test_headers_that_are_too_large_are_told_431():
    async def main():
        async with serving(ok) as running, connected(running.port) as client:
            client.say(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000)
            answer = await client.hear()
            assert (answer.status, code(answer)) == (431, "request_too_large")

    run(main())


def test_bodies_held_over_all_connections_are_bounded_and_others_go_on():
    entered, release = asyncio.Event(), asyncio.Event()

    async def hold(request: Request, responder: Responder) -> None:
        if request.body:
            entered.set()
            await release.wait()
        responder.send(200, b"", b"")

    async def main():
        async with serving(hold, max_in_flight_bytes=1000) as running, connected(running.port) as first:
            post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 600\r\n\r\n" + b"x" * 600
            first.say(post)
            await entered.wait()
            assert running.server.in_flight_bytes == 600
            async with connected(running.port) as second, connected(running.port) as small:
                second.say(post)
                answer = await second.hear()
                assert (answer.status, code(answer)) == (503, "overloaded")
                assert answer.headers[b"retry-after"] == b"1"
                small.say(GET)
                assert (await small.hear()).status == 200
            release.set()
            assert (await first.hear()).status == 200
            await until(lambda: running.server.in_flight_bytes == 0)
            first.say(post)
            assert (await first.hear()).status == 200

    run(main())


def test_connections_above_the_limit_are_told_503_and_far_above_it_are_cut():
    async def main():
        async with serving(ok, max_connections=1) as running, connected(running.port) as first:
            first.say(GET)
            assert (await first.hear()).status == 200
            waiting = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(REFUSALS + 5)]
            answers = [reader.read() for reader, _ in waiting]
            told = await asyncio.gather(*answers, return_exceptions=True)
            assert sum(b" 503 " in answer for answer in told if isinstance(answer, bytes)) == REFUSALS
            assert running.server.connections <= 1 + REFUSALS
            for _, writer in waiting:
                writer.transport.abort()
            await until(lambda: running.server.connections == 1)
            first.say(GET)
            assert (await first.hear()).status == 200

    run(main())


def test_limits_that_are_replaced_hold_from_the_next_connection_on():
    async def main():
        async with serving(ok, max_body=10) as running, connected(running.port) as old:
            old.say(GET)
            assert (await old.hear()).status == 200
            running.server.limits = ServerLimits(max_body=20, max_in_flight_bytes=15)
            post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
            async with connected(running.port) as new:
                new.say(post % 12 + b"x" * 12)
                assert (await new.hear()).status == 200
                new.say(post % 16)
                assert (await new.hear()).status == 503
            old.say(post % 12)
            assert (await old.hear()).status == 413

    run(main())


def test_a_slow_reader_holds_the_handler_up_with_bounded_memory():
    written = 0
    filled = asyncio.Event()

    async def flood(request: Request, responder: Responder) -> None:
        nonlocal written
        responder.start(200, b"")
        for _ in range(400):
            responder.write(b"x" * 50_000)
            written += 50_000
            if responder.congested:
                filled.set()
                await responder.drain()
                assert not responder.congested
        responder.finish()

    async def main():
        async with serving(flood) as running, connected(running.port) as client:
            client.writer.transport.pause_reading()
            client.say(GET)
            await filled.wait()
            turns = iter(range(200))  # of the loop, in which nothing more may come
            await until(lambda: next(turns, None) is None)
            assert written < 15_000_000  # the kernel's buffers and ours, not the answer
            (connection,) = running.server._open
            assert connection._transport.get_write_buffer_size() < 200_000
            client.writer.transport.resume_reading()
            answer = await client.hear()
            assert len(answer.body) == 20_000_000

    run(main())


def test_only_one_at_a_time_may_wait_for_a_slow_reader():
    refused = asyncio.Event()

    async def flood(request: Request, responder: Responder) -> None:
        responder.start(200, b"")
        await responder.drain()
        while not responder.congested:
            responder.write(b"x" * 50_000)
        first = asyncio.ensure_future(responder.drain())
        second = asyncio.ensure_future(responder.drain())
        with pytest.raises(RuntimeError):
            await second
        refused.set()
        await first
        responder.finish()

    async def main():
        async with serving(flood) as running, connected(running.port) as client:
            client.writer.transport.pause_reading()
            client.say(GET)
            await refused.wait()
            client.writer.transport.resume_reading()
            assert (await client.hear()).status == 200
            assert running.faults == []

    run(main())


def test_what_is_read_ahead_counts_as_held_and_stops_where_there_is_no_room():
    release = asyncio.Event()
    entered = asyncio.Event()

    async def hold(request: Request, responder: Responder) -> None:
        entered.set()
        await release.wait()
        responder.send(200, b"", b"")

    async def main():
        async with serving(hold, max_in_flight_bytes=100) as running, connected(running.port) as client:
            client.say(GET)
            await entered.wait()
            (connection,) = running.server._open
            client.say(GET * 10)
            await until(lambda: not connection._reading)
            assert running.server.in_flight_bytes <= 100
            release.set()
            for _ in range(11):
                assert (await client.hear()).status == 200

    run(main())


def test_a_last_answer_may_take_as_long_as_its_reader_goes_on_reading(monkeypatch):
    monkeypatch.setattr(server_connection, "LINGER_SECONDS", 0.1)
    size = 30_000_000

    async def large(request: Request, responder: Responder) -> None:
        responder.close_after = True
        responder.send(200, b"", b"x" * size)

    async def main():
        limits = {"header_timeout": 0.1}  # which makes the sweeps frequent
        async with serving(large, **limits) as running, connected(running.port) as client:
            client.say(GET)
            await client.hear_until(b"\r\n\r\n")
            got = 0
            for _ in range(10):
                got += len(await client.reader.readexactly(size // 20))
                await next_sweep(running.server)
            assert got + len(await client.hung_up()) == size

    run(main())


def test_a_reader_that_stops_for_good_is_cut_and_its_handler_cancelled():
    ended = asyncio.Event()

    async def flood(request: Request, responder: Responder) -> None:
        responder.start(200, b"")
        try:
            while True:
                responder.write(b"x" * 50_000)
                await responder.drain()
        finally:
            ended.set()

    async def main():
        async with serving(flood, idle_timeout=0.2) as running, connected(running.port, limit=1000) as client:
            client.writer.transport.pause_reading()
            client.say(GET)
            await ended.wait()
            await until(lambda: running.server.connections == 0)

    run(main())


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


CROWD = """
import resource, socket, sys
port, count = map(int, sys.argv[1:])
limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
crowd = []
for _ in range(count):
    crowd.append(socket.create_connection(("127.0.0.1", port)))
    crowd[-1].sendall(b"POST / HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 3\\r\\n\\r\\nabc")
    crowd[-1].recv(1000)
print("here", flush=True)
sys.stdin.read()
"""


@contextlib.asynccontextmanager
async def crowd(port, count):
    """Another process that holds so many connections, each used once."""
    arguments = (sys.executable, "-c", CROWD, str(port), str(count))
    process = await asyncio.create_subprocess_exec(*arguments, stdin=-1, stdout=-1)
    try:
        assert await process.stdout.readline() == b"here\n"
        yield
    finally:
        process.stdin.close()
        await process.wait()


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 10_500, reason="this process may not have that many files"
)
def test_ten_thousand_idle_connections_cost_few_bytes_each_and_disturb_nobody():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    async def main():
        async with serving(ok) as running, connected(running.port) as other, crowd(running.port, 200):
            before = resident_bytes()
            async with crowd(running.port, 10_000):
                assert running.server.connections == 10_201
                assert (resident_bytes() - before) / 10_000 < 10_000
                other.say(GET)
                assert (await other.hear()).status == 200
            await until(lambda: running.server.connections == 201)

    try:
        run(main())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
