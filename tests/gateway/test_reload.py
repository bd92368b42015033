"""A reload takes effect whole or not at all, calls in flight keep what they started with, a drain loses none."""

import asyncio
import json

import pytest

from gateway.raw_client import connected, get, hear, parse, payload, request
from gateway.running import FIRST_KEY, play, until
from trunkline.channel.messages import Drain, Drained, Load, Loaded, LoadFailed, NotReady
from trunkline.simulator import ErrorAnswer, Script, Stall

GOOD = Script(text="All is well.")
SLOW = Script(text="one two three four", tokens_per_second=20)
NEW_SECRET = "tl-5vRx8KpQ2mWz7TnYc4LbHs9JfGd3EaU6oViXqNyBtMk"
NEW_KEY = f"newcomer: {{secret: {NEW_SECRET}}}"


def test_a_reload_brings_new_keys_and_routes_into_force(tmp_path):
    async def story(gateway, simulator):
        mine = {"authorization": f"Bearer {NEW_SECRET}"}
        assert (await hear(gateway, None, mine)).status == 401
        before = gateway.worker._endpoints.in_force.digest
        compiled = gateway.compile(keys=NEW_KEY)
        assert await gateway.load(compiled) == Loaded(compiled.digest)
        assert (await hear(gateway, None, mine)).status == 200
        assert gateway.record("call.opened")["snapshot"] == compiled.digest != before

    play(tmp_path, story, GOOD)


def test_a_key_that_a_reload_takes_away_stops_at_once(tmp_path):
    async def story(gateway, simulator):
        mine = {"authorization": f"Bearer {NEW_SECRET}"}
        assert (await hear(gateway, None, mine)).status == 200
        await gateway.load(gateway.compile())
        assert (await hear(gateway, None, mine)).status == 401

    play(tmp_path, story, GOOD, keys=NEW_KEY)


def test_a_call_in_flight_keeps_the_snapshot_that_it_started_with(tmp_path):
    async def story(gateway, simulator):
        before = gateway.worker._endpoints.in_force.digest
        async with connected(gateway) as (reader, writer):
            writer.write(request(payload({"model": "only-first", "stream": True})))
            begun = await reader.readuntil(b'"one"')
            # Another first provider altogether: the old one's connections are retired.
            changed = gateway.compile(first_key="sk-first-changed-8Vq2", tenant="require: [user]")
            assert isinstance(await gateway.load(changed), Loaded)
            assert (await hear(gateway)).error["code"] == "user_required"
            heard = parse(begun + await reader.read())
        assert heard.text == "one two three four"
        assert heard.events[-1] == "[DONE]"
        assert gateway.record("call.opened")["snapshot"] == before
        assert json.loads(heard.events[-2])["trunkline"]["outcome"] == "answered"

    play(tmp_path, story, SLOW)


def test_connections_to_a_provider_that_a_reload_does_not_change_are_kept(tmp_path):
    async def story(gateway, simulator):
        kept, replaced = gateway.upstream("second"), gateway.upstream("first")
        await gateway.load(gateway.compile(first_key="sk-first-changed-8Vq2"))
        assert gateway.upstream("second") is kept
        assert gateway.upstream("first") is not replaced

    play(tmp_path, story, GOOD)


@pytest.mark.parametrize("broken", ["no JSON", "another digest", "no file"])
def test_a_bad_snapshot_changes_nothing(tmp_path, broken):
    async def story(gateway, simulator):
        before = gateway.worker._endpoints.in_force
        compiled = gateway.compile(keys=NEW_KEY)
        if broken == "no file":
            gateway.link.send(Load(str(tmp_path / "missing.json"), compiled.digest, compiled.secrets))
            answer = await gateway.told(LoadFailed)
        else:
            snapshot = b"{" if broken == "no JSON" else compiled.canonical.replace(b"newcomer", b"somebody")
            answer = await gateway.load(compiled, snapshot)
        assert isinstance(answer, LoadFailed)
        assert answer.digest == compiled.digest
        assert answer.reason
        assert gateway.worker._endpoints.in_force is before
        assert (await hear(gateway, None, {"authorization": f"Bearer {NEW_SECRET}"})).status == 401
        assert (await hear(gateway)).status == 200
        assert "load_failed" in gateway.operations()

    play(tmp_path, story, GOOD)


