"""What OpenAI answers with 400 is refused before a provider is asked, and what it accepts is not."""

import json
from typing import Any

import pytest

from trunkline.dialects.openai_client import decode_request
from trunkline.errors import InvalidRequest

USER = {"role": "user", "content": "Hi"}
TOOL = {"type": "function", "function": {"name": "get_weather"}}
IMAGE = {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}
NAMED = {"type": "function", "function": {"name": "get_weather"}}


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "messages": [USER], **fields}).encode()


def messages(*more: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [USER, *more]}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": ""}, "model"),
        ({"messages": []}, "messages"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"top_p": 1.1}, "top_p"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"frequency_penalty": -3}, "frequency_penalty"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": 10**30}, "max_completion_tokens"),
        ({"seed": 2**63}, "seed"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"stop": list("abcde")}, "stop"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"logit_bias": {"1": 101}}, "logit_bias"),
        ({"metadata": {str(i): "" for i in range(17)}}, "metadata"),
        ({"metadata": {"k" * 65: ""}}, "metadata"),
        ({"metadata": {"k": "v" * 513}}, "metadata"),
        ({"tools": []}, "tools"),
        ({"tools": [TOOL] * 129}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": "get weather"}}]}, "tools[0].function.name"),
        ({"tools": [{"type": "function", "function": {"name": "x" * 65}}]}, "tools[0].function.name"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"parallel_tool_calls": True}, "parallel_tool_calls"),
        ({"tools": [TOOL], "tool_choice": "any"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "custom", "custom": {"name": "x"}}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {}}}, "tool_choice"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "other"}}},
            "tool_choice.function.name",
        ),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": ["text"]}}, "response_format.type"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": 5}}},
            "response_format.json_schema.schema",
        ),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"function_call": "auto"}, "function_call"),
        (messages({"role": "function", "name": "f", "content": "x"}), "messages[1]"),
        (messages({"role": "assistant", "function_call": {"name": "f", "arguments": ""}}), "messages[1]"),
        (messages({"role": "user", "content": None}), "messages[1].content"),
        (messages({"role": "system"}), "messages[1].content"),
        (messages({"role": "user", "content": []}), "messages[1].content"),
        (messages({"role": "assistant", "content": []}), "messages[1].content"),
        (messages({"role": "tool", "content": "x"}), "messages[1].tool_call_id"),
        (messages({"role": "system", "content": [IMAGE]}), "messages[1].content[0].type"),
        (messages({"role": "assistant", "content": [IMAGE]}), "messages[1].content[0].type"),
        (messages({"role": "user", "content": [{"type": "refusal", "refusal": "x"}]}), "messages[1].content[0].type"),
        (
            messages(
                {
                    "role": "user",
                    "content": "x",
                    "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}],
                }
            ),
            "messages[1].tool_calls",
        ),
    ],
)
def test_a_field_at_fault_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_request(body(**fields))
    assert caught.value.param == param
    assert caught.value.message.startswith(f"{param}: ")


@pytest.mark.parametrize(
    ("fields", "instead"),
    [
        ({"functions": [{"name": "f"}]}, "use `tools`"),
        ({"function_call": "auto"}, "use `tool_choice`"),
        (
            messages({"role": "function", "name": "f", "content": "x"}),
            "use tool calls and messages with the role `tool`",
        ),
        (messages({"role": "assistant", "function_call": {"name": "f", "arguments": ""}}), "use tool calls"),
        ({"tools": [TOOL], "tool_choice": {"type": "custom", "custom": {"name": "x"}}}, '`{"type": "function"'),
    ],
)
def test_who_uses_a_form_that_is_not_supported_hears_what_to_use_instead(fields: dict[str, Any], instead: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_request(body(**fields))
    assert caught.value.status == 400
    assert instead in caught.value.message


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0, "top_p": 1, "presence_penalty": -2, "frequency_penalty": 2, "n": 128},
        {"tools": [TOOL], "tool_choice": NAMED, "parallel_tool_calls": False},
        {"tools": [TOOL], "tool_choice": "required"},
        {
            "tools": [TOOL],
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NAMED]}},
        },
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
        {"stop": "\n"},
        {"stop": list("abcd")},
        {"logit_bias": {"1": -100, "2": 100}},
        {"metadata": {}},
        {"logprobs": True, "top_logprobs": 20},
        {"stream": True, "stream_options": {}},
        messages({"role": "assistant", "content": ""}, {"role": "assistant"}, {"role": "user", "content": ""}),
        messages({"role": "assistant", "content": None, "tool_calls": []}),
    ],
)
def test_what_openai_accepts_or_a_repair_mends_is_accepted(fields: dict[str, Any]) -> None:
    assert decode_request(body(**fields)).model == "m"
