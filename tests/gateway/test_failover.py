"""A provider that says 429 or fails costs the caller nothing: the next target answers, and the record says how."""

import asyncio
import time

import pytest

from gateway.raw_client import hear
from gateway.running import FIRST_KEY, HELLO, play
from trunkline.policy.health import BreakerState
from trunkline.simulator import ErrorAnswer, RateLimit, Script, ToolCall

FIRST, SECOND = "first/gpt-4o-mini", "second/claude-haiku-4-5"
LIMITED = Script(fault=ErrorAnswer(status=429, retry_after=30))
GOOD = Script(text="All is well.")
ways = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])


@ways
def test_a_429_of_the_first_provider_is_an_answer_of_the_second(tmp_path, stream):
    async def story(gateway, simulator):
        heard = await hear(gateway, {"stream": stream})
        assert (heard.status, heard.text) == (200, "All is well.")
        assert heard.headers["x-trunkline-provider"] == "second"
        assert heard.headers["x-trunkline-attempts"] == "2"
        closed = gateway.record("call.closed")
        first, second = closed["attempts"]
        assert (first["provider"], first["status"], first["outcome"]) == ("first", 429, "failed")
        assert first["reason"] == "429 rate_limit_exceeded"
        assert first["dialect"] == "openai"
        assert first["provider_request_id"]
        assert (second["provider"], second["status"], second["outcome"]) == ("second", 200, "answered")
        assert second["dialect"] == "anthropic"
        assert second["provider_id"].startswith("msg_")
        assert second["started_ms"] >= first["total_ms"]
        assert second["first_token_ms"] <= second["total_ms"] <= closed["timings"]["total_ms"]
        assert (closed["provider"], closed["model"]) == ("second", "claude-haiku-4-5")
        assert closed["cost"]["price_source"]

    play(tmp_path, story, LIMITED, GOOD)


@ways
def test_a_target_that_said_429_rests_and_is_passed_over_with_the_reason(tmp_path, stream):
    async def story(gateway, simulator):
        await hear(gateway, {"stream": stream})
        heard = await hear(gateway, {"stream": stream})
        assert heard.headers["x-trunkline-attempts"] == "1"
        skipped, answered = gateway.records("call.closed")[1]["attempts"]
        assert (skipped["provider"], skipped["outcome"], skipped["reason"]) == ("first", "skipped", "rate_limited")
        assert "started_ms" not in skipped
        assert answered["provider"] == "second"
        assert simulator.openai.call_count == 1
        assert "target_rests" in gateway.operations()

    play(tmp_path, story, LIMITED, GOOD)


def test_a_target_rests_for_as_long_as_its_provider_said_and_is_then_used_again(tmp_path):
    async def story(gateway, simulator):
        loop = asyncio.get_running_loop()
        assert (await hear(gateway)).headers["x-trunkline-provider"] == "second"
        assert 29 < gateway.health(FIRST).resting_until - loop.time() <= 30
        gateway.health(FIRST).resting_until = loop.time()
        assert (await hear(gateway)).headers["x-trunkline-provider"] == "first"

    play(tmp_path, story, [LIMITED, GOOD], GOOD)


def test_the_rest_ends_by_itself_when_the_time_has_passed(tmp_path):
    async def story(gateway, simulator):
        assert (await hear(gateway, {"model": "only-first"})).status == 429
        while (heard := await hear(gateway, {"model": "only-first"})).status == 429:
            assert heard.error["code"] == "provider_unavailable"
            assert heard.headers["retry-after"] == "1"
            assert "x-should-retry" not in heard.headers
            assert 0 < int(heard.headers["retry-after-ms"]) <= 50
        assert heard.text == "All is well."

    play(tmp_path, story, [Script(fault=ErrorAnswer(status=429, retry_after=0.05)), GOOD])


