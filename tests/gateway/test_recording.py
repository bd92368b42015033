"""What was asked, sent, received and released is in the log, before the client has it, and no secret with it."""

import asyncio
import contextlib
import json
import re
import shutil
from collections import Counter

import msgspec
import pytest
import uvloop

from gateway.disks import FailingDisk, HangingDisk
from gateway.raw_client import connected, get, hear, parse, payload, request, send
from gateway.running import FIRST_KEY, PATIENCE, SECOND_KEY, SECRET, SMALL_LOG, check, play, running, until
from trunkline.audit.format.timing import decode_timing
from trunkline.simulator import ErrorAnswer, Script, Simulator, Stall

ways = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
GOOD = Script(text="All is well.")
WRONG_SECRET = "tl-wrong-8sJ2nVqYx5Lt0GhRbE3mKcWzUf7PdAoN"


class Tape:
    """A provider that keeps the bytes that it gets and answers with given ones."""

    def __init__(self, head: bytes, body: bytes) -> None:
        self.received: list[bytes] = []
        self._answer = head + body
        self._server: asyncio.Server

    async def _serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                self.received.append(await reader.readexactly(length))
                writer.write(self._answer)
        writer.close()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_):
        self._server.close()


STREAMED = b"".join(
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":%b}\n\n' % choices
    for choices in (
        b'[{"index":0,"delta":{"role":"assistant","content":"Gr\xc3\xbc\xc3\x9fe"},"finish_reason":null}]',
        b'[{"index":0,"delta":{"content":" \\u2014 odd \\"bytes\\""},"finish_reason":null}]',
        b'[{"index":0,"delta":{},"finish_reason":"stop"}]',
    )
)
STREAMED += b": a comment\r\n\r\ndata: [DONE]\n\n"
WHOLE = (
    b'{ "id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-4o-mini",\n  "choices": [{"index": 0, '
    b'"message": {"role": "assistant", "content": "Gr\xc3\xbc\xc3\x9fe"}, "finish_reason": "stop"}],\n "odd": [1.5] }\n'
)


def chunked(data: bytes) -> bytes:
    return (
        b"".join(b"%x\r\n%b\r\n" % (len(data[i : i + 7]), data[i : i + 7]) for i in range(0, len(data), 7))
        + b"0\r\n\r\n"
    )


TAPES = {
    False: (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(WHOLE),
        WHOLE,
        WHOLE,
    ),
    True: (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        chunked(STREAMED),
        STREAMED,
    ),
}


@ways
def test_the_record_has_every_body_to_the_byte(tmp_path, stream):
    head, wire, body = TAPES[stream]
    asked = (
        b'{ "model":"only-first",\n\t"stream": %b, "messages": [{"role":"user","content":"Gr\\u00fc\xc3\x9fe"}] }'
        % (b"true" if stream else b"false")
    )

    async def main():
        async with (
            asyncio.timeout(PATIENCE),
            Tape(head, wire) as tape,
            Simulator() as simulator,
            running(simulator, tmp_path, openai=tape.url) as gateway,
        ):
            heard = await send(gateway, request(asked))
            assert heard.status == 200
            assert heard.whole
            assert stream or heard.json["trunkline"]["estimated"]
            assert gateway.parts(gateway.record("call.opened")) == {"request": asked}
            assert gateway.parts(gateway.record("call.closed")) == {
                "1.provider_request": tape.received[0],
                "1.provider_response": body,
                "response": heard.body,
            }
            check(gateway)

    uvloop.run(main())


