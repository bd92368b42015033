"""A whole answer in the client's face: `chat.completion`, with what it cost and what became of the call."""

from typing import Any, Final, final

import msgspec
from msgspec import UNSET, UnsetType

from trunkline.dialects.openai_envelope import AnswerHead, Closing
from trunkline.dialects.openai_usage import trunkline_at_end, usage_at_end
from trunkline.dialects.openai_wire import ClientChoice, ClientMessage, Completion
from trunkline.model.delta import Delta, ToolDelta

_TIERS: Final = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})
_encode: Final = msgspec.json.Encoder().encode


def client_tier(delta: Delta) -> str | None:
    """Return the tier where it is one of OpenAI's: clients with closed enumerations fail on another's word."""
    return delta.service_tier if delta.service_tier in _TIERS else None


def sentence_deltas(text: str) -> list[Delta]:
    """Return a sentence of the gateway's own as a normal answer."""
    return [Delta(text=text), Delta(finish="stop")]


def encode_answer(head: AnswerHead, deltas: list[Delta], closing: Closing) -> bytes:
    """Return the body of a `chat.completion`."""
    choices: dict[int, _Choice] = {}
    tier: str | UnsetType = UNSET
    fingerprint: str | UnsetType = UNSET
    for delta in deltas:
        if delta.text or delta.good or delta.logprobs is not None or delta.annotations is not None:
            choice = choices.get(delta.choice)
            if choice is None:
                choice = choices[delta.choice] = _Choice()
            choice.add(delta)
        if delta.service_tier in _TIERS:
            tier = delta.service_tier
        if delta.system_fingerprint:
            fingerprint = delta.system_fingerprint
    wires = [choice.wire(index) for index, choice in choices.items()]
    if len(wires) > 1:
        wires.sort(key=lambda wire: wire.index)
    completion = Completion(
        head.id, head.created, head.model, wires, usage_at_end(closing), trunkline_at_end(closing), tier, fingerprint
    )
    return _encode(completion)


@final
class _Choice:
    """One choice, put together from its deltas."""

    __slots__ = ("annotations", "audio", "finish", "logprobs", "reasoning", "refusal", "text", "tools")

    def __init__(self) -> None:
        self.text = ""
        self.refusal: str | None = None
        self.reasoning: str | UnsetType = UNSET
        self.finish: str | None = None
        self.tools: dict[int, dict[str, Any]] | None = None
        self.logprobs: dict[str, Any] | None = None
        self.annotations: list[Any] = []
        self.audio: dict[str, Any] | UnsetType = UNSET

    def add(self, delta: Delta) -> None:
        if delta.text:
            self.text += delta.text
        if delta.refusal:
            self.refusal = (self.refusal or "") + delta.refusal
        if delta.reasoning:
            self.reasoning = (self.reasoning or "") + delta.reasoning
        if delta.finish is not None:
            self.finish = delta.finish
        if delta.tool is not None:
            self._add_tool(delta.tool)
        if delta.logprobs is not None:
            self.logprobs = _merge_lists(self.logprobs, delta.logprobs)
        if delta.annotations is not None:
            self.annotations.extend(delta.annotations)
        if delta.audio is not None:
            self.audio = _merge_audio(self.audio, delta.audio)

    def _add_tool(self, piece: ToolDelta) -> None:
        if self.tools is None:
            self.tools = {}
        tool = self.tools.setdefault(
            piece.index, {"id": piece.id, "type": "function", "function": {"name": piece.name, "arguments": ""}}
        )
        tool["function"]["arguments"] += piece.arguments

    def wire(self, index: int) -> ClientChoice:
        tools: list[dict[str, Any]] | UnsetType = UNSET
        if self.tools is not None:
            tools = [self.tools[place] for place in sorted(self.tools)]
        silent = not self.text and (tools or self.refusal or self.audio is not UNSET)
        message = ClientMessage(
            None if silent else self.text, self.refusal, self.annotations, self.reasoning, tools, self.audio
        )
        finish = self.finish or ("tool_calls" if tools else "stop")
        return ClientChoice(index, message, self.logprobs, finish)


def _merge_lists(before: dict[str, Any] | None, more: dict[str, Any]) -> dict[str, Any]:
    """Join log probabilities: `content` and `refusal` are lists of tokens."""
    if before is None:
        return more
    joined = dict(before)
    for key, tokens in more.items():
        joined[key] = (joined.get(key) or []) + tokens if tokens else joined.get(key)
    return joined


def _merge_audio(before: dict[str, Any] | UnsetType, more: dict[str, Any]) -> dict[str, Any]:
    """Join pieces of audio: base64 `data` (cut at whole groups, as providers send it) and `transcript` grow."""
    if before is UNSET:
        return more
    joined = {**before, **more}
    for key in ("data", "transcript"):
        if isinstance(before.get(key), str) and isinstance(more.get(key), str):
            joined[key] = before[key] + more[key]
    return joined
