"""The real `openai` SDK gets from the gateway what it would get from OpenAI, whichever provider answers."""

import asyncio
import json
from decimal import Decimal

import openai
import pytest
from pydantic import BaseModel

from gateway.running import HELLO, SECRET, play
from trunkline.simulator import ErrorAnswer, Script, TokenCount, ToolCall

TEXT = "Sixty-one percent equities, thirty-two percent fixed income and seven percent cash."
USAGE = TokenCount(input=1000, output=200, cached=400)
PRICES = {"only-first": "0.0002400", "only-second": "0.0016400"}  # 600 plain, 400 cached, 200 written
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"Looks up {name}",
            "parameters": {"type": "object", "properties": {"household": {"type": "string"}}},
        },
    }
    for name in ("allocation", "fees")
]
CALLS = (
    ToolCall("allocation", {"household": "Henderson"}),
    ToolCall("fees", {"household": "Henderson & Sons, a long name"}),
)
both = pytest.mark.parametrize("model", ["only-first", "only-second"])


def scripted(tmp_path, story, script, **options):
    play(tmp_path, story, script, script, **options)


async def chunks_of(gateway, model, **fields):
    stream = await gateway.ask(model, stream=True, **fields)
    return [chunk async for chunk in stream]


@both
def test_a_json_answer_has_the_text_the_call_s_id_and_the_exact_cost(tmp_path, model):
    async def story(gateway, simulator):
        raw = await gateway.client().chat.completions.with_raw_response.create(model=model, messages=HELLO)
        answer = raw.parse()
        assert answer.object == "chat.completion"
        assert answer.choices[0].message.content == TEXT
        assert answer.choices[0].message.role == "assistant"
        assert answer.choices[0].finish_reason == "stop"
        assert answer.id == f"chatcmpl-{raw.headers['x-trunkline-call']}"
        assert raw.headers["x-request-id"] == raw.headers["x-trunkline-call"] == answer._request_id
        assert raw.headers["x-trunkline-provider"] == model.removeprefix("only-")
        assert raw.headers["x-trunkline-model"] == answer.model
        assert raw.headers["x-trunkline-attempts"] == "1"
        assert float(raw.headers["x-trunkline-overhead-ms"]) > 0
        assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (
            1000,
            200,
            1200,
        )
        assert answer.usage.prompt_tokens_details.cached_tokens == 400
        assert f'"cost":{PRICES[model]}' in raw.text
        assert answer.trunkline["outcome"] == "answered"
        assert answer.trunkline["guardrail"] is None
        assert answer.trunkline["attempts"] == 1
        closed = gateway.record("call.closed")
        assert closed["call"] == raw.headers["x-trunkline-call"]
        assert Decimal(closed["cost"]["amount"]) == Decimal(PRICES[model])
        assert not closed["cost"]["estimated"]
        assert closed["attempts"][0]["provider_request_id"]

    scripted(tmp_path, story, Script(text=TEXT, usage=USAGE))


@both
def test_a_stream_that_asks_for_usage_gets_it_in_a_chunk_of_its_own_before_the_end(tmp_path, model):
    async def story(gateway, simulator):
        chunks = await chunks_of(gateway, model, stream_options={"include_usage": True})
        *early, last = chunks
        assert "".join(chunk.choices[0].delta.content or "" for chunk in early) == TEXT
        assert early[-1].choices[0].finish_reason == "stop"
        assert all(chunk.usage is None for chunk in early)
        assert last.choices == []
        assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (1000, 200)
        assert Decimal(str(last.usage.cost)) == Decimal(PRICES[model])
        assert last.trunkline["outcome"] == "answered"
        assert not any("trunkline" in chunk.model_extra for chunk in early)

    scripted(tmp_path, story, Script(text=TEXT, usage=USAGE))


@both
def test_a_stream_that_does_not_ask_for_usage_has_cost_and_outcome_on_its_finish_chunk(tmp_path, model):
    async def story(gateway, simulator):
        chunks = await chunks_of(gateway, model)
        *early, last = chunks
        assert all(chunk.choices for chunk in chunks)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
        assert [chunk.choices[0].finish_reason for chunk in early] == [None] * len(early)
        assert last.choices[0].finish_reason == "stop"
        assert Decimal(str(last.usage.cost)) == Decimal(PRICES[model])
        assert last.trunkline["outcome"] == "answered"
        assert all(chunk.usage is None and "trunkline" not in chunk.model_extra for chunk in early)

    scripted(tmp_path, story, Script(text=TEXT, usage=USAGE))


