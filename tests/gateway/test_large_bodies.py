"""Large bodies go into the log slice by slice: before the record that names them, and in nobody's way."""

import asyncio
import json

import msgspec
import pytest
import uvloop

from audit.logs import bodies, closed, open_log, opened, records
from gateway.raw_client import hear, payload, request, send
from gateway.running import PATIENCE, check, play, running, until
from gateway.test_answers import EMPTY
from gateway.test_journal import COMPRESSED, break_bodies
from gateway.test_recording import STREAMED, Tape, chunked
from trunkline.audit.files.segments import segment_path
from trunkline.audit.format.open_calls import OpenCall
from trunkline.audit.format.references import BodyRef
from trunkline.errors import AuditUnavailable
from trunkline.gateway.call import Call
from trunkline.gateway.journal import SLICE, Journal
from trunkline.gateway.recovery import abandoned_record
from trunkline.simulator import Script, Simulator
from trunkline.wire.request import Request

TEXT = " ".join(map(str, range(SLICE)))  # several slices, no two of them alike
WHOLE = json.dumps(
    {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
    }
).encode()
JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(WHOLE)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def asked(*, stream: bool) -> bytes:
    return json.dumps(
        {"model": "only-first", "stream": stream, "messages": [{"role": "user", "content": TEXT}]}
    ).encode()


def stand_before(gateway, record: dict) -> bool:
    """Whether the frames that a record names are all in front of it."""
    at = []
    for reference in msgspec.convert(record["bodies"], list[BodyRef]):
        segment = record["segment"] if reference.segment is None else reference.segment
        at.append((segment, segment_path(gateway.log_directory, segment).read_bytes().index(reference.key)))
    written = segment_path(gateway.log_directory, record["segment"]).read_bytes()
    return at == sorted(at) and at[-1] < (record["segment"], written.index(f'"id":"{record["id"]}"'.encode()))


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_a_large_call_is_in_the_log_to_the_byte_and_before_its_records(tmp_path, stream):
    head, wire, body = (STREAM_HEAD, chunked(STREAMED), STREAMED) if stream else (JSON_HEAD, WHOLE, WHOLE)

    async def main():
        async with (
            asyncio.timeout(PATIENCE),
            Tape(head, wire) as tape,
            Simulator() as simulator,
            running(simulator, tmp_path, openai=tape.url) as gateway,
        ):
            heard = await send(gateway, request(asked(stream=stream)))
            assert (heard.status, heard.whole) == (200, True)
            before, after = gateway.record("call.opened"), gateway.record("call.closed")
            assert gateway.parts(before) == {"request": asked(stream=stream)}
            assert gateway.parts(after) == {
                "1.provider_request": tape.received[0],
                "1.provider_response": body,
                "response": heard.body,
            }
            for record in (before, after):
                assert stand_before(gateway, record)
                assert all(sum(map(len, frame.values())) <= SLICE for frame in gateway.frames(record))
            check(gateway)

    uvloop.run(main())


def test_a_large_call_whose_bodies_cannot_be_written_is_answered_all_the_same(tmp_path):
    async def main():
        async with (
            asyncio.timeout(PATIENCE),
            Tape(JSON_HEAD, WHOLE) as tape,
            Simulator() as simulator,
            running(simulator, tmp_path, openai=tape.url, settings=COMPRESSED) as gateway,
        ):
            break_bodies(gateway, b"chat.completion")
            heard = await send(gateway, request(asked(stream=False)))
            assert (heard.status, heard.json["choices"][0]["message"]["content"]) == (200, TEXT)
            assert gateway.record("call.closed")["outcome"] == "answered"
            assert "bodies_unrecorded" in gateway.operations()
            check(gateway)

    uvloop.run(main())


