"""Asking and reading an answer, against a provider that follows a script."""

import asyncio
import time

import h11
import pytest
from providing import (
    HEADERS,
    LAST_CHUNK,
    OK,
    STREAM,
    Received,
    answered,
    asking,
    chunk,
    pooling,
    providing,
    until_next_turn,
)
from serving import run, until

from trunkline.wire.answer import HIGH_WATER
from trunkline.wire.client import AnswerMalformed, AnswerTooLarge


def test_a_request_has_the_base_path_and_exactly_these_headers() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool, b'{"model":"m"}')
            peer = await provider.peer()
            assert await peer.request() == Received(
                b"POST /v1/chat",
                {
                    b"host": b"127.0.0.1:%d" % provider.port,
                    b"accept-encoding": b"identity",
                    b"content-type": b"application/json",
                    b"content-length": b"13",
                },
                b'{"model":"m"}',
            )
            peer.send(b"HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\ncontent-length: 4\r\n\r\nlate")
            answer = await task
            assert answer.status == 429
            assert answer.headers == {b"retry-after": b"7", b"content-length": b"4"}
            assert answer.delimited
            assert await answer.read() == b"late"

    run(main())


@pytest.mark.parametrize("target", [b"chat", b"/a b", b"/a\r\nx: y", b"", b"/\x00", b"/\xff"])
def test_a_target_that_would_break_the_request_line_is_refused(target: bytes) -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            with pytest.raises(ValueError, match="target"):
                await pool.ask(target, HEADERS, b"")
            assert pool.connections == 0

    run(main())


@pytest.mark.parametrize(
    "headers",
    [
        b"a: b",
        b"a: b\r\n\r\nGET / HTTP/1.1\r\n",
        b"\r\n",
        b"a: b\n\n",
        b"a: b\nc: d\r\n",
        b"a : b\r\n",
        b"a: \0\r\n",
        b"a: b\r\nContent-Length: 9\r\n",
        b"transfer-encoding: chunked\r\n",
        b"Host: elsewhere\r\n",
    ],
)
def test_headers_that_would_change_the_message_are_refused(headers: bytes) -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            with pytest.raises(ValueError, match="header"):
                await pool.ask(b"/chat", headers, b"")

    run(main())


def test_a_stream_is_read_as_it_comes_and_ends_clean() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.send(STREAM)
            answer = await task
            assert answer.first_byte_at == 0
            before = time.monotonic_ns()
            peer.send(chunk(b"one "))
            assert await answer.next_piece() == b"one "
            assert before <= answer.first_byte_at <= time.monotonic_ns()
            first = answer.first_byte_at
            peer.send(chunk(b"two ") + chunk(b"three "))
            assert await answer.next_piece() == b"two three "
            peer.send(chunk(b"four") + LAST_CHUNK)
            assert await answer.next_piece() == b"four"
            assert await answer.next_piece() == b""
            assert await answer.next_piece() == b""
            assert answer.first_byte_at == first
            assert (pool.idle, pool.busy) == (1, 0)

    run(main())


def test_redirects_are_answers_and_are_not_followed() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            moved = b"HTTP/1.1 307 X\r\nlocation: http://127.0.0.1:%d/\r\ncontent-length: 0\r\n\r\n" % provider.port
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.send(moved)
            answer = await task
            assert (answer.status, await answer.read()) == (307, b"")
            assert len(provider.peers) == 1

    run(main())


def test_interim_responses_are_skipped() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            await peer.sent()
            peer.send(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + OK)
            answer = await task
            assert (answer.status, answer.headers, await answer.read()) == (200, {b"content-length": b"2"}, b"ok")

    run(main())


def test_a_body_without_length_ends_with_the_connection_and_is_marked() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nsome")
            answer = await task
            assert await answer.next_piece() == b"some"
            peer.send(b" more")
            peer.close()
            assert await answer.next_piece() == b" more"
            assert await answer.next_piece() == b""
            assert not answer.delimited
            assert pool.connections == 0

    run(main())


