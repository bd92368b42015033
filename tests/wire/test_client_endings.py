"""How an answer ends before its time: cut by the provider, failed, aborted or released by the caller."""

import asyncio

import pytest
from providing import HEADERS, LAST_CHUNK, OK, STREAM, answered, asking, chunk, pooling, providing, until_next_turn
from serving import run, until

from trunkline.wire.client import AnswerMalformed, ConnectionBroken
from trunkline.wire.client_connection import RELEASED_BYTES


@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize(
    ("begun", "where"),
    [
        (b"", "before the answer"),
        (b"HTTP/1.1 200 OK\r\nconte", "in its head"),
        (STREAM, "within the answer"),
        (STREAM + chunk(b"ok"), "within the answer"),
        (STREAM + b"4\r\nok", "within the answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nok", "within the answer"),
    ],
)
def test_an_answer_cut_short_is_broken_wherever_it_is_cut(begun: bytes, where: str, ending: str) -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            if begun.startswith(STREAM):
                peer.send(begun)
                answer = await task
                if begun != STREAM:
                    assert await answer.next_piece() == b"ok"
                (peer.close if ending == "close" else peer.reset)()
                with pytest.raises(ConnectionBroken, match=where):
                    await answer.next_piece()
            else:
                peer.send(begun)
                peer.close()
                with pytest.raises(ConnectionBroken, match=where):
                    await (await task).read()
            assert pool.connections == 0
            assert len(provider.peers) == 1

    run(main())


def test_a_reset_after_a_body_without_length_is_no_clean_end() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\n\r\nsome")
            answer = await task
            assert await answer.next_piece() == b"some"
            peer.reset()
            with pytest.raises(ConnectionBroken, match="reset by the provider"):
                await answer.next_piece()

    run(main())


def test_what_came_before_a_malformed_chunk_is_still_given() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.send(STREAM + chunk(b"ok") + b"nonsense\r\n")
            answer = await task
            assert await answer.next_piece() == b"ok"
            with pytest.raises(AnswerMalformed):
                await answer.next_piece()
            await peer.gone()
            assert pool.connections == 0

    run(main())


def test_failing_an_answer_raises_that_error_where_it_is_waited_for() -> None:
    class GapPassed(Exception):
        pass

    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.send(STREAM)
            answer = await task
            asyncio.get_running_loop().call_soon(answer.fail, GapPassed())
            with pytest.raises(GapPassed):
                await answer.next_piece()
            await peer.gone()
            assert pool.connections == 0

    run(main())


def test_failing_an_answer_before_the_wait_raises_in_the_next_one_and_drops_what_had_come() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.send(STREAM + chunk(b"ok"))
            answer = await task
            answer.fail(TimeoutError("too late"))
            with pytest.raises(TimeoutError):
                await answer.next_piece()
            with pytest.raises(TimeoutError):
                await answer.read()
            assert pool.connections == 0

    run(main())


def test_failing_an_answer_that_has_ended_leaves_its_former_connection_alone() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.send(OK)
            answer = await task
            await until(lambda: pool.idle == 1)
            answer.fail(TimeoutError())
            with pytest.raises(TimeoutError):
                await answer.read()
            await answered(pool, provider, OK, peer)

    run(main())


def test_aborting_drops_the_connection_and_aborting_twice_does_no_harm() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.send(STREAM)
            answer = await task
            answer.abort()
            answer.abort()
            assert pool.connections == 0
            await peer.gone()
            with pytest.raises(ConnectionBroken, match="aborted by the caller"):
                await answer.next_piece()

    run(main())


def test_a_second_waiter_is_refused() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.send(STREAM)
            answer = await task
            first = asyncio.create_task(answer.next_piece())
            await until_next_turn()
            with pytest.raises(RuntimeError):
                await answer.next_piece()
            peer.send(chunk(b"ok"))
            assert await first == b"ok"
            answer.abort()

    run(main())


def test_a_released_answer_gives_its_connection_back_when_the_end_follows() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.send(STREAM + chunk(b"data: [DONE]\n\n"))
            answer = await task
            await answer.next_piece()
            answer.release()
            assert (pool.idle, pool.busy) == (0, 1)
            peer.send(chunk(b": bye\n\n") + LAST_CHUNK)
            await until(lambda: pool.idle == 1)
            with pytest.raises(ConnectionBroken, match="released"):
                await answer.next_piece()
            await answered(pool, provider, OK, peer)

    run(main())


def test_releasing_an_answer_that_has_ended_changes_nothing() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.send(OK)
            answer = await task
            await until(lambda: pool.idle == 1)
            answer.release()
            assert await answer.read() == b"ok"
            assert pool.idle == 1

    run(main())


@pytest.mark.parametrize("then", ["goes on", "falls silent", "closes", "talks nonsense"])
def test_a_released_answer_whose_end_does_not_follow_loses_its_connection(then: str) -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.send(STREAM)
            (await task).release()
            if then == "goes on":
                peer.send(chunk(bytes(RELEASED_BYTES + 1)))
            elif then == "closes":
                peer.close()
            elif then == "talks nonsense":
                peer.send(b"nonsense\r\n")
            await peer.gone()
            assert pool.connections == 0

    run(main())


def test_one_timer_that_cancels_bounds_the_head_and_the_first_piece_alike() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            for stage in ("connected", "headed"):

                async def call() -> None:
                    answer = await pool.ask(b"/chat", HEADERS, b"{}")
                    await answer.next_piece()

                task = asyncio.create_task(call())
                peer = await provider.peer()
                await peer.request()
                if stage == "headed":
                    peer.send(STREAM)
                    await peer.sent()
                asyncio.get_running_loop().call_later(0.01, task.cancel)
                with pytest.raises(asyncio.CancelledError):
                    await task
                await peer.gone()
                assert pool.connections == 0

    run(main())
