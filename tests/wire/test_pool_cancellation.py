"""Cancelling a caller in any state frees its connection and its place, and loses nobody else's turn."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from providing import OK, STREAM, answered, asking, pooling, providing
from serving import run, until

from trunkline.wire.client import Pool, WireError


async def cancelled(task: asyncio.Task[object]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_before_its_first_step() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            await cancelled(asking(pool))
            assert pool.connections == 0

    run(main())


def test_while_the_connection_is_being_opened() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(max_connections=1)) as pool:
            task = asking(pool)
            await until(lambda: pool.connections == 1)
            await cancelled(task)
            assert pool.connections == 0
            await answered_by_whoever_is_asked(pool, provider)

    run(main())


async def answered_by_whoever_is_asked(pool: Pool, provider: object) -> None:
    """One exchange, where connections that were cut before may lie in the provider's queue."""
    task = asking(pool)
    while not task.done():
        peer = await provider.peer()  # type: ignore[attr-defined]
        try:
            await peer.request()
        except ConnectionError:
            continue
        peer.send(OK)
        assert await (await task).read() == b"ok"


def test_while_waiting_for_the_head() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(max_connections=1)) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            await cancelled(task)
            assert pool.connections == 0
            await peer.gone()
            await answered(pool, provider)

    run(main())


def test_while_waiting_for_the_head_on_a_reused_connection() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            peer, _ = await answered(pool, provider)
            task = asking(pool)
            await peer.request()
            await cancelled(task)
            await peer.gone()
            assert pool.connections == 0
            assert len(provider.peers) == 1

    run(main())


def test_while_the_request_is_half_written() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool, bytes(30_000_000))
            peer = await provider.peer()
            await peer.raw()
            await cancelled(task)
            assert len(await peer.gone()) < 30_000_000
            assert pool.connections == 0

    run(main())


def test_while_waiting_for_a_piece_or_the_whole_body() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            for method in ("next_piece", "read"):
                task = asking(pool)
                peer = await provider.peer()
                await peer.request()
                peer.send(STREAM)
                answer = await task
                waiting = asyncio.create_task(getattr(answer, method)())
                await until(lambda answer=answer: answer._waiter is not None)
                await cancelled(waiting)
                await peer.gone()
                assert pool.connections == 0

    run(main())


def test_in_the_moment_in_which_the_answer_has_come() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            for response in (OK, STREAM):
                task = asking(pool)
                peer = await provider.peer()
                await peer.request()
                connection = next(iter(pool._open))
                connection.data_received(response)
                await cancelled(task)
                await until(lambda: pool.busy == 0)
                assert pool.idle == (1 if response is OK else 0)
                if response is STREAM:
                    await peer.gone()
                else:
                    peer.close()
                    await until(lambda: pool.connections == 0)

    run(main())


def test_while_waiting_in_the_queue() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(max_connections=1)) as pool:
            first, second, third = asking(pool, b"1"), asking(pool, b"2"), asking(pool, b"3")
            peer = await provider.peer()
            await peer.request()
            await until(lambda: pool.waiting == 2)
            await cancelled(second)
            assert pool.waiting == 1
            peer.send(OK)
            await first
            assert (await peer.request()).body == b"3"
            peer.send(OK)
            await third

    run(main())


def test_in_the_moment_in_which_a_connection_was_handed_over() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(max_connections=1)) as pool:
            first, second, third = asking(pool, b"1"), asking(pool, b"2"), asking(pool, b"3")
            peer = await provider.peer()
            await peer.request()
            await until(lambda: pool.waiting == 2)
            next(iter(pool._open)).data_received(OK)
            assert pool.waiting == 1
            await cancelled(second)
            await first
            assert (await peer.request()).body == b"3"
            peer.send(OK)
            await third
            await until(lambda: pool.idle == 1)

    run(main())


def test_in_the_moment_in_which_a_place_was_handed_over() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(max_connections=1)) as pool:
            first, second, third = asking(pool, b"1"), asking(pool, b"2"), asking(pool, b"3")
            peer = await provider.peer()
            await peer.request()
            await until(lambda: pool.waiting == 2)
            first.cancel()
            next(iter(pool._open)).drop()
            assert (pool.waiting, pool.connections) == (1, 1)
            await cancelled(second)
            await asyncio.wait([first])
            fresh = await provider.peer()
            assert (await fresh.request()).body == b"3"
            fresh.send(OK)
            await third

    run(main())


def test_during_the_second_try_after_a_stale_connection() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            peer, _ = await answered(pool, provider)
            task = asking(pool)
            await peer.request()
            peer.close()
            fresh = await provider.peer()
            await fresh.request()
            await cancelled(task)
            await fresh.gone()
            assert pool.connections == 0

    run(main())


def test_while_a_provider_never_ends_its_tls_handshake() -> None:
    async def main() -> None:
        async with providing() as provider:
            endpoint = provider.endpoint(base_url=f"https://127.0.0.1:{provider.port}", max_connections=1)
            async with pooling(endpoint) as pool:
                task = asking(pool)
                peer = await provider.peer()
                await peer.raw(b"\x16")
                await cancelled(task)
                assert pool.connections == 0
                await peer.gone()

    run(main())


@given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=12), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_whoever_is_cancelled_whenever_the_others_are_answered(plan: list[tuple[int, bool]], limit: int) -> None:
    """Each caller is cancelled after so many turns of the loop, or not at all; a provider answers whatever comes."""

    async def main() -> None:
        async with providing(answer_all=OK) as provider, pooling(provider.endpoint(max_connections=limit)) as pool:
            tasks = []

            async def call() -> bytes:
                return await (await pool.ask(b"/", b"", b"{}")).read()

            for turns, cancels in plan:
                tasks.append(asyncio.create_task(call()))
                left = iter(range(turns, -1, -1))
                await until(lambda left=left: next(left) == 0)
                if cancels:
                    tasks[-1].cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            for result, (_, cancels) in zip(results, plan, strict=True):
                assert result == b"ok" or (cancels and isinstance(result, asyncio.CancelledError)), result
            assert not any(isinstance(result, WireError) for result in results)
            await until(lambda: pool.busy == 0)
            assert pool.idle == pool.connections <= limit

    run(main())
