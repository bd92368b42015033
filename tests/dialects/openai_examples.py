"""Transcripts written from OpenAI's API reference, and ways to cut and put together bytes and deltas."""

import json
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from trunkline.dialects.openai_provider import OPENAI
from trunkline.model.delta import Delta, Usage

CHUNK = {
    "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
    "object": "chat.completion.chunk",
    "created": 1741570283,
    "model": "gpt-4o-mini-2024-07-18",
    "service_tier": "default",
    "system_fingerprint": "fp_50cad350e4",
}


def chunk(delta: dict[str, Any], finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {**CHUNK, "choices": [choice], **more}


def frame(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def stream(*chunks: dict[str, Any], done: bool = True) -> bytes:
    return b"".join(map(frame, chunks)) + (b"data: [DONE]\n\n" if done else b"")


USAGE_CHUNK = {
    **CHUNK,
    "choices": [],
    "usage": {
        "prompt_tokens": 2006,
        "completion_tokens": 300,
        "total_tokens": 2306,
        "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 192,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    },
}
TEXT_STREAM = stream(
    chunk({"role": "assistant", "content": "", "refusal": None}),
    chunk({"content": "Hello"}, obfuscation="aB3"),
    chunk({"content": ", wörld"}, obfuscation="Z"),
    chunk({}, "stop"),
    USAGE_CHUNK,
)
TOOL_STREAM = stream(
    chunk(
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "index": 0,
                    "id": "call_DdmO9pD3xa9XTPNJ32zg2hcA",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": ""},
                }
            ],
        }
    ),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"loc'}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": 'ation":"Paris"}'}}]}),
    chunk(
        {
            "tool_calls": [
                {"index": 1, "id": "call_2", "type": "function", "function": {"name": "get_time", "arguments": "{}"}}
            ]
        }
    ),
    chunk({}, "tool_calls"),
)


def cuts(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """Every way to cut these bytes."""
    places = st.lists(st.integers(0, len(data)), max_size=12).map(sorted)
    return places.map(
        lambda at: [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)],
    )


def decode(pieces: Iterable[bytes]) -> list[Delta]:
    decoder = OPENAI.stream_decoder()
    return [delta for piece in pieces for delta in decoder.feed(piece)]


def merged(deltas: Iterable[Delta]) -> dict[str, Any]:
    """What deltas say all together, however it was cut."""
    said: dict[str, Any] = {"choices": {}, "usage": None}
    for delta in deltas:
        if delta.good or delta.logprobs is not None:
            choice = said["choices"].setdefault(
                delta.choice, {"text": "", "refusal": "", "reasoning": "", "tools": {}, "finish": None, "logprobs": []}
            )
            choice["text"] += delta.text
            choice["refusal"] += delta.refusal
            choice["reasoning"] += delta.reasoning
            choice["finish"] = delta.finish or choice["finish"]
            if delta.logprobs:
                choice["logprobs"] += delta.logprobs.get("content") or []
            if delta.tool is not None:
                tool = choice["tools"].setdefault(delta.tool.index, [delta.tool.id, delta.tool.name, ""])
                tool[2] += delta.tool.arguments
        said["usage"] = delta.usage or said["usage"]
    return said


def text_of(deltas: Iterable[Delta]) -> str:
    return "".join(delta.text for delta in deltas)


USAGE = Usage(input=86, cached_input=1920, output=108, reasoning=192)
