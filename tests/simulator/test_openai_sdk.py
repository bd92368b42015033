"""The real OpenAI SDK understands the simulated OpenAI."""

import asyncio
import contextlib

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from trunkline.simulator import (
    CleanEnd,
    Cut,
    ErrorAnswer,
    InBandError,
    RateLimit,
    Script,
    Settings,
    Simulator,
    TokenCount,
    ToolCall,
)

ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What is the allocation of the Hendersons?"}]}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_allocation",
        "description": "The current allocation of a household.",
        "parameters": {"type": "object", "properties": {"household": {"type": "string"}}, "required": ["household"]},
    },
}


@contextlib.asynccontextmanager
async def client_of(behaviour=None, settings=None, key="sk-test"):
    async with (
        asyncio.timeout(30),
        Simulator(behaviour, settings=settings) as simulator,
        openai.AsyncOpenAI(base_url=simulator.openai.url, api_key=key, max_retries=0) as client,
    ):
        yield client, simulator.openai
        assert simulator.openai.faults == []


def run(body, behaviour=None, **options):
    async def main():
        async with client_of(behaviour, **options) as (client, provider):
            return await body(client, provider)

    return asyncio.run(main())


async def chunks_of(client, **fields):
    stream = await client.chat.completions.create(**ASK, **fields, stream=True)
    return [chunk async for chunk in stream]


def test_a_json_answer_is_a_chat_completion():
    async def body(client, _):
        return await client.chat.completions.create(**ASK)

    answer = run(
        body, Script(text="Sixty percent equities.", usage=TokenCount(input=50, output=9, cached=30, reasoning=4))
    )
    ChatCompletion.model_validate(answer.model_dump(), strict=True)
    assert answer.choices[0].message.content == "Sixty percent equities."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens_details.cached_tokens == 30
    assert answer.usage.completion_tokens_details.reasoning_tokens == 4
    assert answer.usage.total_tokens == 59


def test_a_stream_is_role_text_finish_usage_and_the_same_text():
    async def body(client, _):
        return await chunks_of(client, stream_options={"include_usage": True})

    chunks = run(body, Script(text="Sixty percent equities."))
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk.model_dump(), strict=True)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == "Sixty percent equities."
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens > 0
    assert len({chunk.id for chunk in chunks}) == 1


