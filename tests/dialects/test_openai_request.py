"""A body becomes a request, or an InvalidRequest that names the field; hostile ones included."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter

from trunkline.dialects.openai_client import decode_request
from trunkline.dialects.openai_provider import OPENAI
from trunkline.dialects.provider import CannotTake
from trunkline.errors import InvalidRequest
from trunkline.model.chat import (
    AudioPart,
    ChatRequest,
    FilePart,
    Function,
    FunctionCall,
    ImagePart,
    ImageUrl,
    Message,
    RefusalPart,
    StreamOptions,
    TextPart,
    Tool,
    ToolCall,
)
from trunkline.model.snapshot import Target

USER = {"role": "user", "content": "Hi"}
BASE: dict[str, Any] = {"model": "advisor-voice", "messages": [USER]}
TOOL = {"type": "function", "function": {"name": "get_weather"}}


def read(**fields: Any) -> ChatRequest:
    return decode_request(json.dumps({**BASE, **fields}).encode())


def refused(body: bytes | dict[str, Any]) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        decode_request(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert len(caught.value.message) < 500
    return caught.value


def test_a_request_with_everything_is_understood() -> None:
    body = {
        "model": "advisor-voice",
        "messages": [
            {"role": "developer", "content": "Be brief.", "name": "ops"},
            {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}},
                    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                    {"type": "file", "file": {"file_id": "file-1"}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}}],
            },
            {"role": "tool", "tool_call_id": "a", "content": "22"},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}], "audio": {"id": "audio_1"}},
        ],
        "tools": [
            {
                "type": "function",
                "function": {"name": "f", "description": "d", "strict": True, "parameters": {"type": "object"}},
            }
        ],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": False,
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}, "strict": True}},
        "stop": ["a", "b"],
        "logprobs": True,
        "top_logprobs": 3,
        "n": 2,
        "seed": 7,
        "temperature": 0.5,
        "max_completion_tokens": 100,
        "reasoning_effort": "low",
        "metadata": {"session": "s-1"},
        "logit_bias": {"50256": -100},
    }
    TypeAdapter(CompletionCreateParamsNonStreaming).validate_python(body)  # the SDK's own idea of a request
    request = decode_request(json.dumps({**body, "stream": True, "stream_options": {"include_usage": True}}).encode())
    assert request.messages == [
        Message("developer", "Be brief.", name="ops"),
        Message("system", [TextPart("Be kind.")]),
        Message(
            "user",
            [
                TextPart("What is this?"),
                ImagePart(ImageUrl("https://a.example/b.png", "low")),
                AudioPart({"data": "AAAA", "format": "wav"}),
                FilePart({"file_id": "file-1"}),
            ],
        ),
        Message("assistant", None, tool_calls=[ToolCall("a", FunctionCall("f", "{"))]),
        Message("tool", "22", tool_call_id="a"),
        Message("assistant", [RefusalPart("No.")], audio={"id": "audio_1"}),
    ]
    assert request.tools == [Tool(Function("f", "d", {"type": "object"}, strict=True))]
    assert request.stream_options == StreamOptions(include_usage=True)
    assert request.wants_usage
    assert request.answer_limit == 100
    assert request.unknown == ()
    assert request.raw["n"] == request.n == 2


def test_null_is_as_good_as_nothing() -> None:
    assert read(stream=None, temperature=None, tools=None, functions=None, stop=None, something=None).unknown == ()


def test_what_our_own_answers_carry_is_known_in_a_history() -> None:
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    said = {"role": "assistant", "content": "x", "refusal": None, "annotations": [], "reasoning_content": "hm"}
    dumped = {**said, "audio": None, "function_call": None, "tool_calls": [call]}
    assert read(messages=[USER, dumped, {"role": "tool", "tool_call_id": "a", "content": "1"}]).unknown == ()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b'"x"', "must be a JSON object"),
        (b'{"model": "\xff"}', "not UTF-8"),
        (b'{"model": "\\ud800"}', "not valid JSON"),
        (b'{"model": NaN}', "not valid JSON"),
        (b'{"seed": 1e400}', "not valid JSON"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b"[" * 100_000, "nested deeper"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested deeper"),
        (b'{"a":' * 150 + b"1" + b"}" * 150, "nested deeper"),
        (b'{"a":' + b"[" * 150 + b"]" * 150 + b"}", "nested deeper"),
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes, said: str) -> None:
    assert said in refused(body).message


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert len(read(messages=[USER] * 200).messages) == 200


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": 5}, "model"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": ["Hi"]}, "messages[0]"),
        ({"messages": [{"content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [USER, {"role": "user", "content": 5}]}, "messages[1].content"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0].type"),
        ({"temperature": "hot"}, "temperature"),
        ({"n": True}, "n"),
        ({"metadata": {"a": 1}}, "metadata[...]"),
        ({"stream": "yes"}, "stream"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [{"type": "retrieval"}]}, "tools[0].type"),
    ],
)
def test_a_wrong_type_names_its_field(change: dict[str, Any], param: str) -> None:
    error = refused({**BASE, **change})
    assert error.param == param
    assert error.message.startswith(f"{param}: ")
    assert (error.status, error.code, error.source) == (400, "invalid_request", "client")


def test_a_missing_field_is_named() -> None:
    for body, param in (({"messages": [USER]}, "model"), ({"model": "m"}, "messages")):
        error = refused(body)
        assert (error.param, error.message) == (param, f"{param}: this field is missing")


def test_a_long_wrong_value_is_not_quoted_whole() -> None:
    assert refused({**BASE, "messages": [{"role": "r" * 10_000, "content": ""}]}).param == "messages[0].role"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"tools": [{"type": "custom", "custom": {"name": "grep"}}]}, "tools[0].type"),
        (
            {
                "messages": [
                    USER,
                    {"role": "assistant", "tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "grep"}}]},
                ]
            },
            "messages[1].tool_calls[0].type",
        ),
    ],
)
def test_custom_tools_are_refused_by_name(change: dict[str, Any], param: str) -> None:
    error = refused({**BASE, **change})
    assert "custom tools are not supported; offer a function with one string parameter" in error.message
    assert error.param == param


def test_our_own_fields_cannot_be_set_from_outside() -> None:
    request = read(raw={"model": "other"}, unknown=["x"])
    assert request.unknown == ("raw", "unknown")
    assert request.raw["model"] == "advisor-voice"


def test_the_raw_body_is_whole_only_where_something_in_it_is_unknown() -> None:
    assert read(temperature=1, stop=None, tools=[TOOL]).raw == {
        "model": "advisor-voice",
        "temperature": 1,
        "stop": None,
    }
    assert read(temperature=1, stream=None).raw == {"model": "advisor-voice", "temperature": 1, "stream": None}
    assert read(top_k=5).raw == {**BASE, "top_k": 5}


def test_of_a_repeated_key_the_last_one_counts() -> None:
    body = b'{"model": 5, "model": "a", "messages": 5, "messages": [{"role": "user", "content": "Hi"}], "n": 9, "n": 2}'
    request = decode_request(body)
    assert (request.model, request.n, request.raw["n"]) == ("a", 2, 2)


def nested(levels: int) -> dict[str, Any]:
    return {"x": nested(levels - 1)} if levels > 1 else {"x": "y"}


SHAPELESS: list[tuple[Any, int]] = [  # a body with a value of any shape, and the levels above that
    (lambda value: {"prediction": value}, 1),
    (lambda value: {"web_search_options": value}, 1),
    (lambda value: {"tools": [{"type": "function", "function": {"name": "f", "parameters": value}}]}, 4),
    (lambda value: {"messages": [{"role": "assistant", "content": None, "audio": value}]}, 3),
    (lambda value: {"messages": [{"role": "user", "content": [{"type": "file", "file": value}]}]}, 5),
    (lambda value: {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": value}]}]}, 5),
]


@pytest.mark.parametrize("unknown", [{}, {"top_k": 5}])
@pytest.mark.parametrize(("place", "above"), SHAPELESS)
def test_a_body_may_nest_a_hundred_levels_and_no_more_wherever_it_does(place: Any, above: int, unknown: Any) -> None:
    assert read(**place(nested(100 - above)), **unknown).unknown == tuple(unknown)
    assert "nested deeper" in refused({**BASE, **place(nested(101 - above)), **unknown}).message


def test_functions_are_refused_as_deprecated_whatever_is_in_them() -> None:
    for function in ({"name": "f", "parameters": nested(120)}, {"name": "f", "parameters": nested(9)}, {"name": "f"}):
        assert refused({**BASE, "functions": [function, {"name": "g", "x": 1}]}).status == 400
    assert refused({**BASE, "functions": [{"name": "f", "x": 1}]}).param == "functions"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from([*sorted(ChatRequest.__struct_fields__), "cache", "x.y[0]"])
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant", "tool", "function", "developer"])},
        optional={
            "content": st.text(max_size=5) | JSON | st.just([{"type": "text", "text": "x", "cache_control": {}}]),
            "tool_calls": JSON,
            "tool_call_id": st.text(max_size=3),
            "function_call": JSON,
        },
    ),
    max_size=4,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(FIELDS, JSON, max_size=5), MESSAGES | JSON, st.sampled_from(["allow", "drop", "refuse"]))
def test_any_json_is_a_request_that_can_be_sent_or_invalid(fields: dict[str, Any], messages: Any, route: Any) -> None:
    body = json.dumps({"model": "m", "messages": messages, **fields}).encode()
    try:
        request = decode_request(body)
    except InvalidRequest as error:
        assert len(error.message) < 1000
        return
    try:
        sent = json.loads(OPENAI.encode(request, Target("openai", "gpt-4o-mini"), route).body)
    except CannotTake as error:
        assert error.param in {"messages", *request.unknown}
        return
    assert sent["model"] == "gpt-4o-mini"
    assert sent.keys().isdisjoint({"metadata", "user", "safety_identifier", "store"})


def understood(body: dict[str, Any]) -> Any:
    """Return what a body says, or what is wrong with it, leaving aside what is unknown in it."""
    try:
        request = decode_request(json.dumps(body).encode())
    except InvalidRequest as error:
        return error.param, error.message
    return msgspec.structs.replace(request, unknown=tuple(sorted({*request.unknown} - {"zz"})), raw={})


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(FIELDS, JSON, max_size=3), MESSAGES)
def test_a_field_that_is_unknown_changes_nothing_in_what_is_understood(fields: dict[str, Any], messages: Any) -> None:
    body = {"model": "m", "messages": messages, **fields}
    alone, beside = understood(body), understood({**body, "zz": 1})
    if isinstance(alone, ChatRequest):
        alone = msgspec.structs.replace(alone, unknown=tuple(sorted(alone.unknown)))
    assert alone == beside


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_request_or_invalid(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decode_request(body)
