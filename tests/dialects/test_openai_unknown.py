"""Fields that no type knows are named by their path, and grafted where they were."""

import json
from typing import Any

import msgspec
import pytest

from trunkline.dialects.openai_client import decode_request
from trunkline.dialects.openai_unknown import LONGEST_NAME, MOST_UNKNOWN, pass_on_unknown
from trunkline.errors import InvalidRequest
from trunkline.model.chat import ChatRequest, Message, TextPart

CACHED = {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}
IMAGE = {"type": "image_url", "image_url": {"url": "https://a.example", "max_pixels": 9}}
CALL = {"id": "a", "type": "function", "extra": 1, "function": {"name": "f", "arguments": "{}", "signature": "s"}}
TOOL = {"type": "function", "function": {"name": "f", "examples": [1]}, "eager": True}
BODY: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Hi", "priority": 1},
        {"role": "user", "content": [{"type": "text", "text": "x"}, CACHED, IMAGE]},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "content": "1", "tool_call_id": "a"},
    ],
    "tools": [{"type": "function", "function": {"name": "g"}}, TOOL],
    "stream": True,
    "stream_options": {"include_usage": True, "every": 5},
    "top_k": 40,
    "nothing": None,
}


def read(body: dict[str, Any]) -> ChatRequest:
    return decode_request(json.dumps(body).encode())


def sent(request: ChatRequest, messages: list[Message] | None = None) -> tuple[dict[str, Any], tuple[str, ...]]:
    body = {"messages": request.messages if messages is None else messages, "tools": request.tools}
    grafted, lost = pass_on_unknown(request, {**body, "stream_options": {"include_usage": True}})
    return msgspec.json.decode(msgspec.json.encode(grafted)), lost


def test_each_unknown_field_is_named_by_its_path() -> None:
    assert set(read(BODY).unknown) == {
        "top_k",
        "messages[0].priority",
        "messages[1].content[1].cache_control",
        "messages[1].content[2].image_url.max_pixels",
        "messages[2].tool_calls[0].extra",
        "messages[2].tool_calls[0].function.signature",
        "tools[1].eager",
        "tools[1].function.examples",
        "stream_options.every",
    }


def test_grafted_fields_are_where_they_were() -> None:
    body, lost = sent(read(BODY))
    assert body["messages"] == BODY["messages"]
    assert body["tools"] == BODY["tools"]
    assert body["stream_options"] == BODY["stream_options"]
    assert body["top_k"] == 40
    assert "nothing" not in body
    assert lost == ()


def test_nothing_that_a_type_knows_comes_back_from_the_raw_body() -> None:
    request = read(BODY)
    redacted = [
        msgspec.structs.replace(request.messages[0], content="[redacted]"),
        msgspec.structs.replace(request.messages[1], content=[TextPart("[redacted]")]),
        *request.messages[2:],
    ]
    body, _ = sent(msgspec.structs.replace(request, messages=redacted))
    assert body["messages"][0] == {"role": "system", "content": "[redacted]", "priority": 1}
    assert body["messages"][1]["content"] == [{"type": "text", "text": "[redacted]"}]


def test_a_message_replaced_by_text_takes_no_parts_back() -> None:
    request = read(BODY)
    plain = [*request.messages[:1], Message("user", "x"), *request.messages[2:]]
    body, _ = sent(msgspec.structs.replace(request, messages=plain))
    assert body["messages"][1] == {"role": "user", "content": "x"}


def test_what_was_in_a_repaired_message_is_lost_and_said() -> None:
    request = read(BODY)
    body, lost = sent(request, [*request.messages[:2], Message("assistant", "repaired")])
    assert set(lost) == {"messages[2].tool_calls[0].extra", "messages[2].tool_calls[0].function.signature"}
    assert body["messages"][2] == {"role": "assistant", "content": "repaired"}


def test_messages_that_are_no_longer_in_their_places_are_left_alone() -> None:
    request = read(BODY)
    moved = msgspec.structs.replace(request, messages=[Message("system", "prompt"), *request.messages])
    body, lost = sent(moved)
    assert "priority" not in body["messages"][1]
    assert all(path.startswith("messages[") for path in lost)
    assert len(lost) == 5


@pytest.mark.parametrize("foreign", [None, {"url": "https://a.example"}])
def test_a_field_of_another_kind_of_part_is_neither_unknown_nor_sent(foreign: Any) -> None:
    content = [{"type": "text", "text": "x", "image_url": foreign, "refusal": None, "note": 1}]
    request = read({"model": "m", "messages": [{"role": "user", "content": content}]})
    assert request.unknown == ("messages[0].content[0].note",)
    assert sent(request)[0]["messages"][0]["content"] == [{"type": "text", "text": "x", "note": 1}]


def test_too_many_or_too_long_unknown_fields_are_refused() -> None:
    most = {f"x{i}": 1 for i in range(MOST_UNKNOWN)}
    assert len(read({"model": "m", "messages": [{"role": "user", "content": ""}], **most}).unknown) == MOST_UNKNOWN
    with pytest.raises(InvalidRequest, match="more than"):
        read({**BODY, **most})
    with pytest.raises(InvalidRequest, match="very long name"):
        read({**BODY, "x" * (LONGEST_NAME + 1): 1})