@both
def test_id_model_and_time_are_the_same_in_all_chunks_and_the_role_comes_first_and_once(tmp_path, model):
    async def story(gateway, simulator):
        raw = await gateway.client().chat.completions.with_raw_response.create(model=model, messages=HELLO, stream=True)
        chunks = [chunk async for chunk in raw.parse()]
        assert {chunk.id for chunk in chunks} == {f"chatcmpl-{raw.headers['x-trunkline-call']}"}
        assert {chunk.model for chunk in chunks} == {"served-by-2026-01-01"}
        assert len({chunk.created for chunk in chunks}) == 1
        assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
        assert [chunk.choices[0].delta.role for chunk in chunks] == ["assistant"] + [None] * (len(chunks) - 1)
        assert raw.headers["x-trunkline-model"] in ("gpt-4o-mini", "claude-haiku-4-5")
        assert raw.headers["content-type"].startswith("text/event-stream")

    scripted(tmp_path, story, Script(text=TEXT, model="served-by-2026-01-01"))


@both
def test_parallel_tool_calls_come_whole_in_a_json_answer(tmp_path, model):
    async def story(gateway, simulator):
        answer = await gateway.ask(model, tools=TOOLS)
        made = answer.choices[0].message.tool_calls
        assert [call.function.name for call in made] == ["allocation", "fees"]
        assert [json.loads(call.function.arguments) for call in made] == [
            {"household": "Henderson"},
            {"household": "Henderson & Sons, a long name"},
        ]
        assert len({call.id for call in made}) == 2
        assert answer.choices[0].finish_reason == "tool_calls"
        assert answer.choices[0].message.content is None
        assert answer.trunkline["outcome"] == "tool_call"
        closed = gateway.record("call.closed")
        assert closed["outcome"] == "tool_call"
        assert closed["tool_calls"] == ["allocation", "fees"]
        assert gateway.record("call.opened")["tools"] == ["allocation", "fees"]

    scripted(tmp_path, story, Script(tool_calls=CALLS))


@both
def test_streamed_tool_calls_come_one_to_a_chunk_numbered_without_gaps_id_and_name_first(tmp_path, model):
    async def story(gateway, simulator):
        chunks = await chunks_of(gateway, model, tools=TOOLS)
        pieces = [chunk.choices[0].delta.tool_calls for chunk in chunks if chunk.choices[0].delta.tool_calls]
        assert all(len(piece) == 1 for piece in pieces)
        assert not any(chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.tool_calls)
        flat = [piece[0] for piece in pieces]
        assert sorted({piece.index for piece in flat}) == [0, 1]
        for index, name in enumerate(("allocation", "fees")):
            first, *rest = [piece for piece in flat if piece.index == index]
            assert first.id
            assert first.type == "function"
            assert first.function.name == name
            assert all(piece.id is None and piece.function.name is None for piece in rest)
        assert chunks[-1].choices[0].finish_reason == "tool_calls"
        assert chunks[-1].trunkline["outcome"] == "tool_call"

    scripted(tmp_path, story, Script(tool_calls=CALLS))


@both
def test_the_sdk_s_own_stream_helper_puts_text_and_tools_together_again(tmp_path, model):
    async def story(gateway, simulator):
        request = {"model": model, "messages": HELLO, "tools": TOOLS}
        async with gateway.client().chat.completions.stream(**request) as stream:
            final = await stream.get_final_completion()
        message = final.choices[0].message
        assert message.content == "One moment."
        assert [call.function.name for call in message.tool_calls] == ["allocation", "fees"]
        assert [call.function.arguments for call in message.tool_calls]

    scripted(tmp_path, story, Script(text="One moment.", tool_calls=CALLS))


