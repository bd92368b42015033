"""The real Anthropic SDK understands the simulated Anthropic."""

import asyncio
import contextlib

import anthropic
import httpx2
import pytest
from anthropic.types import Message

from trunkline.simulator import (
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

ASK = {
    "model": "claude-haiku-4-5",
    "max_tokens": 400,
    "messages": [{"role": "user", "content": "What is the allocation of the Hendersons?"}],
}
TOOL = {
    "name": "get_allocation",
    "description": "The current allocation of a household.",
    "input_schema": {"type": "object", "properties": {"household": {"type": "string"}}, "required": ["household"]},
}


@contextlib.asynccontextmanager
async def client_of(behaviour=None, settings=None, key="sk-ant-test"):
    async with (
        asyncio.timeout(30),
        Simulator(anthropic=behaviour, settings=settings) as simulator,
        anthropic.AsyncAnthropic(base_url=simulator.anthropic.url, api_key=key, max_retries=0) as client,
    ):
        yield client, simulator.anthropic
        assert simulator.anthropic.faults == []


def run(body, behaviour=None, **options):
    async def main():
        async with client_of(behaviour, **options) as (client, provider):
            return await body(client, provider)

    return asyncio.run(main())


async def streamed(client, **fields):
    """The message that the SDK accumulates, and the types of the events it saw."""
    async with client.messages.stream(**dict(ASK, **fields)) as stream:
        events = [event.type async for event in stream]
        return await stream.get_final_message(), events


def test_a_json_answer_is_a_message():
    async def body(client, _):
        return await client.messages.create(**ASK)

    script = Script(
        text="Sixty percent equities.",
        usage=TokenCount(input=50, output=9, cached=30, cache_write=5, reasoning=4),
    )
    answer = run(body, script)
    Message.model_validate(answer.model_dump(), strict=True)
    assert answer.content[0].text == "Sixty percent equities."
    assert answer.stop_reason == "end_turn"
    usage = answer.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (15, 30, 5)
    assert (usage.output_tokens, usage.output_tokens_details.thinking_tokens) == (9, 4)


def test_a_stream_accumulates_to_the_same_message_as_json():
    script = Script(
        text="Sixty percent equities.",
        reasoning="Let me think.",
        tool_calls=(ToolCall("get_allocation", {"household": "Henderson"}), ToolCall("refresh")),
    )

    async def body(client, _):
        return await client.messages.create(**ASK), await streamed(client)

    whole, (message, events) = run(body, script)

    def shape(of):
        return [block.model_dump(exclude={"id", "parsed_output"}, exclude_none=True) for block in of.content]

    assert shape(message) == shape(whole)
    assert message.stop_reason == whole.stop_reason == "tool_use"
    assert message.usage.output_tokens == whole.usage.output_tokens
    assert events[0] == "message_start"
    assert events[-1] == "message_stop"
    assert events.count("content_block_start") == 4


def test_the_agent_calls_a_tool_and_then_answers_with_its_result():
    async def body(client, _):
        asked = dict(ASK, tools=[TOOL])
        first = await client.messages.create(**asked)
        history = [
            *ASK["messages"],
            {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": first.content[0].id, "content": "61/32/7"}],
            },
        ]
        return first, await client.messages.create(**dict(asked, messages=history))

    first, second = run(body)
    assert first.stop_reason == "tool_use"
    assert first.content[0].input == {"household": "Henderson"}
    assert "61/32/7" in second.content[0].text


def test_a_refusal_has_its_stop_reason_and_details():
    async def body(client, _):
        return await client.messages.create(**ASK), (await streamed(client))[0]

    for message in run(body, Script(refusal="I can't help with that.")):
        assert message.stop_reason == "refusal"
        assert message.stop_details.explanation == "I can't help with that."


def test_limits_of_the_request_end_the_answer():
    async def body(client, _):
        short = await client.messages.create(**dict(ASK, max_tokens=3))
        stopped = await client.messages.create(**ASK, stop_sequences=["three"])
        return short, stopped

    short, stopped = run(body, Script(text="one two three four"))
    assert (short.stop_reason, short.content[0].text) == ("max_tokens", "one two three")
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "three")