@ways
def test_an_answer_whose_counts_make_no_sense_is_delivered_and_charged_by_estimate(tmp_path, stream):
    said = "message" if not stream else "delta"
    choice = {"index": 0, said: {"role": "assistant", "content": "All is well."}, "finish_reason": "stop"}
    answer = json.dumps({"choices": [choice], "usage": {"prompt_tokens": -7, "completion_tokens": 3}}).encode()
    if stream:
        answer = b"data: %b\n\ndata: [DONE]\n\n" % answer
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (
        b"text/event-stream" if stream else b"application/json",
        len(answer),
    )

    async def main():
        async with (
            asyncio.timeout(PATIENCE),
            Tape(head, answer) as tape,
            Simulator() as simulator,
            running(simulator, tmp_path, openai=tape.url) as gateway,
        ):
            heard = await hear(gateway, {"model": "only-first", "stream": stream})
            assert (heard.status, heard.text) == (200, "All is well.")
            opened, closed = gateway.record("call.opened"), gateway.record("call.closed")
            assert closed["outcome"] == "answered"
            assert closed["usage_estimated"]
            assert closed["cost"]["estimated"]
            assert closed["usage"]["input"] == opened["estimate"]["prompt_tokens"]
            assert closed["usage"]["output"] == 3
            check(gateway)

    uvloop.run(main())


@ways
def test_after_a_failover_the_record_has_the_bodies_of_both_attempts(tmp_path, stream):
    async def story(gateway, simulator):
        heard = await hear(gateway, {"stream": stream})
        parts = gateway.parts(gateway.record("call.closed"))
        assert set(parts) == {
            "1.provider_request",
            "1.provider_response",
            "2.provider_request",
            "2.provider_response",
            "response",
        }
        assert json.loads(parts["1.provider_request"]) == simulator.openai.calls[0].body
        assert json.loads(parts["2.provider_request"]) == simulator.anthropic.calls[0].body
        assert json.loads(parts["1.provider_response"])["error"]["code"] == "rate_limit_exceeded"
        assert b"All" in parts["2.provider_response"]
        assert parts["response"] == heard.body

    play(tmp_path, story, Script(fault=ErrorAnswer(status=429)), GOOD)


@ways
@pytest.mark.parametrize("status", [400, 429, 500])
def test_an_error_is_in_the_record_as_the_client_got_it(tmp_path, stream, status):
    async def story(gateway, simulator):
        heard = await hear(gateway, {"model": "only-first", "stream": stream})
        closed = gateway.record("call.closed")
        assert gateway.parts(closed)["response"] == heard.body
        assert closed["status"] == heard.status
        assert closed["error"]["message"] == heard.error["message"]
        assert closed["error"]["code"] == heard.error["code"]

    play(tmp_path, story, Script(fault=ErrorAnswer(status=status)))


def test_the_timing_of_a_stream_is_kept_chunk_by_chunk(tmp_path):
    async def story(gateway, simulator):
        await hear(gateway, {"model": "only-first", "stream": True})
        (frame,) = gateway.frames(gateway.record("call.closed"))
        came = decode_timing(frame["1.provider_response_timing"])
        went = decode_timing(frame["response_timing"])
        assert [at for at, _ in came] == sorted(at for at, _ in came)
        assert came[-1][0] >= 60  # the call began before the first token: however late that is read, the last is later
        assert went[0][0] >= came[0][0]

    play(tmp_path, story, Script(text="one two three four", tokens_per_second=50))


@ways
def test_no_byte_of_an_answer_leaves_before_its_opened_record_is_durable(tmp_path, stream):
    disk = HangingDisk()

    async def story(gateway, simulator):
        disk.hang()
        async with connected(gateway) as (reader, writer):
            writer.write(request(payload({"model": "only-first", "stream": stream})))
            await simulator.openai.wait_for_calls(1)
            await simulator.openai.wait_until_ended(1)
            await until(lambda: gateway.log._waiters._waiting)
            (connection,) = gateway.worker._server._open
            assert not connection._responder.started
            disk.go_on()
            heard = parse(await reader.read())
        assert heard.text == "All is well."

    play(tmp_path, story, GOOD, disk=disk)


def test_the_last_frame_of_a_stream_waits_for_the_closed_record(tmp_path):
    disk = HangingDisk(before=b'"call.closed"')

    async def story(gateway, simulator):
        disk.hang()
        async with connected(gateway) as (reader, writer):
            writer.write(request(payload({"model": "only-first", "stream": True})))
            begun = await reader.readuntil(b"well.")
            await until(lambda: gateway.log._waiters._waiting)
            (connection,) = gateway.worker._server._open
            assert not connection._responder.finished
            disk.go_on()
            heard = parse(begun + await reader.read())
        assert b"[DONE]" not in begun
        assert heard.events[-1] == "[DONE]"

    play(tmp_path, story, GOOD, disk=disk)


