"""Deadlines hold: for the first token, between tokens, and for the whole call."""

import json

import pytest

from gateway.disks import HangingDisk
from gateway.raw_client import connected, hear, parse, payload, request
from gateway.running import play
from trunkline.simulator import ErrorAnswer, Script, Stall

GOOD = Script(text="All is well.")
SILENT = Script(text="one two three", fault=Stall())
PAUSING = Script(text="one two three", fault=Stall(after_tokens=2))
FIRST = "first/gpt-4o-mini"


def test_no_first_token_in_time_is_a_failure_and_the_next_target_s_turn(tmp_path):
    async def story(gateway, simulator):
        heard = await hear(gateway, {"stream": True})
        assert heard.text == "All is well."
        await simulator.openai.wait_until_left(1)
        failed, answered = gateway.record("call.closed")["attempts"]
        assert failed["reason"] == "first_token_timeout"
        assert failed["total_ms"] - failed["started_ms"] >= 99
        assert answered["outcome"] == "answered"
        assert len(gateway.health(FIRST).breaker.failures) == 1

    play(tmp_path, story, SILENT, GOOD, first=", first_token: 100ms")


@pytest.mark.parametrize("ping", [None, 0.01], ids=["silence", "pings"])
def test_pings_and_role_chunks_are_no_first_token(tmp_path, ping):
    async def story(gateway, simulator):
        heard = await hear(gateway, {"model": "reversed", "stream": True})
        assert (heard.text, heard.whole) == ("All is well.", True)
        closed = gateway.record("call.closed")
        assert closed["attempts"][0]["reason"] == "first_token_timeout"
        assert closed["provider"] == "first"

    opened = Script(text="one", fault=Stall(after_tokens=0), ping_every=ping)
    play(tmp_path, story, GOOD, opened, second=", first_token: 100ms")


def test_waiting_for_a_stream_that_begins_with_a_role_alone_is_not_the_gateway_s_time_in_its_head(tmp_path):
    async def story(gateway, simulator):
        heard = await hear(gateway, {"model": "only-first", "stream": True})
        closed = gateway.record("call.closed")
        assert closed["timings"]["first_byte_ms"] >= 150
        assert float(heard.headers["x-trunkline-overhead-ms"]) < 75
        assert closed["timings"]["overhead_ms"] < closed["timings"]["total_ms"] / 2

    opened = Script(text="one", first_token=0.15, fault=Stall(after_tokens=0))
    play(tmp_path, story, opened, GOOD, first=", first_token: 300ms")


@pytest.mark.parametrize("model", ["only-first", "only-second"])
@pytest.mark.parametrize("ping", [None, 0.02], ids=["silence", "pings"])
def test_a_gap_that_is_too_long_ends_the_stream_pings_or_not(tmp_path, model, ping):
    async def story(gateway, simulator):
        heard = await hear(gateway, {"model": model, "stream": True})
        assert heard.text == "one two"
        assert "[DONE]" not in heard.events
        assert "gap_timeout" in json.loads(heard.events[-1])["error"]["message"]
        closed = gateway.record("call.closed")
        assert closed["attempts"][0]["reason"] == "gap_timeout"
        assert closed["timings"]["overhead_ms"] < closed["timings"]["total_ms"] / 2
        provider = simulator.openai if model == "only-first" else simulator.anthropic
        await provider.wait_until_left(1)

    script = Script(text=PAUSING.text, fault=PAUSING.fault, ping_every=ping)
    play(tmp_path, story, script, script, route="timeouts: {gap: 150ms}")


def test_the_whole_call_s_deadline_is_504_and_says_not_to_try_again(tmp_path):
    async def story(gateway, simulator):
        for stream in (False, True):
            heard = await hear(gateway, {"model": "only-first", "stream": stream})
            assert (heard.status, heard.error["code"]) == (504, "deadline_exceeded")
            assert heard.error["trunkline"]["source"] == "provider"
            assert heard.headers["x-should-retry"] == "false"
            assert heard.headers["content-type"] == "application/json"
        assert [record["status"] for record in gateway.records("call.closed")] == [504, 504]

    play(tmp_path, story, SILENT, route="timeouts: {total: 100ms}")


def test_failing_over_does_not_make_the_call_s_deadline_longer(tmp_path):
    async def story(gateway, simulator):
        heard = await hear(gateway)
        assert heard.status == 504
        failed, late = gateway.record("call.closed")["attempts"]
        assert failed["reason"] == "500 server_error"
        assert late["reason"] == "deadline"

    slow_to_fail = Script(fault=ErrorAnswer(status=500), first_token=0.1)
    play(tmp_path, story, slow_to_fail, SILENT, route="timeouts: {total: 250ms}")


def test_the_whole_call_s_deadline_in_the_middle_of_a_stream_is_an_error_in_it(tmp_path):
    async def story(gateway, simulator):
        heard = await hear(gateway, {"model": "only-first", "stream": True})
        assert heard.status == 200
        assert heard.text == "one two"
        assert json.loads(heard.events[-1])["error"]["code"] == "deadline_exceeded"
        assert "[DONE]" not in heard.events
        closed = gateway.record("call.closed")
        assert (closed["outcome"], closed["attempts"][0]["reason"]) == ("failed", "deadline")
        await simulator.openai.wait_until_left(1)

    play(tmp_path, story, PAUSING, route="timeouts: {total: 150ms}")


def test_the_whole_call_s_deadline_holds_while_the_record_waits_for_the_disk(tmp_path):
    disk = HangingDisk(before=b'"call.opened"')

    async def story(gateway, simulator):
        disk.hang()
        async with connected(gateway) as (reader, writer):
            writer.write(request(payload({"model": "only-first", "stream": True})))
            await simulator.openai.wait_until_left(1)
            disk.go_on()
            heard = parse(await reader.read())
        assert (heard.status, heard.error["code"]) == (504, "deadline_exceeded")

    play(tmp_path, story, PAUSING, disk=disk, route="timeouts: {total: 150ms}")


def test_a_provider_that_hangs_for_a_whole_json_call_has_failed(tmp_path):
    async def story(gateway, simulator):
        heard = await hear(gateway, {"model": "only-first"})
        assert heard.status == 504
        assert len(gateway.health(FIRST).breaker.failures) == 1

    play(tmp_path, story, SILENT, GOOD, route="timeouts: {total: 300ms}", first=", first_token: 100ms")