@both
def test_a_conversation_with_tool_results_goes_on(tmp_path, model):
    async def story(gateway, simulator):
        first = await gateway.ask(model, tools=TOOLS[:1])
        made = first.choices[0].message
        found = [
            {"role": "tool", "tool_call_id": call.id, "content": "61 percent equities"} for call in made.tool_calls
        ]
        messages = [*HELLO, made.model_dump(exclude_none=True), *found]
        client = gateway.client()
        second = await client.chat.completions.create(model=model, messages=messages, tools=TOOLS[:1])
        assert "61 percent equities" in second.choices[0].message.content
        assert second.trunkline["outcome"] == "answered"

    play(tmp_path, story)


def test_several_choices_come_in_their_places(tmp_path):
    async def story(gateway, simulator):
        answer = await gateway.ask("only-first", n=3)
        assert [choice.message.content for choice in answer.choices] == ["one", "two", "three"]
        assert [choice.index for choice in answer.choices] == [0, 1, 2]
        texts, finishes = {0: "", 1: "", 2: ""}, []
        for chunk in await chunks_of(gateway, "only-first", n=3):
            for choice in chunk.choices:
                texts[choice.index] += choice.delta.content or ""
                finishes += [choice.finish_reason] if choice.finish_reason else []
        assert texts == {0: "one", 1: "two", 2: "three"}
        assert finishes == ["stop"] * 3

    play(tmp_path, story, Script(text="one", alternatives=("two", "three")))


def test_log_probabilities_come_with_the_answer_and_with_the_stream(tmp_path):
    async def story(gateway, simulator):
        answer = await gateway.ask("only-first", logprobs=True, top_logprobs=2)
        tokens = answer.choices[0].logprobs.content
        assert "".join(token.token for token in tokens) == TEXT
        assert len(tokens[0].top_logprobs) == 2
        streamed = []
        for chunk in await chunks_of(gateway, "only-first", logprobs=True, top_logprobs=2):
            if chunk.choices[0].logprobs:
                streamed += chunk.choices[0].logprobs.content
        assert [token.token for token in streamed] == [token.token for token in tokens]

    play(tmp_path, story, Script(text=TEXT))


class Allocation(BaseModel):
    equities: int
    note: str


@both
def test_the_sdk_parses_an_answer_in_a_schema(tmp_path, model):
    async def story(gateway, simulator):
        parsed = await gateway.client().chat.completions.parse(model=model, messages=HELLO, response_format=Allocation)
        assert isinstance(parsed.choices[0].message.parsed, Allocation)

    play(tmp_path, story)


@both
def test_reasoning_comes_beside_the_text(tmp_path, model):
    async def story(gateway, simulator):
        if model == "only-first":
            answer = await gateway.ask(model)
            assert answer.choices[0].message.reasoning_content == "Look it up first."
            assert answer.choices[0].message.content == TEXT
        chunks = await chunks_of(gateway, model)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
        thought = "".join(chunk.choices[0].delta.model_extra.get("reasoning_content") or "" for chunk in chunks)
        assert thought == "Look it up first."

    scripted(tmp_path, story, Script(text=TEXT, reasoning="Look it up first."))


@both
def test_a_model_that_declines_is_a_refusal_in_answer_stream_and_record(tmp_path, model):
    async def story(gateway, simulator):
        answer = await gateway.ask(model)
        assert answer.trunkline["outcome"] == "refused"
        message = answer.choices[0].message
        assert "recommend" in (message.refusal or message.content)
        chunks = await chunks_of(gateway, model)
        said = "".join(chunk.choices[0].delta.refusal or chunk.choices[0].delta.content or "" for chunk in chunks)
        assert "recommend" in said
        assert chunks[-1].trunkline["outcome"] == "refused"
        assert [record["outcome"] for record in gateway.records("call.closed")] == ["refused", "refused"]

    scripted(tmp_path, story, Script(refusal="I cannot recommend a fund."))


@both
def test_the_token_limit_ends_an_answer_with_length(tmp_path, model):
    async def story(gateway, simulator):
        answer = await gateway.ask(model, max_tokens=3)
        assert answer.choices[0].finish_reason == "length"
        assert (await chunks_of(gateway, model, max_tokens=3))[-1].choices[0].finish_reason == "length"

    scripted(tmp_path, story, Script(text=TEXT))


