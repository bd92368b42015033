"""A livekit agent over the gateway: whatever happens behind it, its caller hears sentences, never silence."""

import asyncio
import json

import msgspec
from livekit.agents import function_tool

from gateway.running import SECRET, play
from voice.livekit_agent import talking
from voice.stories import (
    ASKS,
    FAILING,
    GOOD,
    LIMITED,
    QUESTION,
    SAYS,
    SENTENCE,
    TALKS_ON,
    TELLS,
    both,
    breaks_off,
    nobody_answers,
    provider_of,
)


@function_tool
async def get_allocation(household: str) -> dict:
    """Say how a household is allocated.

    Args:
        household: The household's name.
    """
    return {"household": household, "equities": 60}


@both
def test_a_turn_calls_its_tool_and_speaks_of_the_result(tmp_path, model):
    async def story(gateway, simulator):
        async with talking(gateway, SECRET, model=model, tools=[get_allocation]) as bot:
            await bot.turn(QUESTION)
            assert bot.voice.sentences == [TELLS.text]
            assert bot.errors == []
        first, second = gateway.records("call.closed")
        assert (first["outcome"], second["outcome"]) == ("tool_call", "answered")
        asked = json.dumps(provider_of(simulator, model).calls[1].body)
        assert "equities" in asked
        assert ASKS.tool_calls[0].name in asked

    play(tmp_path, story, [ASKS, TELLS], [ASKS, TELLS])


@both
def test_a_caller_who_cuts_in_stops_the_provider_and_is_answered_in_turn(tmp_path, model):
    async def story(gateway, simulator):
        provider = provider_of(simulator, model)
        async with talking(gateway, SECRET, model=model) as bot:
            await bot.say(QUESTION)
            await bot.ear.hears.wait()
            await bot.interrupt()
            await provider.wait_until_left(1)
            await bot.turn("Just the bonds.")
            assert " ".join(bot.voice.sentences).endswith(GOOD.text)
            assert bot.errors == []
        cut, answered = gateway.records("call.closed")
        assert (cut["outcome"], answered["outcome"]) == ("cancelled_after", "answered")
        assert cut["client_left_ms"] >= cut["timings"]["first_token_ms"]
        history = json.dumps(provider.calls[1].body)
        assert "Sixty percent of it are equities." in history
        assert "Just the bonds." in history

    play(tmp_path, story, [TALKS_ON, GOOD], [TALKS_ON, GOOD])


@both
def test_a_caller_who_cuts_in_while_a_tool_runs_is_answered_in_turn(tmp_path, model):
    async def story(gateway, simulator):
        runs, ends = asyncio.Event(), asyncio.Event()

        @function_tool
        async def get_allocation(household: str) -> str:
            """Come back when nobody asks any more."""
            runs.set()
            await ends.wait()
            return "too late"

        async with talking(gateway, SECRET, model=model, tools=[get_allocation]) as bot:
            await bot.say(QUESTION)
            await runs.wait()
            interrupting = bot.session.interrupt()
            ends.set()
            await interrupting
            await bot.turn("Never mind.")
            assert " ".join(bot.voice.sentences) == GOOD.text
            assert bot.errors == []
        assert [closed["outcome"] for closed in gateway.records("call.closed")] == ["tool_call", "answered"]

    play(tmp_path, story, [ASKS, GOOD], [ASKS, GOOD])


def test_a_429_is_not_heard(tmp_path):
    async def story(gateway, simulator):
        async with talking(gateway, SECRET) as bot:
            await bot.turn(QUESTION)
            assert " ".join(bot.voice.sentences) == GOOD.text
            assert bot.errors == []
        limited, answered = gateway.record("call.closed")["attempts"]
        assert (limited["status"], answered["provider"]) == (429, "second")

    play(tmp_path, story, LIMITED, GOOD)


@nobody_answers
def test_where_nobody_answers_the_sentence_is_spoken(tmp_path, script, code, timeouts):
    async def story(gateway, simulator):
        async with talking(gateway, SECRET) as bot:
            await bot.turn(QUESTION)
            assert " ".join(bot.voice.sentences) == SENTENCE
            assert bot.session.history.items[-1].text_content == SENTENCE
            assert bot.errors == []
        closed = gateway.record("call.closed")
        assert (closed["outcome"], closed["error"]["code"]) == ("failed", code)

    play(tmp_path, story, script, script, route=f"{SAYS}\n    timeouts: {{{timeouts}}}")


@breaks_off
def test_an_answer_that_breaks_off_ends_with_the_sentence(tmp_path, fault):
    async def story(gateway, simulator):
        async with talking(gateway, SECRET) as bot:
            await bot.turn(QUESTION)
            spoken = " ".join(bot.voice.sentences)
            assert spoken.startswith("Sixty percent of it are equities.")
            assert spoken.endswith(SENTENCE)
            assert bot.errors
            await bot.turn("And now?")
            assert " ".join(bot.voice.sentences).endswith(GOOD.text)
        assert [closed["outcome"] for closed in gateway.records("call.closed")] == ["failed", "answered"]

    talks = msgspec.structs.replace(TALKS_ON, fault=fault)
    play(tmp_path, story, [talks, GOOD], route=f"{SAYS}\n    timeouts: {{gap: 100ms}}")


def test_without_the_sentence_there_is_an_error_to_act_on_at_once(tmp_path):
    async def story(gateway, simulator):
        async with talking(gateway, SECRET) as bot:
            await bot.turn(QUESTION)
            assert bot.errors[0].error.status_code == 502
            assert bot.errors[0].error.body["code"] == "providers_failed"
            assert bot.voice.sentences == []
        assert len(gateway.records("call.closed")) == 1

    play(tmp_path, story, FAILING, FAILING)


def test_a_mistake_of_the_caller_s_own_stays_an_error(tmp_path):
    async def story(gateway, simulator):
        async with talking(gateway, SECRET, model="nowhere") as bot:
            await bot.turn(QUESTION)
            assert bot.errors[0].error.status_code == 404
            assert bot.voice.sentences == []

    play(tmp_path, story, route=SAYS)


def test_who_calls_and_in_which_conversation_is_in_the_record(tmp_path):
    async def story(gateway, simulator):
        headers = {"x-trunkline-session": "call-4711"}
        said = {"user": "advisor-117", "metadata": {"subject": "henderson"}, "extra_headers": headers}
        async with talking(gateway, SECRET, **said) as bot:
            await bot.turn(QUESTION)
        opened = gateway.record("call.opened")
        assert (opened["user"], opened["session"], opened["subject"]) == ("advisor-117", "call-4711", "henderson")
        assert not gateway.record("call.closed").get("usage_estimated")

    play(tmp_path, story, GOOD)