def test_without_include_usage_no_chunk_has_usage():
    chunks = run(lambda client, _: chunks_of(client), Script(text="Yes."))
    assert all(chunk.usage is None for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_the_agent_calls_a_tool_and_then_answers_with_its_result():
    async def body(client, _):
        asked = dict(ASK, tools=[TOOL])
        first = await client.chat.completions.create(**asked)
        call = first.choices[0].message.tool_calls[0]
        history = [
            *ASK["messages"],
            first.choices[0].message.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": call.id, "content": "61/32/7"},
        ]
        second = await client.chat.completions.create(**dict(asked, messages=history))
        return first, second

    first, second = run(body)
    assert first.choices[0].finish_reason == "tool_calls"
    assert first.choices[0].message.tool_calls[0].function.arguments == '{"household":"Henderson"}'
    assert "61/32/7" in second.choices[0].message.content


def test_parallel_tool_calls_stream_in_pieces_that_join_to_their_arguments():
    script = Script(
        tool_calls=(ToolCall("get_allocation", {"household": "Henderson"}), ToolCall("get_fees", {"year": 2026})),
    )
    chunks = run(lambda client, _: chunks_of(client, tools=[TOOL]), script)
    calls = {}
    for chunk in chunks:
        for piece in chunk.choices[0].delta.tool_calls or ():
            calls.setdefault(piece.index, []).append(piece)
    joined = ["".join(piece.function.arguments for piece in calls[index]) for index in (0, 1)]
    assert joined == ['{"household":"Henderson"}', '{"year":2026}']
    assert [calls[index][0].function.name for index in (0, 1)] == ["get_allocation", "get_fees"]
    assert calls[0][0].id != calls[1][0].id
    assert len(calls[0]) > 2
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_n_choices_come_interleaved_with_their_own_texts():
    chunks = run(lambda client, _: chunks_of(client, n=2), Script(text="first one here", alternatives=("second",)))
    texts = {0: "", 1: ""}
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == {0: "first one here", 1: "second"}


def test_log_probabilities_join_to_the_text():
    async def body(client, _):
        answer = await client.chat.completions.create(**ASK, logprobs=True, top_logprobs=2)
        chunks = await chunks_of(client, logprobs=True, top_logprobs=2)
        return answer, chunks

    answer, chunks = run(body, Script(text="Sixty percent."))
    tokens = answer.choices[0].logprobs.content
    assert "".join(token.token for token in tokens) == "Sixty percent."
    assert all(len(token.top_logprobs) == 2 for token in tokens)
    streamed = [chunk.choices[0].logprobs.content[0].token for chunk in chunks if chunk.choices[0].logprobs]
    assert "".join(streamed) == "Sixty percent."


def test_a_refusal_has_no_content():
    async def body(client, _):
        return await client.chat.completions.create(**ASK), await chunks_of(client)

    answer, chunks = run(body, Script(refusal="I can't help with that."))
    assert answer.choices[0].message.refusal == "I can't help with that."
    assert answer.choices[0].message.content is None
    assert "".join(chunk.choices[0].delta.refusal or "" for chunk in chunks) == "I can't help with that."


def test_reasoning_and_a_stop_reason_of_ones_own():
    async def body(client, _):
        return await client.chat.completions.create(**ASK)

    answer = run(body, Script(text="Yes.", reasoning="Let me think.", stop_reason="content_filter"))
    assert answer.choices[0].message.model_extra["reasoning_content"] == "Let me think."
    assert answer.choices[0].finish_reason == "content_filter"
    assert answer.usage.completion_tokens_details.reasoning_tokens > 0


def test_a_json_schema_is_answered_with_json_that_fits():
    schema = {"type": "object", "properties": {"equities": {"type": "number"}, "name": {"type": "string"}}}

    async def body(client, _):
        response_format = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
        return await client.chat.completions.create(**ASK, response_format=response_format)

    assert run(body).choices[0].message.content == '{"equities":1,"name":"Henderson"}'


def test_limits_of_the_request_end_the_answer():
    async def body(client, _):
        short = await client.chat.completions.create(**ASK, max_completion_tokens=3)
        stopped = await client.chat.completions.create(**ASK, stop=["three"])
        return short.choices[0], stopped.choices[0]

    short, stopped = run(body, Script(text="one two three four"))
    assert (short.finish_reason, short.message.content) == ("length", "one two three")
    assert (stopped.finish_reason, stopped.message.content) == ("stop", "one two ")


def test_headers_are_those_of_the_provider():
    async def body(client, _):
        return (await client.chat.completions.with_raw_response.create(**ASK)).headers

    headers = run(body)
    for name in ("x-request-id", "openai-organization", "openai-processing-ms", "x-ratelimit-remaining-requests"):
        assert headers[name]


def test_models_are_listed():
    async def body(client, _):
        page = await client.models.list()
        return [model.id for model in page.data], (await client.models.retrieve("gpt-4o")).id

    listed, one = run(body)
    assert "gpt-4o-mini" in listed
    assert one == "gpt-4o"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, openai.BadRequestError, "context_length_exceeded"),
        (401, openai.AuthenticationError, "invalid_api_key"),
        (403, openai.PermissionDeniedError, "unsupported_country_region_territory"),
        (404, openai.NotFoundError, "model_not_found"),
        (429, openai.RateLimitError, "rate_limit_exceeded"),
        (500, openai.InternalServerError, None),
        (503, openai.InternalServerError, None),
        (529, openai.InternalServerError, None),
    ],
)
def test_an_error_is_the_sdks_own_exception(status, kind, code):
    async def body(client, _):
        with pytest.raises(kind) as raised:
            await client.chat.completions.create(**ASK)
        return raised.value

    error = run(body, Script(fault=ErrorAnswer(status=status)))
    assert error.status_code == status
    assert error.code == code
    assert error.request_id.startswith("req_")