ERRORS = [
    (401, {"secret": "tl-unknown-key-7kQ2vX9mZr4TbN8sWfY3hLcJ6"}, openai.AuthenticationError, "invalid_api_key"),
    (404, {"model": "no-such-route"}, openai.NotFoundError, "model_not_found"),
    (403, {"model": "first/gpt-4o-mini"}, openai.PermissionDeniedError, "route_not_allowed"),
    (400, {"temperature": 9}, openai.BadRequestError, "invalid_request"),
]


@pytest.mark.parametrize(("status", "fields", "kind", "code"), ERRORS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_refused_call_is_the_sdk_s_own_error(tmp_path, status, fields, kind, code, stream):
    async def story(gateway, simulator):
        with pytest.raises(kind) as caught:
            await gateway.ask(**({"model": "only-first", "stream": stream} | fields))
        error = caught.value
        assert (error.status_code, error.code) == (status, code)
        assert error.body["trunkline"]["source"] == "client"
        assert error.body["trunkline"]["call"] == error.request_id
        assert gateway.records("call.opened") == []
        assert simulator.openai.call_count == 0

    play(tmp_path, story)


@both
@pytest.mark.parametrize("stream", [False, True])
def test_a_resting_provider_is_the_sdk_s_rate_limit_error_with_when_to_come_back(tmp_path, model, stream):
    async def story(gateway, simulator):
        with pytest.raises(openai.RateLimitError) as caught:
            await gateway.ask(model, stream=stream)
        error = caught.value
        assert error.code == "provider_unavailable"
        assert error.type == "rate_limit_error"
        assert error.body["trunkline"]["source"] == "provider"
        assert error.body["trunkline"]["retry_after"] == pytest.approx(20, abs=1)
        assert error.response.headers["retry-after"] == "20"
        assert error.response.headers["x-should-retry"] == "false"

    scripted(tmp_path, story, Script(fault=ErrorAnswer(status=429, retry_after=20)))


@both
@pytest.mark.parametrize("stream", [False, True])
def test_what_the_provider_refuses_is_a_bad_request_with_a_normalised_code(tmp_path, model, stream):
    async def story(gateway, simulator):
        with pytest.raises(openai.BadRequestError) as caught:
            await gateway.ask(model, stream=stream)
        assert caught.value.code == "context_length_exceeded"
        assert caught.value.body["trunkline"]["source"] == "provider"
        assert gateway.record("call.closed")["outcome"] == "invalid"

    scripted(tmp_path, story, Script(fault=ErrorAnswer(status=400)))


def test_the_sdk_obeys_the_advice_not_to_try_a_failed_call_again(tmp_path):
    async def story(gateway, simulator):
        client = gateway.client(max_retries=3)
        with pytest.raises(openai.InternalServerError) as caught:
            await client.chat.completions.create(model="only-first", messages=HELLO)
        assert caught.value.status_code == 502
        assert simulator.openai.call_count == 1

    scripted(tmp_path, story, Script(fault=ErrorAnswer(status=500)))


def test_the_synchronous_sdk_works_as_well(tmp_path):
    def calls(url):
        with openai.OpenAI(base_url=url, api_key=SECRET, max_retries=0, timeout=10) as client:
            answer = client.chat.completions.create(model="only-first", messages=HELLO)
            with client.chat.completions.create(model="only-second", messages=HELLO, stream=True) as stream:
                streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
            with pytest.raises(openai.NotFoundError):
                client.chat.completions.create(model="no-such-route", messages=HELLO)
            names = [model.id for model in client.models.list()]
        return answer.choices[0].message.content, streamed, names

    async def story(gateway, simulator):
        text, streamed, names = await asyncio.to_thread(calls, gateway.url)
        assert text == streamed == TEXT
        assert names == ["only-first", "only-second", "reversed", "voice"]

    scripted(tmp_path, story, Script(text=TEXT))


def test_many_calls_at_once_do_not_mix(tmp_path):
    def answer(call):
        return Script(text=f"You said: {call.body['messages'][0]['content']}")

    async def story(gateway, simulator):
        client = gateway.client()

        async def ask(number):
            stream = await client.chat.completions.create(
                model=("only-first", "only-second")[number % 2],
                messages=[{"role": "user", "content": f"number {number}"}],
                stream=True,
            )
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        said = await asyncio.gather(*map(ask, range(40)))
        assert said == [f"You said: number {number}" for number in range(40)]

    scripted(tmp_path, story, answer)
