"""What a client of the server sees: order, framing, keep-alive, and errors that say what to do."""

import asyncio
import json

import pytest
from serving import connected, run, serving, until

from trunkline.wire.request import Request
from trunkline.wire.server import Responder

JSON = b"content-type: application/json\r\n"
GET = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"


async def echo(request: Request, responder: Responder) -> None:
    responder.send(200, JSON, b"%b %b %b" % (request.method, request.target, request.body))


def post(body: bytes, extra: bytes = b"") -> bytes:
    return b"POST /p HTTP/1.1\r\nHost: a\r\n%bContent-Length: %d\r\n\r\n%b" % (extra, len(body), body)


def test_a_connection_serves_one_request_after_the_other():
    async def main():
        async with serving(echo) as running, connected(running.port) as client:
            for i in range(3):
                client.say(post(b"hello %d" % i))
                answer = await client.hear()
                assert answer.status == 200
                assert answer.body == b"POST /p hello %d" % i
                assert answer.headers[b"content-type"] == b"application/json"
                assert answer.headers[b"date"].endswith(b" GMT")
                assert b"connection" not in answer.headers
            assert running.server.connections == 1

    run(main())


def test_pipelined_requests_are_answered_in_order_and_never_two_at_a_time():
    running_now, most, order = 0, 0, []

    async def slow_first(request: Request, responder: Responder) -> None:
        nonlocal running_now, most
        running_now += 1
        most = max(most, running_now)
        order.append(request.path)
        for _ in range(20 - int(request.path[1:])):
            await asyncio.sleep(0)
        responder.send(200, b"", request.target)
        running_now -= 1

    async def main():
        async with serving(slow_first, max_pipelined=1) as running, connected(running.port) as client:
            client.say(b"".join(GET % (b"%d" % i) for i in range(20)))
            assert [(await client.hear()).body for _ in range(20)] == [b"/%d" % i for i in range(20)]
        assert order == [f"/{i}" for i in range(20)]
        assert most == 1

    run(main())


def test_requests_read_ahead_are_bounded_and_the_rest_waits_in_the_kernel():
    release = asyncio.Event()

    async def held_up(request: Request, responder: Responder) -> None:
        await release.wait()
        responder.send(200, b"", b"")

    async def main():
        async with serving(held_up, max_pipelined=2) as running, connected(running.port) as client:
            count = 200_000
            client.say((GET % b"x") * count)
            await until(lambda: running.server.in_flight_bytes > 10_000)
            (connection,) = running.server._open
            assert not connection._reading
            turns = iter(range(200))  # of the loop, in which nothing more may be read
            await until(lambda: next(turns, None) is None)
            assert running.server.in_flight_bytes < 600_000
            assert client.writer.transport.get_write_buffer_size() > 0
            release.set()
            for _ in range(1000):
                assert (await client.hear()).status == 200

    run(main())


def test_a_streamed_answer_is_chunked_and_whole():
    async def stream(request: Request, responder: Responder) -> None:
        responder.start(200, b"content-type: text/event-stream\r\n")
        assert responder.started
        for i in range(3):
            responder.write(b"data: %d\n\n" % i)
            responder.write(b"")
            await asyncio.sleep(0)
        responder.finish(b"data: [DONE]\n\n")
        assert responder.finished

    async def main():
        async with serving(stream) as running, connected(running.port) as client:
            for _ in range(2):
                client.say(GET % b"")
                answer = await client.hear()
                assert answer.body == b"data: 0\n\ndata: 1\n\ndata: 2\n\ndata: [DONE]\n\n"
                assert answer.headers[b"transfer-encoding"] == b"chunked"
                assert b"content-length" not in answer.headers

    run(main())