def test_both_framings_at_once_are_malformed() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\nok")
            with pytest.raises(AnswerMalformed):
                await task
            await peer.gone()

    run(main())


@pytest.mark.parametrize("framing", [b"content-length: 1001\r\n\r\n", b"\r\n"])
def test_a_body_above_the_limit_is_not_read_whole(framing: bytes) -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(max_answer=1000)) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\n" + framing + b"x" * 1001)
            answer = await task
            with pytest.raises(AnswerTooLarge) as caught:
                await answer.read()
            assert caught.value.reason == "answer_too_large: more than 1000 bytes"

    run(main())


def test_a_body_at_the_limit_is_read_whole() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(max_answer=1000)) as pool:
            body = b"x" * 1000
            response = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + body
            assert (await answered(pool, provider, response))[1] == body

    run(main())


def test_a_body_that_comes_in_many_pieces_is_read_whole() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.send(STREAM)
            reading = asyncio.create_task((await task).read())
            size = 0
            for _ in range(64):
                piece = b"x" * 50_000
                size += len(piece)
                peer.send(chunk(piece))
                await peer.sent()
            peer.send(LAST_CHUNK)
            assert await reading == b"x" * size

    run(main())


def test_a_body_above_the_limit_is_not_read_on_piece_by_piece() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(max_answer=1000)) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3e8\r\n" + b"x" * 1000 + b"\r\n")
            answer = await task
            taken = 0
            while taken < 1000:
                taken += len(await answer.next_piece())
            peer.send(b"1\r\nx\r\n")
            with pytest.raises(AnswerTooLarge):
                await answer.next_piece()
            assert pool.connections == 0

    run(main())


def test_a_reader_that_does_not_read_pauses_the_provider() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint(max_answer=50_000_000)) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            total = 40_000_000
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % total)
            answer = await task
            writer = peer.streams[1]
            peer.send(bytes(total))
            # What neither the two kernels nor the answer take stays with the provider for good.
            level, same = -1, 0
            while same < 100:
                await until_next_turn()
                now = writer.transport.get_write_buffer_size()
                same = same + 1 if now == level else 0
                level = now
            assert level > total / 2
            largest = got = 0
            while piece := await answer.next_piece():
                largest = max(largest, len(piece))
                got += len(piece)
            assert got == total
            assert largest <= 2 * HIGH_WATER
            assert (pool.idle, pool.busy) == (1, 0)

    run(main())


def test_a_whole_answer_that_lies_unread_keeps_no_connection_busy() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool)
            peer = await provider.peer()
            await peer.request()
            peer.send(OK)
            answer = await task
            await until(lambda: pool.idle == 1)
            _, second = await answered(pool, provider, OK.replace(b"ok", b"42"), peer)
            assert (await answer.read(), second) == (b"ok", b"42")

    run(main())


def test_an_answer_never_shows_its_headers_or_body() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool, b"secret question")
            peer = await provider.peer()
            await peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\nset-cookie: secret\r\ncontent-length: 6\r\n\r\nsecret")
            answer = await task
            assert repr(answer) == "Answer(200, ended)"
            assert "secret" not in repr(pool)

    run(main())


def test_a_provider_that_answers_before_it_has_read_the_request_is_heard_and_not_asked_again_there() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            task = asking(pool, bytes(30_000_000))
            peer = await provider.peer()
            await peer.raw()
            peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
            answer = await task
            assert (answer.status, await answer.read()) == (413, b"no")
            assert pool.connections == 0
            await answered(pool, provider)
            assert len(provider.peers) == 2

    run(main())


def test_requests_are_such_that_h11_takes_the_next_one_on_the_same_connection() -> None:
    async def main() -> None:
        async with providing() as provider, pooling(provider.endpoint()) as pool:
            peer, _ = await answered(pool, provider)
            for _ in range(3):
                await answered(pool, provider, OK, peer)
            assert peer._h11.their_state is h11.DONE
            assert len(provider.peers) == 1

    run(main())