def test_of_a_json_answer_that_was_only_being_logged_nothing_counts_as_released(tmp_path):
    async def story(gateway, simulator):
        released = {}
        for stream in (False, True):
            await hear(gateway, {"model": "only-first", "stream": stream})
            opened = gateway.records("call.opened")[-1]
            kept = BodyRef("sha256:00", "none", 10, {"response": (0, 10), "1.provider_response": (10, 5)})
            record = abandoned_record(OpenCall(opened["call"], json.dumps(opened).encode(), 0, [kept]))
            released[stream] = (record.released_bytes, record.received_bytes)
        assert released == {False: (0, 5), True: (10, 5)}

    play(tmp_path, story, Script(text="All is well."))


async def leave(gateway, body: bytes, logged: int) -> dict:
    """Send a call, leave when so much has been appended to the log, and return what closed it."""
    before = gateway.log._position
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(request(body))
    await until(lambda: gateway.log._position >= before + logged)
    writer.transport.abort()
    await until(lambda: gateway.worker._server.in_flight == 0)
    return gateway.records("call.closed")[-1]


def test_a_client_that_leaves_while_its_large_request_is_being_logged_leaves_a_record(tmp_path):
    async def story(gateway, simulator):
        closed_record = await leave(gateway, asked(stream=False), 2)
        assert closed_record["outcome"] == "cancelled_before"
        assert gateway.parts(gateway.record("call.opened"))["request"] == asked(stream=False)
        assert simulator.openai.call_count == 0
        assert "cost" not in closed_record

    play(tmp_path, story, Script(text="All is well."))


def test_a_client_that_leaves_while_its_large_answer_is_being_logged_is_charged_what_was_counted(tmp_path):
    async def story(gateway, simulator):
        heard = await hear(gateway, {"model": "only-first"})
        (counted,) = gateway.records("call.closed")
        assert heard.status == 200
        left = await leave(gateway, payload({"model": "only-first"}), 3)  # opened, and slices of the answer
        assert left["outcome"] == "cancelled_before"
        assert left["usage"] == counted["usage"]
        assert left["cost"] == counted["cost"]
        assert not left["cost"]["estimated"]

    play(tmp_path, story, Script(text=TEXT))


def large_call() -> Call:
    call = Call("c1", Request(b"POST", b"/", "/", {}, b"", 1, "peer"), EMPTY)
    call.bodies = {"request": TEXT.encode()}
    return call


def journal_of(log) -> Journal:
    return Journal(log, lambda: "id")


def logged(tmp_path, log, call: Call) -> bytes:
    """Close the call; return what the log has of its request."""
    closed(log, "c1", frames=call.body_frames)
    log.close_sync()
    (record,) = records(tmp_path / "log", "call.closed")
    return b"".join(frame["request"] for frame in bodies(tmp_path / "log", record))


def test_others_have_their_turns_between_two_slices(tmp_path):
    async def main():
        log, _ = open_log(tmp_path / "log")
        opened(log, "c1")
        call, turns, seen = large_call(), 0, []

        async def other():
            nonlocal turns
            while True:
                turns += 1
                seen.append(len(call.body_frames))
                await asyncio.sleep(0)

        others = asyncio.create_task(other())
        await journal_of(log).keep_large(call)
        others.cancel()
        assert set(seen) >= set(range(1, len(call.body_frames)))
        assert logged(tmp_path, log, call) == TEXT.encode()

    asyncio.run(main())


def test_a_caller_that_leaves_in_between_is_gone_when_all_slices_are_in_the_log(tmp_path):
    async def main():
        log, _ = open_log(tmp_path / "log")
        opened(log, "c1")
        call = large_call()
        keeping = asyncio.create_task(journal_of(log).keep_large(call))
        await asyncio.sleep(0)
        assert len(call.body_frames) == 1
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping
        assert logged(tmp_path, log, call) == TEXT.encode()

    asyncio.run(main())


def test_a_log_that_fails_in_between_ends_it(tmp_path):
    async def main():
        log, _ = open_log(tmp_path / "log")
        call = large_call()
        keeping = asyncio.create_task(journal_of(log).keep_large(call))
        await asyncio.sleep(0)
        log._flusher.fail("broken")
        with pytest.raises(AuditUnavailable):
            await keeping
        assert len(call.body_frames) == 1
        await log.close()

    asyncio.run(main())
