"""What OpenAI is sent: the parameters as the target wants them, nothing private, a history that it accepts."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from pydantic import TypeAdapter

from trunkline.dialects.openai_client import decode_request
from trunkline.dialects.openai_provider import OPENAI
from trunkline.dialects.provider import CannotTake, Encoded
from trunkline.model.chat import ChatRequest, FunctionCall, Message, TextPart, ToolCall
from trunkline.model.snapshot import Params, Target

USER = {"role": "user", "content": "Hi"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}
TARGET = Target("openai", "gpt-4o-mini")


def request(**fields: Any) -> ChatRequest:
    return decode_request(json.dumps({"model": "advisor-voice", "messages": [USER], **fields}).encode())


def encode(target: Target = TARGET, pass_through: Any = "drop", **fields: Any) -> tuple[dict[str, Any], Encoded]:
    encoded = OPENAI.encode(request(**fields), target, pass_through)
    return msgspec.json.decode(encoded.body), encoded


def params(**change: Any) -> Target:
    return Target("openai", "gpt-4o-mini", params=Params(**change))


def test_headers_carry_the_key_and_nothing_else() -> None:
    assert OPENAI.headers("sk-1") == (
        b"content-type: application/json\r\naccept: application/json, text/event-stream\r\n"
        b"authorization: Bearer sk-1\r\n"
    )
    assert b"authorization" not in OPENAI.headers("")


@pytest.mark.parametrize("key", ["sk-1\r\nx: y", "sk 1", "schlüssel", "\x00"])
def test_a_key_that_no_header_can_hold_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError, match="no header can hold") as caught:
        OPENAI.headers(key)
    assert key not in str(caught.value)


def test_the_body_has_the_targets_model_and_all_that_the_client_asked() -> None:
    fields: dict[str, Any] = {
        "tools": [TOOL],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"a": 10**25}}},
        "temperature": 0.5,
        "n": 2,
        "logprobs": True,
        "top_logprobs": 2,
        "stop": ["a"],
        "seed": 1,
        "reasoning_effort": "low",
        "max_completion_tokens": 10,
        "logit_bias": {"1": 5},
        "prompt_cache_key": "k",
        "service_tier": "auto",
        "verbosity": "low",
        "prediction": {"type": "content", "content": "x"},
    }
    body, encoded = encode(**fields)
    assert body == {"model": "gpt-4o-mini", "messages": [USER], **fields}
    assert (encoded.dropped, encoded.repairs) == ((), ())


def test_what_is_consumed_here_is_not_sent() -> None:
    body, encoded = encode(metadata={"subject": "Jo"}, user="jo@example.com", safety_identifier="jo", store=True)
    assert body == {"model": "gpt-4o-mini", "messages": [USER]}
    assert encoded.dropped == ("store",)


def test_every_field_of_a_request_is_either_sent_or_kept_back_on_purpose() -> None:
    # A new field must be put into one of these by hand: what nobody thought of does not leave.
    sent = {
        *("audio", "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "messages"),
        *("modalities", "model", "n", "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key"),
        *("prompt_cache_retention", "reasoning_effort", "response_format", "seed", "service_tier", "stop", "stream"),
        *("stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "verbosity"),
        "web_search_options",
    }
    kept_back = {"metadata", "user", "safety_identifier", "store", "functions", "function_call", "unknown", "raw"}
    assert set(ChatRequest.__struct_fields__) == sent | kept_back
    full = ChatRequest(model="m", messages=[Message("user", "Hi")], stream=True)
    some = dict.fromkeys(set(ChatRequest.__struct_fields__) - {"model", "messages", "stream", "stream_options"}, "x")
    some |= {"unknown": (), "store": True}  # type: ignore[dict-item]
    for target in (TARGET, params(drop=("min_p",))):
        encoded = OPENAI.encode(msgspec.structs.replace(full, **some), target, "drop")
        assert msgspec.json.decode(encoded.body).keys() == sent


@pytest.mark.parametrize("options", [None, {"include_usage": False, "include_obfuscation": False}])
def test_a_streams_usage_is_always_asked_for(options: Any) -> None:
    body, _ = encode(stream=True, stream_options=options)
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}


def test_parameters_are_defaulted_set_and_dropped() -> None:
    target = params(
        default={"temperature": 0.2, "top_p": 0.9}, set={"reasoning_effort": "none"}, drop=("logit_bias", "seed")
    )
    body, encoded = encode(target, temperature=0.7, reasoning_effort="high", logit_bias={"1": 1})
    assert (body["temperature"], body["top_p"], body["reasoning_effort"]) == (0.7, 0.9, "none")
    assert "logit_bias" not in body
    assert encoded.dropped == ("logit_bias",)


@pytest.mark.parametrize(
    ("target", "client", "limits"),
    [
        (params(default={"max_tokens": 9}), {"max_completion_tokens": 5}, {"max_completion_tokens": 5}),
        (params(default={"max_tokens": 9}), {}, {"max_tokens": 9}),
        (params(set={"max_tokens": 9}), {"max_completion_tokens": 5}, {"max_tokens": 9}),
        (params(drop=("max_tokens",)), {"max_tokens": 5}, {}),
    ],
)
def test_the_two_names_of_the_limit_never_meet(target: Target, client: Any, limits: dict[str, int]) -> None:
    body, _ = encode(target, **client)
    assert {name: body[name] for name in ("max_tokens", "max_completion_tokens") if name in body} == limits


VALUES = st.one_of(st.none(), st.floats(0, 1), st.text("ab", max_size=3), st.just({"type": "text"}))
SOME = st.dictionaries(
    st.sampled_from(["temperature", "top_p", "seed", "max_tokens", "reasoning_effort", "min_p", "stream"]), VALUES
)


@given(SOME, SOME, st.sampled_from(["temperature", "top_p"]), st.booleans())
def test_parameters_change_the_same_whether_anything_is_dropped_or_not(default, given_, name, streamed) -> None:
    """What nobody asked for can be dropped, which takes the other way of encoding."""
    fields: dict[str, Any] = {name: 0.5, **({"stream": True} if streamed else {})}
    one, _ = encode(params(default=default, set=given_), **fields)
    other, encoded = encode(params(default=default, set=given_, drop=("nobody_asked_for_this",)), **fields)
    assert one == other
    assert encoded.dropped == ()


def test_parameters_cannot_replace_the_conversation() -> None:
    own = {"model": "x", "messages": [], "stream": True, "stream_options": {}}
    body, _ = encode(params(default=own, set=own, drop=tuple(own)))
    assert body == {"model": "gpt-4o-mini", "messages": [USER]}


def test_a_targets_own_limit_is_used_where_the_client_names_none_and_said() -> None:
    target = Target("openai", "gpt-4o-mini", max_output_tokens=256)
    body, encoded = encode(target)
    assert body["max_completion_tokens"] == 256
    assert encoded.repairs == ("max_completion_tokens:256",)
    body, encoded = encode(target, max_tokens=10)
    assert "max_completion_tokens" not in body
    assert encoded.repairs == ()


CACHED = {"role": "user", "content": "Hi", "cache_control": {"type": "ephemeral"}}


def test_unknown_fields_are_dropped_refused_or_allowed_as_the_route_says() -> None:
    fields = {"top_k": 5, "messages": [CACHED]}
    body, encoded = encode(pass_through="drop", **fields)
    assert body == {"model": "gpt-4o-mini", "messages": [USER]}
    assert set(encoded.dropped) == {"top_k", "messages[0].cache_control"}
    body, encoded = encode(pass_through="allow", **fields)
    assert body == {"model": "gpt-4o-mini", "messages": [CACHED], "top_k": 5}
    assert encoded.dropped == ()
    with pytest.raises(CannotTake, match="top_k") as caught:
        encode(pass_through="refuse", **fields)
    assert caught.value.param == "top_k"


def test_a_targets_setting_is_stronger_than_an_unknown_field() -> None:
    body, encoded = encode(params(set={"top_k": 1}, drop=("min_p",)), "allow", top_k=5, min_p=0.1)
    assert body["top_k"] == 1
    assert "min_p" not in body
    assert encoded.dropped == ("min_p",)


def test_unknown_fields_of_a_repaired_message_are_said_to_be_dropped() -> None:
    silent = {"role": "assistant", "content": None, "mood": "calm"}
    body, encoded = encode(pass_through="allow", messages=[CACHED, silent, CACHED])
    assert body["messages"] == [CACHED, CACHED]
    assert encoded.dropped == ("messages[1].mood",)
    assert encoded.repairs == ("empty_message_removed",)


def test_an_empty_conversation_cannot_be_taken() -> None:
    with pytest.raises(CannotTake) as caught:
        encode(messages=[{"role": "assistant", "content": None}])
    assert caught.value.param == "messages"


def test_an_interrupted_call_is_answered_and_what_was_said_is_kept() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"x'}}
    said = {"role": "assistant", "content": "Let me look.", "tool_calls": [call]}
    body, encoded = encode(messages=[USER, said, {"role": "user", "content": "Wait"}])
    assert body["messages"][1] == said
    assert body["messages"][2]["role"] == "tool"
    assert body["messages"][2]["tool_call_id"] == "call_1"
    assert "interrupted" in body["messages"][2]["content"]
    assert body["messages"][3] == {"role": "user", "content": "Wait"}
    assert encoded.repairs == ("orphan_tool_call_answered:call_1",)


def complaint(messages: Sequence[dict[str, Any]]) -> str | None:
    """Say what OpenAI would answer with 400 to this history, from the messages of its errors."""
    waiting: set[str] = set()
    if not messages:
        return "[] is too short - 'messages'"
    for message in messages:
        role, content, calls = message["role"], message.get("content"), message.get("tool_calls")
        if role == "tool":
            if message["tool_call_id"] not in waiting:
                return "messages with role 'tool' must be a response to a preceding message with 'tool_calls'"
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            return "'tool_calls' must be followed by tool messages responding to each 'tool_call_id'"
        if calls is not None and not calls:
            return "[] is too short - 'tool_calls'"
        if content is None and not calls and not message.get("audio") and not message.get("refusal"):
            return "expected a string, got null"
        if content == []:
            return "[] is too short - 'content'"
        waiting = {call["id"] for call in calls or ()}
        if any(not 1 <= len(call_id) <= 40 for call_id in waiting):
            return "expected a string with maximum length 40"
        if len(waiting) != len(calls or ()):
            return "duplicate id"
    return "'tool_calls' must be followed by tool messages" if waiting else None


IDS = st.sampled_from(["a", "b", "c", "call_" + "x" * 60, ""])
PARTS = st.builds(TextPart, st.sampled_from(["", "x"]))
SAID = st.sampled_from(["", "x"]) | st.lists(PARTS, min_size=1, max_size=2)
CONTENT = SAID | st.none()
MESSAGES = st.one_of(
    st.builds(Message, st.sampled_from(["user", "system", "developer"]), SAID),
    st.builds(
        lambda said, call_id: Message("tool", said, tool_call_id=call_id),
        SAID,
        st.sampled_from(["a", "b", "call_" + "x" * 60]),
    ),
    st.builds(
        lambda said, ids: Message(
            "assistant", said, tool_calls=None if ids is None else [ToolCall(i, FunctionCall("f", "{")) for i in ids]
        ),
        CONTENT,
        st.none() | st.lists(IDS, max_size=3),
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(MESSAGES, min_size=1, max_size=8))
def test_any_history_becomes_one_that_openai_accepts(messages: list[Message]) -> None:
    asked = ChatRequest(model="m", messages=messages)
    before = complaint(msgspec.to_builtins(messages))
    try:
        encoded = OPENAI.encode(asked, TARGET, "drop")
    except CannotTake:
        assert all(message.role == "assistant" and not message.tool_calls for message in messages)
        return
    sent = msgspec.json.decode(encoded.body)["messages"]
    assert complaint(sent) is None
    assert bool(encoded.repairs) is (before is not None)
    if not encoded.repairs:
        assert sent == msgspec.to_builtins(messages)


@pytest.mark.parametrize("streamed", [False, True])
def test_the_sdk_knows_every_field_that_is_sent(streamed: bool) -> None:
    kind = CompletionCreateParamsStreaming if streamed else CompletionCreateParamsNonStreaming
    image = {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}}
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    body, _ = encode(
        stream=streamed,
        messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "x"}, image]},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "a", "content": "1"},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        ],
        tools=[TOOL],
        n=1,
        max_tokens=5,
        frequency_penalty=1,
        unheard_of=1,
    )
    TypeAdapter(kind).validate_python(body)
    assert body.keys() <= kind.__annotations__.keys()