def test_a_provider_s_own_rate_limit_is_never_seen_by_the_caller(tmp_path):
    async def story(gateway, simulator):
        answers = [await hear(gateway) for _ in range(6)]
        assert [heard.status for heard in answers] == [200] * 6
        assert [heard.headers["x-trunkline-provider"] for heard in answers] == ["first"] * 2 + ["second"] * 4
        assert simulator.openai.call_count == 2  # what its answers said was left told that it would refuse a third

    play(tmp_path, story, Script(text="Well.", rate_limit=RateLimit(calls=2, window=600)), GOOD)


def test_when_all_rest_the_caller_is_told_when_the_first_comes_back(tmp_path):
    async def story(gateway, simulator):
        heard = await hear(gateway)
        assert heard.status == 429
        assert heard.error["code"] == "provider_unavailable"
        assert heard.headers["retry-after"] == "7"
        assert heard.headers["x-should-retry"] == "false"
        again = await hear(gateway)
        assert 0 < int(again.headers["retry-after"]) <= 7
        assert simulator.openai.call_count == simulator.anthropic.call_count == 1
        assert again.headers["x-trunkline-attempts"] == "0"
        closed = gateway.records("call.closed")[1]
        assert [attempt["outcome"] for attempt in closed["attempts"]] == ["skipped", "skipped"]
        assert closed["outcome"] == "failed"

    play(tmp_path, story, LIMITED, Script(fault=ErrorAnswer(status=429, retry_after=7)))


def test_a_breaker_opens_after_its_failures_and_one_probe_closes_it_again(tmp_path):
    async def story(gateway, simulator):
        for _ in range(3):
            assert (await hear(gateway)).headers["x-trunkline-provider"] == "second"
        assert simulator.openai.call_count == 2
        assert gateway.records("call.closed")[2]["attempts"][0]["reason"] == "breaker_open"
        health = gateway.health(FIRST)
        assert health.breaker.phase == "open"
        health.breaker = BreakerState("open", until=asyncio.get_running_loop().time())
        assert (await hear(gateway)).headers["x-trunkline-provider"] == "first"
        assert health.breaker.phase == "closed"
        assert "phase=open" in gateway.operations()
        assert "phase=closed" in gateway.operations()

    failing = Script(fault=ErrorAnswer(status=500))
    play(tmp_path, story, [failing, failing, GOOD], GOOD, route="breaker: {failures: 2}")


def test_a_probe_that_fails_opens_the_breaker_again(tmp_path):
    async def story(gateway, simulator):
        gateway.health(FIRST).breaker = BreakerState("half_open")
        assert (await hear(gateway)).headers["x-trunkline-provider"] == "second"
        assert gateway.health(FIRST).breaker.phase == "open"

    play(tmp_path, story, Script(fault=ErrorAnswer(status=503)), GOOD)


def test_a_target_is_asked_as_often_as_the_route_says_before_the_next(tmp_path):
    async def story(gateway, simulator):
        heard = await hear(gateway)
        assert heard.headers["x-trunkline-attempts"] == "3"
        closed = gateway.record("call.closed")
        assert [attempt["provider"] for attempt in closed["attempts"]] == ["first", "first", "second"]
        bodies = gateway.parts(closed)
        assert bodies["1.provider_request"] == bodies["2.provider_request"]
        assert b"server_error" in bodies["1.provider_response"]
        assert b"server_error" in bodies["2.provider_response"]

    play(tmp_path, story, Script(fault=ErrorAnswer(status=500)), GOOD, route="retry: {attempts_per_target: 2}")


def test_a_refused_key_of_several_is_replaced_by_the_next_within_the_call(tmp_path):
    def keyed(call):
        return GOOD if call.number > 2 else Script(fault=ErrorAnswer(status=401))

    async def story(gateway, simulator):
        heard = await hear(gateway, {"model": "only-first"})
        assert heard.text == "All is well."
        attempts = gateway.record("call.closed")["attempts"]
        assert [attempt["outcome"] for attempt in attempts] == ["failed", "failed", "answered"]
        assert attempts[0]["alarm"] == attempts[1]["alarm"] == "provider_unauthorized"
        assert "key_out" in gateway.operations()
        assert gateway.health(FIRST).refuses(asyncio.get_running_loop().time(), None) is None
        assert (await hear(gateway, {"model": "only-first"})).headers["x-trunkline-attempts"] == "1"

    play(tmp_path, story, keyed, first_key=f"[{FIRST_KEY}, sk-first-two-Zk4w, sk-first-three-9Bxe]")