def test_an_error_says_what_the_script_says():
    async def body(client, _):
        with pytest.raises(openai.RateLimitError) as raised:
            await client.chat.completions.create(**ASK)
        return raised.value

    fault = ErrorAnswer(
        status=429, message="You exceeded your current quota", type="insufficient_quota", code="insufficient_quota"
    )
    error = run(body, Script(fault=fault))
    assert error.code == error.type == "insufficient_quota"
    assert "quota" in error.message


def test_a_missing_or_wrong_key_is_refused_and_a_good_one_is_not():
    async def body(client, provider):
        with pytest.raises(openai.AuthenticationError):
            await client.chat.completions.create(**ASK)
        good = client.with_options(api_key="sk-good")
        return await good.chat.completions.create(**ASK)

    assert run(body, settings=Settings(openai_key="sk-good"), key="sk-bad").choices


def test_above_the_rate_limit_calls_get_429_with_a_true_retry_after():
    now = [1000.0]

    async def main():
        behaviour = Script(rate_limit=RateLimit(calls=2, window=10.0))
        async with (
            Simulator(behaviour, clock=lambda: now[0]) as simulator,
            openai.AsyncOpenAI(base_url=simulator.openai.url, api_key="sk-test", max_retries=0) as client,
        ):
            for _ in range(2):
                await client.chat.completions.create(**ASK)
                now[0] += 1
            with pytest.raises(openai.RateLimitError) as raised:
                await client.chat.completions.create(**ASK)
            now[0] += 8
            await client.chat.completions.create(**ASK)
            return raised.value

    error = asyncio.run(main())
    assert error.response.headers["retry-after"] == "8"
    assert error.response.headers["retry-after-ms"] == "8000"


def test_every_answer_says_how_many_calls_are_left_and_when_all_are_there_again():
    now = [1000.0]

    async def main():
        behaviour = Script(rate_limit=RateLimit(calls=2, window=90.0))
        async with (
            Simulator(behaviour, clock=lambda: now[0]) as simulator,
            openai.AsyncOpenAI(base_url=simulator.openai.url, api_key="sk-test", max_retries=0) as client,
        ):
            for remaining in ("1", "0"):
                heard = await client.chat.completions.with_raw_response.create(**ASK)
                names = ("limit-requests", "remaining-requests", "reset-requests")
                assert [heard.headers[f"x-ratelimit-{name}"] for name in names] == ["2", remaining, "1m30s"]
                now[0] += 10
            with pytest.raises(openai.RateLimitError) as raised:
                await client.chat.completions.create(**ASK)
            return raised.value

    headers = asyncio.run(main()).response.headers
    assert (headers["x-ratelimit-remaining-requests"], headers["x-ratelimit-reset-requests"]) == ("0", "1m20s")


def test_a_stream_that_breaks_is_an_error_of_the_sdk():
    async def body(client, provider):
        text = ""

        async def read():
            nonlocal text
            async for chunk in await client.chat.completions.create(**ASK, stream=True):
                text += chunk.choices[0].delta.content or ""

        with pytest.raises(openai.APIError):
            await read()
        return text

    assert run(body, Script(text="one two three", fault=InBandError(after_tokens=2))) == "one two"
    assert run(body, Script(text="one two three", fault=Cut(after_tokens=2))) == "one two"


def test_a_stream_without_its_end_mark_looks_whole_to_the_sdk():
    chunks = run(lambda client, _: chunks_of(client), Script(text="one two three", fault=CleanEnd(after_tokens=1)))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "one"


def test_a_sequence_is_consumed_call_by_call_and_its_last_script_repeats():
    async def body(client, _):
        return [(await client.chat.completions.create(**ASK)).choices[0].message.content for _ in range(4)]

    assert run(body, [Script(text="a"), Script(text="b")]) == ["a", "b", "b", "b"]


def test_a_function_sees_the_call_and_chooses():
    def choose(call):
        return Script(text=f"{call.method} {call.body['model']} {call.number}")

    async def body(client, _):
        return (await client.chat.completions.create(**ASK)).choices[0].message.content

    assert run(body, choose) == "POST gpt-4o-mini 1"