def test_a_reload_forgives_a_target_that_was_out_for_its_key(tmp_path):
    async def story(gateway, simulator):
        assert (await hear(gateway, {"model": "only-first"})).status == 502
        assert (await hear(gateway, {"model": "only-first"})).headers["x-trunkline-attempts"] == "0"
        await gateway.load(gateway.compile(first_key="sk-first-renewed-3Hn7"))
        assert (await hear(gateway, {"model": "only-first"})).text == "All is well."

    play(tmp_path, story, [Script(fault=ErrorAnswer(status=401)), GOOD])


def test_a_reload_forgives_nobody_whose_provider_is_the_same(tmp_path):
    async def story(gateway, simulator):
        assert (await hear(gateway, {"model": "only-first"})).status == 502
        await gateway.load(gateway.compile(second_key="sk-ant-renewed-5Kq8"))
        assert (await hear(gateway, {"model": "only-first"})).headers["x-trunkline-attempts"] == "0"

    play(tmp_path, story, [Script(fault=ErrorAnswer(status=401)), GOOD])


def test_a_reload_lets_an_account_s_refused_keys_be_used_again(tmp_path):
    async def story(gateway, simulator):
        upstream = gateway.upstream("first")
        refused = upstream.next_key("m", 0.0)
        upstream.refuse_key(refused, "m", 0.0, everywhere=True)
        await gateway.load(gateway.compile(first_key=f"[{FIRST_KEY}, sk-first-two-Zk4w]"))
        assert gateway.upstream("first") is upstream
        assert refused in {upstream.next_key("m", 0.0) for _ in range(4)}

    play(tmp_path, story, first_key=f"[{FIRST_KEY}, sk-first-two-Zk4w]")


def test_reloads_under_load_fail_no_call(tmp_path):
    async def story(gateway, simulator):
        async def caller(number):
            return [await hear(gateway, {"stream": bool(number % 2)}) for _ in range(10)]

        calling = asyncio.gather(*map(caller, range(8)))
        for number in range(6):
            keys = NEW_KEY if number % 2 else ""
            assert isinstance(
                await gateway.load(gateway.compile(keys=keys, first_key=f"sk-first-{number}-Xw82")), Loaded
            )
        answers = [heard for answers in await calling for heard in answers]
        assert [heard.text for heard in answers] == ["All is well."] * 80

    play(tmp_path, story, GOOD)


def test_a_drain_refuses_new_calls_finishes_those_in_flight_and_seals_the_log(tmp_path):
    async def story(gateway, simulator):
        async with connected(gateway) as (reader, writer):
            writer.write(request(payload({"model": "only-first", "stream": True}), {"connection": None}))
            begun = await reader.readuntil(b'"one"')
            gateway.link.send(Drain(10.0))
            assert (await gateway.told(NotReady)).reason == "draining"
            refused = await hear(gateway, None, {"connection": None})
            assert (refused.status, refused.error["code"]) == (503, "draining")
            assert refused.headers["connection"] == "close"
            assert refused.headers["x-should-retry"] == "true"
            assert refused.headers["retry-after"] == "1"
            ready = await get(gateway, "/readyz", {"connection": None})
            assert (ready.status, ready.json["reason"]) == (503, "draining")
            assert (await get(gateway, "/healthz")).status == 200
            heard = parse(begun + await reader.read())
        assert heard.events[-1] == "[DONE]"
        assert heard.text == "one two three four"
        await gateway.told(Drained)
        assert gateway.records("log.")[-1]["type"] == "log.sealed"
        (refusal,) = gateway.records("call.refused")
        assert (refusal["code"], refusal["count"]) == ("draining", 1)

    play(tmp_path, story, SLOW)


def test_a_drain_whose_time_is_up_cuts_what_is_left_and_closes_its_record(tmp_path):
    async def story(gateway, simulator):
        async with connected(gateway) as (reader, writer):
            writer.write(request(payload({"model": "only-first", "stream": True})))
            begun = await reader.readuntil(b'"one"')
            gateway.link.send(Drain(0.05))
            await gateway.told(Drained)
            with pytest.raises(ConnectionResetError):
                await reader.read()
        assert b"[DONE]" not in begun
        await simulator.openai.wait_until_left(1)
        closed = gateway.record("call.closed")
        assert (closed["outcome"], closed["status"], closed["error"]["code"]) == ("failed", 200, "draining")
        assert "client_left_ms" not in closed
        assert closed["cost"]["estimated"]

    play(tmp_path, story, Script(text="one two", fault=Stall(after_tokens=1)))


def test_a_supervisor_that_vanishes_is_a_drain(tmp_path):
    async def story(gateway, simulator):
        await gateway.link.close()
        await until(lambda: not gateway.log._flusher.running)
        assert "supervisor_gone" in gateway.operations()

    play(tmp_path, story)
