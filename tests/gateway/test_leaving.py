"""A client that leaves (barge-in) stops its provider at once, is charged for what it got, and is nobody's failure."""

import asyncio
import json
import socket

import pytest
import uvloop

from gateway.disks import HangingDisk
from gateway.raw_client import connected, hear, parse, payload, request
from gateway.running import PATIENCE, check, play, running, until
from trunkline.policy.health import BreakerState
from trunkline.simulator import ErrorAnswer, Script, Simulator, Stall

FIRST = "first/gpt-4o-mini"
SILENT = Script(text="one two three", fault=Stall())
PAUSING = Script(text="one two three", fault=Stall(after_tokens=2))
both = pytest.mark.parametrize("model", ["only-first", "only-second"])


def provider_of(simulator, model):
    return simulator.openai if model == "only-first" else simulator.anthropic


@both
@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_before_the_first_byte_cancels_the_provider_at_once(tmp_path, model, stream):
    async def story(gateway, simulator):
        provider = provider_of(simulator, model)
        async with connected(gateway) as (_, writer):
            writer.write(request(payload({"model": model, "stream": stream})))
            await provider.wait_for_calls(1)
        await provider.wait_until_left(1)
        closed = gateway.record("call.closed")
        assert (closed["outcome"], closed["status"]) == ("cancelled_before", 499)
        assert closed["client_left_ms"] >= closed["attempts"][0]["started_ms"]
        assert closed["attempts"][0]["outcome"] == "cancelled"
        assert closed["cost"]["estimated"]
        assert closed["usage_estimated"]
        assert "released_chars" not in closed
        assert "error" not in closed

    play(tmp_path, story, SILENT, SILENT)


def test_a_call_that_never_reached_its_provider_costs_nothing(tmp_path):
    async def main():
        accepted = asyncio.Event()

        async def silent(reader, writer):  # what never answers a TLS greeting is being connected to for ever
            accepted.set()
            await reader.read()
            writer.close()

        async with asyncio.timeout(PATIENCE), await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            async with Simulator() as simulator, running(simulator, tmp_path, openai=url) as gateway:
                async with connected(gateway) as (_, writer):
                    writer.write(request(payload({"model": "only-first"})))
                    await accepted.wait()
                await until(lambda: gateway.worker._server.in_flight == 0)
                closed = gateway.record("call.closed")
                assert closed["outcome"] == "cancelled_before"
                assert closed["attempts"][0]["outcome"] == "cancelled"
                assert "cost" not in closed
                assert "usage" not in closed
                check(gateway)

    uvloop.run(main())


@both
def test_a_client_that_leaves_in_the_middle_of_a_stream_cancels_the_provider_at_once(tmp_path, model):
    async def story(gateway, simulator):
        provider = provider_of(simulator, model)
        async with connected(gateway) as (reader, writer):
            writer.write(request(payload({"model": model, "stream": True})))
            received = await reader.readuntil(b'two"},"logprobs":null,"finish_reason":null}]}\n\n\r\n')
        await provider.wait_until_left(1)
        closed = gateway.record("call.closed")
        assert (closed["outcome"], closed["status"]) == ("cancelled_after", 499)
        assert closed["released_chars"] == closed["received_chars"] == len("one two")
        assert closed["cost"]["estimated"]
        assert closed["usage"]["output"] == 2
        assert closed["timings"]["first_byte_ms"] <= closed["client_left_ms"]
        # What the client has seen is in the record, to the byte.
        assert gateway.parts(closed)["response"] == parse(received + b"0\r\n\r\n").body

    play(tmp_path, story, PAUSING, PAUSING)


def test_waiting_for_a_provider_that_the_client_gives_up_is_not_the_gateway_s_time(tmp_path):
    async def story(gateway, simulator):
        async with connected(gateway) as (reader, writer):
            writer.write(request(payload({"model": "only-first", "stream": True})))
            await reader.readuntil(b"two")
            # Some time passes: a call that waits for the whole of it.
            assert (await hear(gateway, {"model": "only-second"})).status == 200
        await simulator.openai.wait_until_left(1)
        closed = next(record for record in gateway.records("call.closed") if record["outcome"] == "cancelled_after")
        assert closed["timings"]["total_ms"] > 200
        assert closed["timings"]["overhead_ms"] < closed["timings"]["total_ms"] / 2

    play(tmp_path, story, PAUSING, Script(text="one", first_token=0.2))


def test_clients_that_leave_do_not_harm_the_health_of_a_target(tmp_path):
    async def story(gateway, simulator):
        for number in range(1, 4):
            async with connected(gateway) as (_, writer):
                writer.write(request(payload({"model": "only-first"})))
                await simulator.openai.wait_for_calls(number)
            await simulator.openai.wait_until_left(number)
        assert gateway.health(FIRST).breaker.phase == "closed"
        assert gateway.health(FIRST).breaker.failures == ()
        simulator.openai.play(Script(text="Still here."))
        assert (await hear(gateway, {"model": "only-first"})).text == "Still here."

    play(tmp_path, story, SILENT, route="breaker: {failures: 1}")