def test_http_1_0_gets_its_stream_up_to_the_close():
    async def stream(request: Request, responder: Responder) -> None:
        responder.start(200, b"")
        responder.write(b"one")
        responder.finish(b"two")

    async def main():
        async with serving(stream) as running, connected(running.port) as client:
            client.say(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
            head, _, body = (await client.hung_up()).partition(b"\r\n\r\n")
            assert body == b"onetwo"
            assert b"connection: close" in head
            assert b"transfer-encoding" not in head

    run(main())


def test_http_1_0_keeps_its_connection_only_where_it_asks():
    async def main():
        async with serving(echo) as running, connected(running.port) as client:
            client.say(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
            assert (await client.hear()).headers[b"connection"] == b"keep-alive"
            client.say(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
            assert (await client.hear()).headers[b"connection"] == b"close"
            assert await client.hung_up() == b""

    run(main())


@pytest.mark.parametrize("asked_by", ["client", "handler"])
def test_connection_close_closes_after_the_answer(asked_by):
    async def handler(request: Request, responder: Responder) -> None:
        responder.close_after |= asked_by == "handler"
        responder.send(200, b"", b"x" * 300_000)

    async def main():
        async with serving(handler) as running, connected(running.port) as client:
            client.say(
                b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n" % (b"Connection: close\r\n" if asked_by == "client" else b"")
            )
            answer = await client.hear()
            assert answer.headers[b"connection"] == b"close"
            assert len(answer.body) == 300_000
            assert await client.hung_up() == b""

    run(main())


def test_head_and_bodyless_statuses_have_no_body():
    async def handler(request: Request, responder: Responder) -> None:
        if request.path == "/stream":
            responder.start(200, b"")
            responder.write(b"x")
            responder.finish(b"y")
        else:
            responder.send(int(request.path[1:]), b"", b"body")

    async def main():
        async with serving(handler) as running, connected(running.port) as client:
            client.say(b"HEAD /200 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n")
            client.say(GET % b"204" + GET % b"304" + GET % b"200")
            head = await client.hear(b"HEAD")
            assert (head.body, head.headers[b"content-length"]) == (b"", b"4")
            assert (await client.hear(b"HEAD")).body == b""
            no_content = await client.hear()
            assert (no_content.status, no_content.body) == (204, b"")
            assert b"content-length" not in no_content.headers
            assert (await client.hear()).body == b""
            assert (await client.hear()).body == b"body"

    run(main())


def test_100_is_said_once_the_head_is_acceptable_and_after_earlier_answers():
    async def main():
        async with serving(echo) as running, connected(running.port) as client:
            head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
            client.say(GET % b"first" + head)
            assert (await client.hear_until(b"GET /first ")).count(b"HTTP/1.1") == 1
            assert await client.hear_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.say(b"ok")
            assert (await client.hear()).body == b"POST / ok"
            client.say(head + b"ok")
            assert (await client.hear_until(b"\r\n")) == b"HTTP/1.1 200 OK\r\n"

    run(main())


def test_a_body_that_is_too_large_gets_its_final_status_instead_of_100():
    async def main():
        async with serving(echo, max_body=10) as running, connected(running.port) as client:
            client.say(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n")
            assert (await client.hear()).status == 413
            assert await client.hung_up() == b""

    run(main())


def test_a_malformed_request_is_answered_after_the_good_ones_before_it_and_reported():
    async def main():
        async with serving(echo) as running, connected(running.port) as client:
            client.say(GET % b"good" + b"GET / HTTP/1.1\r\n\r\n" + GET % b"never")
            assert (await client.hear()).body == b"GET /good "
            answer = await client.hear()
            assert answer.status == 400
            assert answer.headers[b"connection"] == b"close"
            assert json.loads(answer.body) == {
                "error": {
                    "message": "the Host header is missing or malformed",
                    "type": "invalid_request_error",
                    "code": "invalid_request",
                    "param": None,
                    "trunkline": {"call": None, "rule": None, "source": "client", "retry_after": None},
                }
            }
            assert await client.hung_up() == b""
            (error, peer) = running.refused[0]
            assert error.code == "invalid_request"
            assert peer == "{}:{}".format(*client.writer.get_extra_info("sockname"))

    run(main())


def test_an_upgrade_to_h2c_is_answered_in_http_1_1_with_its_body():
    async def main():
        async with serving(echo) as running, connected(running.port) as client:
            client.say(post(b"body", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n"))
            answer = await client.hear()
            assert (answer.status, answer.body) == (200, b"POST /p body")
            client.say(GET % b"again")
            assert (await client.hear()).body == b"GET /again "

    run(main())


def test_a_handler_that_fails_before_its_answer_gives_500_and_is_reported():
    async def broken(request: Request, responder: Responder) -> None:
        raise ValueError("sk-secret")

    async def main():
        async with serving(broken) as running, connected(running.port) as client:
            client.say(GET % b"")
            answer = await client.hear()
            assert answer.status == 500
            assert json.loads(answer.body)["error"]["code"] == "internal_error"
            assert b"sk-secret" not in answer.body
            assert await client.hung_up() == b""
            assert [type(fault) for fault in running.faults] == [ValueError]

    run(main())


@pytest.mark.parametrize("ending", ["raise", "return", "cancel", "abort"])
def test_a_stream_that_its_handler_does_not_finish_is_cut_with_a_reset(ending):
    async def broken(request: Request, responder: Responder) -> None:
        responder.start(200, b"")
        responder.write(b"part")
        await asyncio.sleep(0)
        if ending == "raise":
            raise ValueError
        if ending == "cancel":
            raise asyncio.CancelledError
        if ending == "abort":
            responder.abort()
            assert responder.finished

    async def main():
        async with serving(broken) as running, connected(running.port) as client:
            client.say(GET % b"")
            with pytest.raises(ConnectionResetError):
                await client.hung_up()
            assert len(running.faults) == (ending == "raise")

    run(main())


def test_an_answer_is_given_once_and_in_order():
    done = asyncio.Event()

    async def confused(request: Request, responder: Responder) -> None:
        for use in (lambda: responder.write(b"x"), responder.finish):
            with pytest.raises(RuntimeError):
                use()
        responder.send(200, b"", b"")
        for use in (
            lambda: responder.send(200, b"", b""),
            lambda: responder.start(200, b""),
            lambda: responder.write(b"x"),
            responder.finish,
        ):
            with pytest.raises(RuntimeError):
                use()
        done.set()

    async def main():
        async with serving(confused) as running, connected(running.port) as client:
            client.say(GET % b"")
            assert (await client.hear()).status == 200
            await done.wait()
            assert running.faults == []

    run(main())


def test_options_and_unknown_paths_go_to_the_handler():
    async def main():
        async with serving(echo) as running, connected(running.port) as client:
            client.say(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\nDELETE /x HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await client.hear()).body == b"OPTIONS * "
            assert (await client.hear()).body == b"DELETE /x "

    run(main())