@ways
def test_what_cannot_be_recorded_is_not_answered(tmp_path, stream):
    disk = FailingDisk()

    async def story(gateway, simulator):
        assert (await get(gateway, "/readyz")).status == 200
        disk.fail()
        for _ in range(2):
            heard = await hear(gateway, {"model": "only-first", "stream": stream})
            assert heard.status == 503
            assert heard.error["code"] == "audit_unavailable"
            assert heard.error["trunkline"]["source"] == "gateway"
            assert int(heard.headers["retry-after"]) > 0
            assert b"well" not in heard.body
        assert simulator.openai.call_count <= 1  # the second was not even carried
        ready = await get(gateway, "/readyz")
        assert (ready.status, ready.json["status"]) == (503, "not ready")
        assert (await get(gateway, "/healthz")).status == 200
        assert "log_failed" in gateway.operations()

    play(tmp_path, story, GOOD, disk=disk)


def test_a_stream_whose_end_cannot_be_recorded_is_cut_and_not_ended(tmp_path):
    disk = FailingDisk(at=b'"call.closed"')

    async def story(gateway, simulator):
        disk.fail()
        heard = await hear(gateway, {"model": "only-first", "stream": True})
        assert heard.status == 200
        assert not heard.whole
        assert b"[DONE]" not in heard.body

    play(tmp_path, story, GOOD, disk=disk)


@ways
def test_a_disk_that_hangs_becomes_503_when_its_time_is_up(tmp_path, stream):
    disk = HangingDisk()
    settings = msgspec.structs.replace(SMALL_LOG, flush_bound=0.1)

    async def story(gateway, simulator):
        disk.hang()
        heard = await hear(gateway, {"model": "only-first", "stream": stream})
        assert (heard.status, heard.error["code"]) == (503, "audit_unavailable")
        assert (await get(gateway, "/readyz")).status == 503
        disk.go_on()

    play(tmp_path, story, GOOD, disk=disk, settings=settings)


def test_a_running_stream_is_in_the_log_after_a_second_even_while_it_is_silent(tmp_path):
    async def story(gateway, simulator):
        heard = await hear(gateway, {"model": "only-first", "stream": True})
        closed = gateway.record("call.closed")
        early, late = gateway.frames(closed)
        assert b" two" in early["1.provider_response"]
        assert b" two" in early["response"]
        assert b"gap_timeout" in late["response"]
        assert "1.provider_response" not in late
        assert gateway.parts(closed)["response"] == heard.body

    script = Script(text="one two three", fault=Stall(after_tokens=2))
    play(tmp_path, story, script, route="timeouts: {gap: 1200ms}")