def test_a_stop_reason_of_ones_own():
    async def body(client, _):
        return await client.messages.create(**ASK)

    assert run(body, Script(text="Wait.", stop_reason="pause_turn")).stop_reason == "pause_turn"


def test_headers_are_those_of_the_provider():
    async def body(client, _):
        return (await client.messages.with_raw_response.create(**ASK)).headers

    headers = run(body)
    for name in ("request-id", "anthropic-organization-id", "anthropic-ratelimit-requests-remaining"):
        assert headers[name]


@pytest.mark.parametrize(
    ("status", "kind", "error_type"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (401, anthropic.AuthenticationError, "authentication_error"),
        (403, anthropic.PermissionDeniedError, "permission_error"),
        (404, anthropic.NotFoundError, "not_found_error"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (529, anthropic.InternalServerError, "overloaded_error"),
    ],
)
def test_an_error_is_the_sdks_own_exception(status, kind, error_type):
    async def body(client, _):
        with pytest.raises(kind) as raised:
            await client.messages.create(**ASK)
        return raised.value

    error = run(body, Script(fault=ErrorAnswer(status=status)))
    assert error.status_code == status
    assert error.type == error_type
    assert error.request_id.startswith("req_")


def test_a_wrong_key_is_refused_and_a_good_one_is_not():
    async def body(client, _):
        with pytest.raises(anthropic.AuthenticationError):
            await client.messages.create(**ASK)
        return await client.with_options(api_key="good").messages.create(**ASK)

    assert run(body, settings=Settings(anthropic_key="good"), key="bad").content


def test_above_the_rate_limit_calls_get_429():
    async def body(client, _):
        await client.messages.create(**ASK)
        with pytest.raises(anthropic.RateLimitError) as raised:
            await client.messages.create(**ASK)
        return raised.value

    error = run(body, Script(rate_limit=RateLimit(calls=1, window=3600.0)))
    assert 3500 < int(error.response.headers["retry-after"]) <= 3600


def test_every_answer_says_how_many_calls_are_left_and_when_all_are_there_again():
    async def main():
        async with (
            Simulator(anthropic=Script(rate_limit=RateLimit(calls=3)), clock=lambda: 1_790_000_000.0) as simulator,
            anthropic.AsyncAnthropic(base_url=simulator.anthropic.url, api_key="k", max_retries=0) as client,
        ):
            return (await client.messages.with_raw_response.create(**ASK)).headers

    headers = asyncio.run(main())
    said = [headers[f"anthropic-ratelimit-requests-{name}"] for name in ("limit", "remaining", "reset")]
    assert said == ["3", "2", "2026-09-21T14:14:20Z"]


def test_an_error_event_ends_a_stream_with_the_sdks_exception():
    async def body(client, _):
        with pytest.raises(anthropic.APIStatusError) as raised:
            await streamed(client)
        return raised.value

    assert run(body, Script(text="one two three", fault=InBandError(after_tokens=2))).type == "overloaded_error"


def test_a_cut_stream_is_an_error_of_the_sdk():
    async def body(client, _):
        with pytest.raises(httpx2.TransportError):
            await streamed(client)
        return True

    assert run(body, Script(text="one two three", fault=Cut(after_tokens=2)))


def test_sampling_parameters_are_gone_with_the_newer_api_version():
    async def body(client, _):
        with pytest.raises(anthropic.BadRequestError, match="temperature: Extra inputs are not permitted"):
            await client.messages.create(**ASK, extra_body={"temperature": 0.5})
        older = {"anthropic-version": "2023-06-01"}
        return await client.messages.create(**ASK, extra_body={"temperature": 0.5}, extra_headers=older)

    assert run(body).content


def test_models_are_listed():
    async def body(client, _):
        return [model.id async for model in client.models.list()]

    assert "claude-haiku-4-5" in run(body)
