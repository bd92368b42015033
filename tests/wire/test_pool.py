"""Which connection carries what: reuse, limits, the queue, stale ones, warm ones, the end."""

import asyncio

import pytest
from providing import HEADERS, OK, STREAM, Peer, Provider, answered, asking, pooling, providing
from serving import run, until

from trunkline.wire.client import ConnectFailed, ConnectionBroken, Endpoint, Pool, PoolClosed, PoolExhausted

CLOSE = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"


async def several(pool: Pool, provider: Provider, count: int) -> list[Peer]:
    """Bring the pool to `count` idle connections; return the provider's ends, the longest idle first."""
    tasks, peers = [], []
    for _ in range(count):
        tasks.append(asking(pool))
        peers.append(await provider.peer())
        await peers[-1].request()
    for task, peer in zip(tasks, peers, strict=True):
        idle = pool.idle
        peer.send(OK)
        await (await task).read()
        await until(lambda idle=idle: pool.idle == idle + 1)
    return peers


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


# Stale connections


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_request_that_meets_a_stale_connection_is_asked_once_more_on_a_new_one(how: str) -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            older, newer = await several(pool, provider, 2)
            task = asking(pool, b"the same")
            assert (await newer.request()).body == b"the same"
            getattr(newer, how)()
            fresh = await provider.peer()
            assert (await fresh.request()).body == b"the same"
            fresh.send(OK)
            assert await (await task).read() == b"ok"
            await answered(pool, provider, OK, fresh)
            assert len(provider.peers) == 3
            assert older in provider.peers

    run(main())


def test_a_warm_connection_may_be_stale_as_well() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(keep_warm=1)) as pool:
            await pool.warm()
            warm = await provider.peer()
            task = asking(pool)
            await warm.request()
            warm.close()
            fresh = await provider.peer()
            await fresh.request()
            fresh.send(OK)
            assert (await task).status == 200

    run(main())


def test_the_second_try_is_the_last() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            peer, _ = await answered(pool, provider)
            task = asking(pool)
            await peer.request()
            peer.close()
            fresh = await provider.peer()
            await fresh.request()
            fresh.close()
            with pytest.raises(ConnectionBroken):
                await task
            assert len(provider.peers) == 2
            assert pool.connections == 0

    run(main())


def test_a_fresh_connection_is_never_tried_again() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.close()
            with pytest.raises(ConnectionBroken) as caught:
                await task
            assert caught.value.reason == "connection_broken: closed by the provider before the answer"
            assert len(provider.peers) == 1

    run(main())


@pytest.mark.parametrize("byte", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_single_byte_of_an_answer_rules_out_a_second_try(byte: bytes) -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            peer, _ = await answered(pool, provider)
            task = asking(pool)
            await peer.request()
            peer.send(byte)
            await peer.sent()
            peer.close()
            with pytest.raises(ConnectionBroken):
                await task
            assert len(provider.peers) == 1

    run(main())


def test_a_connection_that_dies_late_was_not_stale() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(stale_within=0.0)) as pool:
            peer, _ = await answered(pool, provider)
            task = asking(pool)
            await peer.request()
            peer.close()
            with pytest.raises(ConnectionBroken):
                await task
            assert len(provider.peers) == 1

    run(main())


def test_a_stale_connection_in_a_full_pool_gets_a_new_one_in_its_place() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(max_connections=2)) as pool:
            peers = await several(pool, provider, 2)
            task = asking(pool)
            await peers[1].request()
            peers[1].close()
            fresh = await provider.peer()
            await fresh.request()
            assert pool.connections == 2
            fresh.send(OK)
            await (await task).read()

    run(main())


def test_a_half_written_request_harms_nobody_else() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            peer, _ = await answered(pool, provider)
            big = asking(pool, bytes(16_000_000))
            await peer.raw()
            peer.reset()
            fresh = await provider.peer()
            other = asking(pool, b"small")
            third = await provider.peer()
            assert (await third.request()).body == b"small"
            third.send(OK)
            assert await (await other).read() == b"ok"
            assert len((await fresh.request()).body) == 16_000_000
            fresh.send(OK)
            assert await (await big).read() == b"ok"

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


# Idle and warm


def test_connections_that_are_idle_too_long_are_closed() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(idle_timeout=0.02)) as pool:
            peers = await several(pool, provider, 2)
            for peer in peers:
                await peer.gone()
            await until(lambda: pool.connections == 0)

    run(main())


def test_warm_connections_are_open_before_the_first_request_and_carry_it() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(keep_warm=2)) as pool:
            await pool.warm()
            assert (pool.idle, pool.busy) == (2, 0)
            first, second = await provider.peer(), await provider.peer()
            task = asking(pool)
            done, _ = await asyncio.wait(
                [asyncio.create_task(first.request()), asyncio.create_task(second.request())],
                return_when=asyncio.FIRST_COMPLETED,
            )
            assert len(done) == 1
            for peer in (first, second):
                peer.send(OK)
            assert (await task).status == 200

    run(main())


def test_a_warm_connection_that_is_lost_is_replaced_without_any_traffic() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(keep_warm=1, idle_timeout=0.4)) as pool:
            await pool.warm()
            (await provider.peer()).close()
            await provider.peer()
            await until(lambda: pool.idle == 1)

    run(main())


def test_warm_connections_are_renewed_before_the_old_ones_are_closed_for_their_age() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(keep_warm=1, idle_timeout=0.4)) as pool:
            await pool.warm()
            first = await provider.peer()
            await provider.peer()
            await until(lambda: pool.idle >= 1)
            await first.gone()
            assert pool.idle >= 1

    run(main())


def test_warming_a_provider_that_is_down_returns_and_goes_on_trying_ever_more_slowly() -> None:
    async def main() -> None:
        async with providing() as provider:
            endpoint = provider.endpoint(keep_warm=3, idle_timeout=0.2)
        async with pooling(endpoint) as pool:
            await pool.warm()
            assert pool.connections == 0
            async with providing(port=provider.port) as again:
                await again.peer()
                await until(lambda: pool.idle == 3)
                # Connections that the pool closes for their age are no sign of trouble: new ones follow at once.
                await until(lambda: len(again.peers) == 9)
                await pool.close()

    run(main())


def test_a_provider_that_accepts_and_closes_is_not_connected_to_without_pause() -> None:
    async def main() -> None:
        attempts = 0

        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal attempts
            attempts += 1
            writer.transport.abort()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        endpoint = Endpoint(base_url=f"http://127.0.0.1:{port}", keep_warm=1, idle_timeout=0.04)
        async with pooling(endpoint) as pool:
            await pool.warm()
            await until(lambda: attempts == 1 and pool.connections == 0)
            assert pool._warmth.shortage(asyncio.get_running_loop().time(), 0) == 0
            await until(lambda: attempts == 2)
        server.close()

    run(main())


def test_warm_connections_stay_within_the_limit_and_give_way_to_callers() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(keep_warm=5, max_connections=2)) as pool:
            await pool.warm()
            assert pool.connections == 2
            peers = [await provider.peer(), await provider.peer()]
            tasks = [asking(pool), asking(pool)]
            for peer in peers:
                await peer.request()
                peer.send(OK)
            for task in tasks:
                await task

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
