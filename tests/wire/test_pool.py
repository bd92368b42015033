"""Which connection carries what: reuse, limits, the queue, the end."""

import asyncio

import pytest
from providing import HEADERS, OK, STREAM, answered, asking, pooling, providing, several
from serving import run, until

from trunkline.wire.client import ConnectFailed, ConnectionBroken, PoolClosed, PoolExhausted
from trunkline.wire.pool import MAX_KEPT

CLOSE = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"


def test_a_connection_carries_one_exchange_after_another() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            peer, _ = await answered(pool, provider)
            for _ in range(5):
                await answered(pool, provider, OK, peer)
            assert len(provider.peers) == 1
            assert (pool.connections, pool.idle, pool.busy) == (1, 1, 0)

    run(main())


def test_the_connection_that_was_used_last_is_used_first() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            peers = await several(pool, provider, 3)
            task = asking(pool)
            await peers[2].request()
            second = asking(pool)
            await peers[1].request()
            peers[2].send(OK)
            peers[1].send(OK)
            await task
            await second

    run(main())


@pytest.mark.parametrize("response", [CLOSE, b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", OK + b"more"])
def test_a_connection_that_cannot_be_trusted_any_more_is_not_reused(response: bytes) -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            peer, body = await answered(pool, provider, response)
            assert body == b"ok"
            await peer.gone()
            assert pool.connections == 0

    run(main())


@pytest.mark.parametrize("how", ["close", "half_close", "reset"])
def test_an_idle_connection_that_the_provider_closes_leaves_the_pool_at_once(how: str) -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            older, newer = await several(pool, provider, 2)
            getattr(older, how)()
            await until(lambda: pool.idle == 1)
            await answered(pool, provider, OK, newer)

    run(main())


def test_bytes_on_an_idle_connection_end_it_and_never_answer_a_request() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            peer, _ = await answered(pool, provider)
            peer.send(OK.replace(b"ok", b"no"))
            await peer.gone()
            assert pool.connections == 0
            assert (await answered(pool, provider))[1] == b"ok"

    run(main())


def test_bytes_before_the_first_request_end_a_warm_connection() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(keep_warm=1)) as pool:
            await pool.warm()
            peer = await provider.peer()
            peer.send(OK)
            await peer.gone()

    run(main())


# Limits and the queue


def test_callers_above_the_limit_wait_in_order() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(max_connections=1)) as pool:
            tasks = [asking(pool, b"%d" % n) for n in range(4)]
            peer = await provider.peer()
            for n, task in enumerate(tasks):
                assert (await peer.request()).body == b"%d" % n
                await until(lambda n=n: pool.waiting == 3 - n)
                assert pool.connections == 1
                peer.send(OK)
                await (await task).read()
            assert len(provider.peers) == 1

    run(main())


def test_a_place_that_becomes_free_goes_to_the_first_that_waits() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(max_connections=1)) as pool:
            first, second = asking(pool, b"1"), asking(pool, b"2")
            peer = await provider.peer()
            await peer.request()
            await until(lambda: pool.waiting == 1)
            newcomer = asking(pool, b"3")
            await until(lambda: pool.waiting == 2)
            peer.send(CLOSE)
            await first
            peer = await provider.peer()
            assert (await peer.request()).body == b"2"
            peer.send(OK)
            await second
            assert (await peer.request()).body == b"3"
            peer.send(OK)
            await newcomer

    run(main())


def test_a_place_is_free_again_when_the_provider_cannot_be_reached() -> None:
    async def main() -> None:
        async with providing() as provider:
            endpoint = provider.endpoint(max_connections=1)
        async with pooling(endpoint) as pool:
            results = await asyncio.gather(*[asking(pool) for _ in range(5)], return_exceptions=True)
            assert [type(result) for result in results] == [ConnectFailed] * 5
            assert [result.reason for result in results] == ["connect_failed: connection refused"] * 5  # type: ignore[union-attr]
            assert pool.connections == 0

    run(main())


def test_a_caller_that_waits_too_long_is_told_that_the_pool_is_exhausted() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(max_connections=1)) as pool:
            first = asking(pool)
            peer = await provider.peer()
            await peer.request()
            with pytest.raises(PoolExhausted) as caught:
                await asking(pool, connect_timeout=0.01)
            assert caught.value.reason == "pool_exhausted: all 1 connections are in use"
            assert pool.waiting == 0
            peer.send(OK)
            await first

    run(main())


