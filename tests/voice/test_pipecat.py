"""A pipecat bot over the gateway: whatever happens behind it, its caller hears sentences, never silence."""

import asyncio
import json

import msgspec
from pipecat.services.llm_service import FunctionCallParams

from gateway.running import SECRET, play
from voice.pipecat_bot import talking
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

ANSWER = ["All is well with the household.", "It really is so."]
SPOKEN = ["I can't reach my assistant right now.", "Please hold on."]


async def get_allocation(params: FunctionCallParams, household: str):
    """Say how a household is allocated.

    Args:
        household: The household's name.
    """
    await params.result_callback({"household": household, "equities": 60})


@both
def test_a_turn_calls_its_tool_and_speaks_of_the_result(tmp_path, model):
    async def story(gateway, simulator):
        async with talking(gateway, SECRET, model=model, tools=[get_allocation]) as bot:
            await bot.say(QUESTION)
            assert await bot.voice.heard(1) == ["Sixty percent equities."]
            assert bot.errors.empty()
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
            await bot.voice.heard(1)
            await bot.begin_speaking()
            await provider.wait_until_left(1)
            assert (await bot.turn()).interrupted
            await bot.finish_speaking("Just the bonds.")
            assert (await bot.turn()).content == GOOD.text
            assert bot.voice.sentences[-2:] == ANSWER
            assert bot.errors.empty()
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
        runs = asyncio.Event()

        async def get_allocation(params: FunctionCallParams, household: str):
            """Never come back."""
            runs.set()
            await asyncio.Event().wait()

        async with talking(gateway, SECRET, model=model, tools=[get_allocation]) as bot:
            await bot.say(QUESTION)
            await runs.wait()
            await bot.say("Never mind.")
            assert await bot.voice.heard(2) == ANSWER
            assert bot.errors.empty()
        assert [closed["outcome"] for closed in gateway.records("call.closed")] == ["tool_call", "answered"]

    play(tmp_path, story, [ASKS, GOOD], [ASKS, GOOD])


def test_a_429_is_not_heard(tmp_path):
    async def story(gateway, simulator):
        async with talking(gateway, SECRET) as bot:
            await bot.say(QUESTION)
            assert await bot.voice.heard(2) == ANSWER
            assert bot.errors.empty()
        limited, answered = gateway.record("call.closed")["attempts"]
        assert (limited["status"], answered["provider"]) == (429, "second")

    play(tmp_path, story, LIMITED, GOOD)


@nobody_answers
def test_where_nobody_answers_the_sentence_is_spoken(tmp_path, script, code, timeouts):
    async def story(gateway, simulator):
        async with talking(gateway, SECRET) as bot:
            await bot.say(QUESTION)
            assert await bot.voice.heard(2) == SPOKEN
            assert (await bot.turn()).content == SENTENCE
            assert bot.errors.empty()
        closed = gateway.record("call.closed")
        assert (closed["outcome"], closed["error"]["code"]) == ("failed", code)

    play(tmp_path, story, script, script, route=f"{SAYS}\n    timeouts: {{{timeouts}}}")


@breaks_off
def test_an_answer_that_breaks_off_ends_with_the_sentence(tmp_path, fault):
    async def story(gateway, simulator):
        async with talking(gateway, SECRET) as bot:
            await bot.say(QUESTION)
            turn = await bot.turn()
            assert turn.content.startswith("Sixty percent of it are equities.")
            assert turn.content.endswith(SENTENCE)
            assert bot.voice.sentences[-1] == SPOKEN[-1]
            assert await bot.errors.get()
            await bot.say("And now?")
            assert (await bot.turn()).content == GOOD.text
        assert [closed["outcome"] for closed in gateway.records("call.closed")] == ["failed", "answered"]

    talks = msgspec.structs.replace(TALKS_ON, fault=fault)
    play(tmp_path, story, [talks, GOOD], route=f"{SAYS}\n    timeouts: {{gap: 100ms}}")


def test_without_the_sentence_there_is_an_error_to_act_on_at_once(tmp_path):
    async def story(gateway, simulator):
        async with talking(gateway, SECRET) as bot:
            await bot.say(QUESTION)
            assert "No provider answered." in await bot.errors.get()
            assert bot.voice.sentences == []
        assert len(gateway.records("call.closed")) == 1

    play(tmp_path, story, FAILING, FAILING)


def test_a_mistake_of_the_caller_s_own_stays_an_error(tmp_path):
    async def story(gateway, simulator):
        async with talking(gateway, SECRET, model="nowhere") as bot:
            await bot.say(QUESTION)
            assert "There is no model" in await bot.errors.get()
            assert bot.voice.sentences == []

    play(tmp_path, story, route=SAYS)


def test_who_calls_and_in_which_conversation_is_in_the_record(tmp_path):
    async def story(gateway, simulator):
        extra = {"extra_headers": {"x-trunkline-user": "advisor-117"}, "metadata": {"subject": "henderson"}}
        headers = {"x-trunkline-session": "call-4711"}
        async with talking(gateway, SECRET, extra=extra, default_headers=headers) as bot:
            await bot.say(QUESTION)
            await bot.voice.heard(2)
        opened = gateway.record("call.opened")
        assert (opened["user"], opened["session"], opened["subject"]) == ("advisor-117", "call-4711", "henderson")
        assert not gateway.record("call.closed").get("usage_estimated")

    play(tmp_path, story, GOOD)