def test_a_call_whose_worker_died_is_closed_as_abandoned_by_the_next(tmp_path):
    """The image of a log at one moment is what a kill at that moment leaves."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    pausing = Script(text="one two three", fault=Stall(after_tokens=2))

    async def main():
        async with asyncio.timeout(PATIENCE), Simulator(pausing) as simulator:
            async with running(simulator, before) as gateway:
                async with connected(gateway) as (reader, writer):
                    writer.write(request(payload({"model": "only-first", "stream": True})))
                    await reader.readuntil(b"two")
                    await until(lambda: gateway.log._open.calls()[0].bodies)
                    gateway.log.flush()
                    shutil.copytree(before / "data", after / "data")
                await simulator.openai.wait_until_left(1)
            async with running(simulator, after) as gateway:
                opened, abandoned = gateway.record("call.opened"), gateway.record("call.abandoned")
                assert abandoned["call"] == opened["call"]
                assert abandoned["outcome"] == "abandoned"
                assert abandoned["tenant"] == "harbor"
                assert abandoned["cost"]["estimated"]
                estimate = opened["estimate"]
                assert abandoned["cost"]["amount"] == estimate["cost"]
                assert abandoned["cost"]["price_version"] == estimate["price_version"] != opened["snapshot"]
                assert abandoned["cost"]["price_source"] == estimate["price_source"] == "override"
                assert "recovered calls=1" in gateway.operations()
                assert abandoned["released_bytes"] > 0
                assert abandoned["received_bytes"] > 0
                check(gateway)

    uvloop.run(main())


def test_a_flood_of_refusals_is_a_handful_of_records_with_counts(tmp_path):
    async def story(gateway, simulator):
        wrong = {"authorization": f"Bearer {WRONG_SECRET}"}
        for _ in range(20):
            assert (await hear(gateway, None, wrong)).status == 401
            assert (await hear(gateway, None, {"authorization": None})).status == 401
            assert (await hear(gateway, {"model": "first/gpt-4o-mini"})).status == 403
            assert (await hear(gateway, {"model": "nowhere"})).status == 404
            assert (await get(gateway, "/v1/models", wrong)).status == 401
            assert (await get(gateway, "/v1/embeddings")).status == 404
            assert (await send(gateway, b"GET / HTTP/1.1\r\n\r\n")).status == 400
        gateway.worker._flush_refusals()
        refused = gateway.records("call.refused")
        counts: Counter[str] = Counter()
        for record in refused:
            counts[record["code"]] += record["count"]
        assert counts == {
            "invalid_api_key": 60,
            "route_not_allowed": 20,
            "model_not_found": 20,
            "endpoint_not_supported": 20,
            "invalid_request": 20,
        }
        assert len(refused) <= 15  # a few a second
        for record in refused:
            assert (record.get("key_id") == "voice-agent") == (
                record["code"] in ("route_not_allowed", "model_not_found")
            )
            assert record["outcome"] == ("denied" if record["status"] in (401, 403) else "invalid")
        assert gateway.records("call.opened") == []
        lines = [
            line.split(" call_refused ")[1] for line in gateway.operations().splitlines() if "call_refused" in line
        ]
        known = [line for line in lines if "tenant=harbor key=voice-agent" in line]
        assert len({line.split()[0] for line in known}) == len(known) == 40
        assert all(
            re.match(r"call=[0-9a-f-]{36} outcome=(denied|invalid) status=40[34] error=", line) for line in known
        )
        strangers = [line for line in lines if line not in known]
        assert sum(int(line.rpartition("count=")[2]) for line in strangers) == 80
        assert len(strangers) <= 10
        assert not any("call=" in line for line in strangers)

    play(tmp_path, story)


def test_a_refused_call_s_record_names_its_user_where_it_is_known(tmp_path):
    async def story(gateway, simulator):
        assert (await hear(gateway, {"shiny": 1, "user": "ann"})).status == 400
        gateway.worker._flush_refusals()
        assert gateway.record("call.refused")["user"] == "ann"

    play(tmp_path, story, route="pass_through: refuse")


def test_no_key_is_in_any_file_body_or_answer(tmp_path):
    secrets = [SECRET, FIRST_KEY, SECOND_KEY, WRONG_SECRET]

    async def story(gateway, simulator):
        answers = [
            await hear(gateway),
            await hear(gateway, {"stream": True}),
            await hear(gateway, {"model": "only-second"}, {"authorization": None, "x-api-key": SECRET}),
            await hear(gateway, None, {"authorization": f"Bearer {WRONG_SECRET}"}),
            await hear(gateway, None, {"x-api-key": WRONG_SECRET}),
            await hear(gateway, {"model": "nowhere"}),
            await get(gateway, f"/v1/{WRONG_SECRET}"),
            await get(gateway, "/v1/models"),
        ]
        gateway.worker._flush_refusals()
        texts = [str(answer.headers).encode() + answer.body for answer in answers if answer.status != 404]
        for record in gateway.records(""):
            texts.append(json.dumps(record).encode())
            texts += gateway.parts(record).values() if record["type"].startswith("call.") else ()
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert len(files) >= 4
        texts += [path.read_bytes() for path in files]
        for secret in secrets:
            assert not [text for text in texts if secret.encode() in text]
        for upstream in gateway.worker._upstreams.all():
            assert not [secret for secret in secrets if secret in repr(upstream) + repr(upstream.secrets)]

    play(tmp_path, story, [Script(fault=ErrorAnswer(status=401)), GOOD], GOOD)