def test_a_client_that_leaves_during_the_probe_of_a_breaker_gives_the_probe_back(tmp_path):
    async def story(gateway, simulator):
        gateway.health(FIRST).breaker = BreakerState("half_open")
        async with connected(gateway) as (_, writer):
            writer.write(request(payload({"model": "only-first"})))
            await simulator.openai.wait_for_calls(1)
            beside = await hear(gateway, {"model": "only-first"})
            assert beside.error["code"] == "provider_unavailable"
            assert "breaker_probing" in beside.error["message"]
        await simulator.openai.wait_until_left(1)
        assert gateway.health(FIRST).breaker == BreakerState("half_open", probing=False)
        simulator.openai.play(Script(text="Well again."))
        assert (await hear(gateway, {"model": "only-first"})).text == "Well again."
        assert gateway.health(FIRST).breaker.phase == "closed"

    play(tmp_path, story, SILENT)


def test_no_other_target_is_asked_for_a_client_that_has_gone(tmp_path):
    async def story(gateway, simulator):
        async with connected(gateway) as (_, writer):
            writer.write(request(payload({"model": "voice", "stream": True})))
            await simulator.openai.wait_for_calls(1)
        await simulator.openai.wait_until_left(1)
        assert len(gateway.record("call.closed")["attempts"]) == 1
        assert simulator.anthropic.call_count == 0

    play(tmp_path, story, SILENT)


def test_a_client_that_leaves_while_its_record_waits_for_the_disk_cancels_the_provider(tmp_path):
    disk = HangingDisk()

    async def story(gateway, simulator):
        disk.hang()
        async with connected(gateway) as (_, writer):
            writer.write(request(payload({"model": "only-first", "stream": True})))
            await simulator.openai.wait_for_calls(1)
            await until(lambda: gateway.upstream("first").pool.busy == 1)
            await until(lambda: gateway.log._waiters._waiting)
        await simulator.openai.wait_until_left(1)
        disk.go_on()
        assert gateway.record("call.closed")["outcome"] == "cancelled_before"

    play(tmp_path, story, PAUSING, disk=disk)


def narrow(server) -> None:
    """Give the kernel little room for what the server's only connection sends."""
    (connection,) = server._open
    connection._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)


def test_a_client_that_reads_slowly_pauses_the_provider_and_loses_nothing(tmp_path):
    """However long the pause: the gap that is allowed is one of the provider's."""
    text = ("word " * 2000 + "\n") * 800

    async def story(gateway, simulator):
        provider, ours = simulator.openai, gateway.worker._server
        assert (await hear(gateway, {"model": "only-first"})).status == 200
        narrow(provider._server)  # the pool goes on with this connection
        await until(lambda: not ours._open)
        provider.play(Script(text=text, tokens_per_frame=4000))
        fields = {"model": "only-first", "stream": True, "max_tokens": 1_000_000_000}
        async with connected(gateway) as (reader, writer):
            await until(lambda: len(ours._open) == 1)
            narrow(ours)
            writer.write(request(payload(fields)))
            # The pause has come through all buffers on the way when the provider itself cannot write.
            await until(lambda: any(connection.congested for connection in provider._server._open))
            (to_client,) = ours._open
            (from_provider,) = gateway.upstream("first").pool._open
            held = to_client._transport.get_write_buffer_size() + from_provider._answer._reader.buffered
            assert 0 < held < 2 << 20
            assert provider.calls[1].ended_at is None
            loop = asyncio.get_running_loop()
            paused = loop.time()
            await until(lambda: loop.time() - paused > 1.2)
            heard = parse(await reader.read())
        assert heard.whole
        assert heard.text == text
        assert json.loads(heard.events[-2])["trunkline"]["outcome"] == "answered"
        assert gateway.records("call.closed")[1]["released_chars"] == len(text)

    play(tmp_path, story, route="timeouts: {gap: 1s}")


def test_a_failover_that_is_under_way_ends_with_the_client(tmp_path):
    async def story(gateway, simulator):
        async with connected(gateway) as (_, writer):
            writer.write(request(payload({"model": "voice"})))
            await simulator.anthropic.wait_for_calls(1)
        await simulator.anthropic.wait_until_left(1)
        closed = gateway.record("call.closed")
        assert closed["outcome"] == "cancelled_before"
        assert [attempt["outcome"] for attempt in closed["attempts"]] == ["failed", "cancelled"]

    play(tmp_path, story, Script(fault=ErrorAnswer(status=500)), SILENT)


def test_calls_that_fail_as_their_clients_leave_leave_no_exception_behind(tmp_path):
    """One that was left would be the context of all that follow, with everything that its call held."""

    async def story(gateway, _):
        for turns in range(60):
            async with connected(gateway) as (_, writer):
                writer.write(request(payload({"model": "only-first"})))
                for _ in range(turns % 40):
                    await asyncio.sleep(0)
        await until(lambda: not gateway.worker._server.in_flight)
        try:
            raise ValueError("whose context is what was left behind")  # noqa: TRY301
        except ValueError as error:
            assert error.__context__ is None

    failing = Script(fault=ErrorAnswer(status=500))
    play(tmp_path, story, failing, route="breaker: {failures: 1000, within: 1s, open_for: 10ms}")
