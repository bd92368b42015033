"""A whole answer in the client's face: `chat.completion`, with what it cost and what became of the call."""

from decimal import Decimal
from typing import Any

import msgspec

from trunkline.dialects.openai_usage import write_usage
from trunkline.model.delta import Delta, Usage

_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})
_encode = msgspec.json.Encoder().encode


class AnswerHead(msgspec.Struct, frozen=True):
    """What every chunk of an answer repeats: `id` is ``chatcmpl-<call id>``, `created` a Unix second."""

    id: str
    created: int
    model: str


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """What is known only at the end of a call. Times are milliseconds, `cost` is USD."""

    outcome: str
    guardrail: str | None = None
    attempts: int
    hold_ms: float = 0.0
    overhead_ms: float
    usage: Usage | None = None
    cost: Decimal | None = None

    def trunkline(self) -> dict[str, Any]:
        """Return the object that goes out under `trunkline`."""
        return {
            "outcome": self.outcome,
            "guardrail": self.guardrail,
            "attempts": self.attempts,
            "hold_ms": self.hold_ms,
            "overhead_ms": self.overhead_ms,
        }

    def wire_usage(self) -> dict[str, Any] | None:
        """Return `usage` for the client; None where nothing is known."""
        if self.usage is None and self.cost is None:
            return None
        return write_usage(self.usage or Usage(), self.cost)


def client_tier(delta: Delta) -> str | None:
    """Return the tier where it is one of OpenAI's: clients with closed enumerations fail on another's word."""
    return delta.service_tier if delta.service_tier in _TIERS else None


def sentence_deltas(text: str) -> list[Delta]:
    """Return a sentence of the gateway's own as a normal answer."""
    return [Delta(text=text), Delta(finish="stop")]


def encode_answer(head: AnswerHead, deltas: list[Delta], closing: Closing) -> bytes:
    """Return the body of a `chat.completion`."""
    choices: dict[int, _Choice] = {}
    tier = fingerprint = None
    for delta in deltas:
        if delta.good or delta.logprobs is not None or delta.annotations is not None:
            choice = choices.get(delta.choice)
            if choice is None:
                choice = choices[delta.choice] = _Choice()
            choice.add(delta)
        tier = client_tier(delta) or tier
        fingerprint = delta.system_fingerprint or fingerprint
    body: dict[str, Any] = {
        "id": head.id,
        "object": "chat.completion",
        "created": head.created,
        "model": head.model,
        "choices": [choices[index].wire(index) for index in sorted(choices)],
        "usage": closing.wire_usage(),
    }
    if tier is not None:
        body["service_tier"] = tier
    if fingerprint is not None:
        body["system_fingerprint"] = fingerprint
    body["trunkline"] = closing.trunkline()
    return _encode(body)


class _Choice:
    """One choice, put together from its deltas."""

    __slots__ = ("annotations", "audio", "finish", "logprobs", "reasoning", "refusal", "text", "tools")

    def __init__(self) -> None:
        self.text = ""
        self.refusal = ""
        self.reasoning = ""
        self.finish: str | None = None
        self.tools: dict[int, dict[str, Any]] = {}
        self.logprobs: dict[str, Any] | None = None
        self.annotations: list[Any] = []
        self.audio: dict[str, Any] | None = None

    def add(self, delta: Delta) -> None:
        self.text += delta.text
        self.refusal += delta.refusal
        self.reasoning += delta.reasoning
        self.finish = delta.finish or self.finish
        if delta.tool is not None:
            self._add_tool(delta)
        if delta.logprobs is not None:
            self.logprobs = _merge_lists(self.logprobs, delta.logprobs)
        if delta.annotations is not None:
            self.annotations.extend(delta.annotations)
        if delta.audio is not None:
            self.audio = _merge_audio(self.audio, delta.audio)

    def _add_tool(self, delta: Delta) -> None:
        piece = delta.tool
        assert piece is not None  # noqa: S101 - the caller has looked; this tells the type checker
        tool = self.tools.setdefault(
            piece.index, {"id": piece.id, "type": "function", "function": {"name": piece.name, "arguments": ""}}
        )
        tool["function"]["arguments"] += piece.arguments

    def wire(self, index: int) -> dict[str, Any]:
        silent = not self.text and (self.tools or self.refusal or self.audio is not None)
        message: dict[str, Any] = {
            "role": "assistant",
            "content": None if silent else self.text,
            "refusal": self.refusal or None,
            "annotations": self.annotations,
        }
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.tools:
            message["tool_calls"] = [self.tools[place] for place in sorted(self.tools)]
        if self.audio is not None:
            message["audio"] = self.audio
        finish = self.finish or ("tool_calls" if self.tools else "stop")
        return {"index": index, "message": message, "logprobs": self.logprobs, "finish_reason": finish}


def _merge_lists(before: dict[str, Any] | None, more: dict[str, Any]) -> dict[str, Any]:
    """Join log probabilities: `content` and `refusal` are lists of tokens."""
    if before is None:
        return more
    joined = dict(before)
    for key, tokens in more.items():
        joined[key] = (joined.get(key) or []) + tokens if tokens else joined.get(key)
    return joined


def _merge_audio(before: dict[str, Any] | None, more: dict[str, Any]) -> dict[str, Any]:
    """Join pieces of audio: base64 `data` (cut at whole groups, as providers send it) and `transcript` grow."""
    if before is None:
        return more
    joined = {**before, **more}
    for key in ("data", "transcript"):
        if isinstance(before.get(key), str) and isinstance(more.get(key), str):
            joined[key] = before[key] + more[key]
    return joined