def test_the_queue_is_bounded() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(max_connections=1, max_waiting=2)) as pool:
            tasks = [asking(pool) for _ in range(3)]
            peer = await provider.peer()
            await until(lambda: pool.waiting == 2)
            with pytest.raises(PoolExhausted, match="2 callers wait already"):
                await pool.ask(b"/chat", HEADERS, b"")
            for task in tasks:
                await peer.request()
                peer.send(OK)
                await task

    run(main())


def test_a_waiter_that_is_handed_a_connection_which_dies_at_that_moment_still_gets_its_answer() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(max_connections=1)) as pool:
            first, second = asking(pool, b"1"), asking(pool, b"2")
            peer = await provider.peer()
            await peer.request()
            await until(lambda: pool.waiting == 1)
            peer.send(OK)
            peer.close()
            assert await (await first).read() == b"ok"
            fresh = await provider.peer()
            assert (await fresh.request()).body == b"2"
            fresh.send(OK)
            assert await (await second).read() == b"ok"

    run(main())


# The end


def test_closing_ends_what_is_idle_busy_and_waiting() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(max_connections=3)) as pool:
            idle, first, second = await several(pool, provider, 3)
            streaming = asking(pool)
            await second.request()
            second.send(STREAM)
            answer = await streaming
            headless = asking(pool)
            await first.request()
            third = asking(pool)
            await idle.request()
            waiting = asking(pool)
            await until(lambda: pool.waiting == 1)
            await pool.close()
            for peer in (idle, first, second):
                await peer.gone()
            with pytest.raises(ConnectionBroken, match="the pool was closed"):
                await answer.next_piece()
            for task in (headless, third):
                with pytest.raises(ConnectionBroken, match="the pool was closed"):
                    await task
            with pytest.raises(PoolClosed):
                await waiting
            with pytest.raises(PoolClosed):
                await pool.ask(b"/chat", HEADERS, b"")
            assert repr(pool) == (
                f"Pool(http://127.0.0.1:{provider.port}/v1: 0 busy, 0 idle, 0 opening, 0 waiting, closed)"
            )

    run(main())


def test_closing_while_connections_are_being_opened_leaves_none_open() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(keep_warm=2)) as pool:
            warming = asyncio.create_task(pool.warm())
            task = asking(pool)
            await until(lambda: pool.connections > 0)
            await pool.close()
            with pytest.raises(PoolClosed):
                await task
            await warming
            assert pool.connections == 0

    run(main())


def test_a_retired_pool_finishes_what_it_carries_and_keeps_nothing() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(keep_warm=1)) as pool:
            older, newer = await several(pool, provider, 2)
            task = asking(pool)
            await newer.request()
            pool.retire()
            await older.gone()
            newer.send(OK)
            assert await (await task).read() == b"ok"
            await newer.gone()
            late, body = await answered(pool, provider)
            assert body == b"ok"
            await late.gone()
            assert pool.connections == 0

    run(main())


def test_the_representation_counts_connections_and_shows_no_secret() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(proxy="http://user:secret@127.0.0.1:1")) as pool:
            assert "secret" not in repr(pool)
            assert "secret" not in repr(pool.endpoint)
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            await several(pool, provider, 2)
            busy = asking(pool)
            await until(lambda: pool.busy == 1)
            base = f"http://127.0.0.1:{provider.port}/v1"
            assert repr(pool) == f"Pool({base}: 1 busy, 1 idle, 0 opening, 0 waiting)"
            busy.cancel()
            await asyncio.wait([busy])

    run(main())


def test_what_is_kept_of_requests_is_bounded_however_many_kinds_there_are() -> None:
    async def main() -> None:
        async with providing(answer_all=OK) as provider, pooling(provider.endpoint()) as pool:
            for number in range(2 * MAX_KEPT + 1):
                answer = await pool.ask(b"/chat/%d" % number, b"x-number: %d\r\n" % number, b"{}")
                assert await answer.read() == b"ok"
                assert len(pool._heads) <= MAX_KEPT
                assert len(pool._checked_headers) <= MAX_KEPT

    run(main())