def test_a_key_that_may_not_use_one_model_is_not_out(tmp_path):
    def keyed(call):
        return GOOD if call.number > 1 else Script(fault=ErrorAnswer(status=403))

    async def story(gateway, simulator):
        assert (await hear(gateway, {"model": "only-first"})).text == "All is well."
        upstream = gateway.upstream("first")
        now = time.monotonic()
        assert len({upstream.next_key("gpt-4o-mini", now) for _ in range(4)}) == 1
        assert len({upstream.next_key("another-model", now) for _ in range(4)}) == 2

    play(tmp_path, story, keyed, first_key=f"[{FIRST_KEY}, sk-first-two-Zk4w]")


def test_which_key_was_refused_decides_and_not_who_hears_of_it_first(tmp_path):
    """Calls that meet the same refused key at the same time must not take the target out between them."""

    async def story(gateway, simulator):
        upstream = gateway.upstream("first")
        refused = upstream.next_key("m", 0.0)
        assert upstream.refuse_key(refused, "m", 0.0, everywhere=True)
        assert upstream.refuse_key(refused, "m", 0.0, everywhere=True)
        other = upstream.next_key("m", 0.0)
        assert other != refused
        assert not upstream.refuse_key(other, "m", 0.0, everywhere=True)

    play(tmp_path, story, first_key=f"[{FIRST_KEY}, sk-first-two-Zk4w]")


def test_weights_share_the_calls_and_a_session_stays_with_its_target(tmp_path):
    async def story(gateway, simulator):
        for number in range(8):
            answers = [await hear(gateway, None, {"x-trunkline-session": f"s{number}"}) for _ in range(2)]
            assert len({heard.headers["x-trunkline-provider"] for heard in answers}) == 1
        assert simulator.openai.call_count > 0
        assert simulator.anthropic.call_count > 0

    play(tmp_path, story, GOOD, GOOD, route="strategy: weighted\n    sticky: session")


def test_a_target_that_cannot_take_a_call_is_passed_over_with_the_reason(tmp_path):
    async def story(gateway, simulator):
        heard = await hear(gateway, {"model": "reversed", "n": 2})
        assert heard.headers["x-trunkline-provider"] == "first"
        skipped, _ = gateway.record("call.closed")["attempts"]
        assert skipped["outcome"] == "skipped"
        assert skipped["reason"].startswith("cannot_take: ")
        assert simulator.anthropic.call_count == 0

    play(tmp_path, story, GOOD, GOOD)


def test_a_call_that_no_target_can_take_is_the_caller_s_400(tmp_path):
    async def story(gateway, simulator):
        heard = await hear(gateway, {"model": "only-second", "n": 2})
        assert heard.status == 400
        assert heard.error["param"] == "n"
        assert heard.error["trunkline"]["source"] == "client"
        assert gateway.record("call.closed")["outcome"] == "invalid"

    play(tmp_path, story, GOOD, GOOD)


def test_a_voice_history_with_tools_fails_over_with_its_repairs_in_the_record(tmp_path):
    made = {"id": "call_1", "type": "function", "function": {"name": "allocation", "arguments": "{}"}}
    messages = [
        {"role": "assistant", "content": "Good morning."},
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [made]},
        {"role": "user", "content": "Wait, I meant the other household."},
    ]
    tools = [{"type": "function", "function": {"name": "allocation", "parameters": {"type": "object"}}}]

    async def story(gateway, simulator):
        heard = await hear(gateway, {"messages": messages, "tools": tools})
        assert heard.status == 200
        answer = heard.json["choices"][0]["message"]["tool_calls"][0]
        assert answer["function"]["name"] == "allocation"
        second = gateway.record("call.closed")["attempts"][1]
        assert any("call_1" in repair for repair in second["repairs"])

    play(tmp_path, story, LIMITED, Script(tool_calls=(ToolCall("allocation"),)))
