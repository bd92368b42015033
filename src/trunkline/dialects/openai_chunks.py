"""A streamed answer in the client's face: deltas to `chat.completion.chunk` frames."""

from typing import Any, Final

import msgspec

from trunkline.dialects.openai_answer import client_tier
from trunkline.dialects.openai_envelope import AnswerHead, Closing
from trunkline.dialects.openai_usage import trunkline_at_end, usage_at_end
from trunkline.model.delta import Delta, ToolDelta

DONE: Final = b"data: [DONE]\n\n"

_encode: Final = msgspec.json.Encoder().encode


class ChunkEncoder:
    """One stream's encoder: the role first for each choice, one tool call per chunk, the last frame held for `end`.

    What a text chunk has beside its text is encoded once.
    """

    __slots__ = ("_after", "_before", "_begun", "_head", "_held", "_open", "_tail", "_wants_usage")

    def __init__(self, head: AnswerHead, wants_usage: bool) -> None:  # noqa: FBT001 - one name at its only caller
        self._head = head
        self._wants_usage = wants_usage
        self._begun: set[int] = set()  # choices whose role has been sent
        self._held = b""  # the latest finish chunk without its end, where the last frames belong on it
        # With include_usage every chunk but the last has a null usage (OpenAI, "stream_options").
        self._tail = b',"usage":null}\n\n' if wants_usage else b"}\n\n"
        self._open = b""
        self._before = b""  # a text chunk of choice 0 up to its text; none before its role has been sent
        self._after = b'},"logprobs":null,"finish_reason":null}]' + self._tail

    def begin(self, delta: Delta) -> bytes:
        """Return the frame that says the role of the first choice; `delta` is the first of its stream."""
        self._begin(delta)
        return self._role(delta)

    def encode(self, delta: Delta) -> bytes:
        """Return the frames, whole ones or none, that say this delta."""
        if (
            self._before
            and delta.text
            and delta.choice == 0
            and delta.finish is None
            and delta.tool is None
            and delta.logprobs is None
            and delta.annotations is None
            and delta.audio is None
            and not (delta.reasoning or delta.refusal)
        ):
            return self._before + _encode(delta.text) + self._after
        return self._encode_any(delta)

    def end(self, closing: Closing) -> bytes:
        """Return the stream's last frames: what was held, with usage, cost and outcome, and `[DONE]`."""
        self._begin(Delta())
        usage = usage_at_end(closing)
        rest: dict[str, Any] = {"usage": usage} if self._wants_usage or usage is not None else {}
        rest["trunkline"] = trunkline_at_end(closing)
        frame = self._held or self._open + b"[]"
        return frame + b"," + _encode(rest)[1:] + b"\n\n" + DONE

    def fail(self, error_envelope: dict[str, Any], sentence: str | None) -> bytes:
        """Return the frames that say that the answer broke off: the sentence, where there is one, then the error."""
        spoken = b""
        if sentence:
            # After half a word, a voice would run the two together.
            spoken = self.encode(Delta(text=f" {sentence}" if 0 in self._begun else sentence))
        return spoken + b"data: " + _encode(error_envelope) + b"\n\n"

    def _begin(self, delta: Delta) -> None:
        """Encode what all chunks share, at the first: only then is it known what serves the call."""
        if self._open:
            return
        shared: dict[str, Any] = {
            "id": self._head.id,
            "object": "chat.completion.chunk",
            "created": self._head.created,
            "model": self._head.model,
        }
        tier = client_tier(delta)
        if tier is not None:
            shared["service_tier"] = tier
        if delta.system_fingerprint is not None:
            shared["system_fingerprint"] = delta.system_fingerprint
        self._open = b"data: " + _encode(shared)[:-1] + b',"choices":'

    def _encode_any(self, delta: Delta) -> bytes:
        self._begin(delta)
        frames = b""
        said = _said(delta)
        if said or delta.logprobs is not None or delta.tool is not None or delta.finish is not None:
            frames = self._role(delta)
        if said or delta.logprobs is not None:
            frames += self._chunk(delta.choice, said, delta.logprobs)
        if delta.tool is not None:
            frames += self._chunk(delta.choice, {"tool_calls": [_tool(delta.tool)]}, None)
        if delta.finish is not None:
            frames += self._finish(delta)
        return frames

    def _role(self, delta: Delta) -> bytes:
        if delta.choice in self._begun:
            return b""
        self._begun.add(delta.choice)
        if delta.choice == 0:
            self._before = self._open + b'[{"index":0,"delta":{"content":'
        content = None if delta.tool is not None and not delta.text else ""
        return self._chunk(delta.choice, {"role": "assistant", "content": content, "refusal": None}, None)

    def _chunk(self, choice: int, said: dict[str, Any], logprobs: Any) -> bytes:
        wire = [{"index": choice, "delta": said, "logprobs": logprobs, "finish_reason": None}]
        return self._open + _encode(wire) + self._tail

    def _finish(self, delta: Delta) -> bytes:
        wire = [{"index": delta.choice, "delta": {}, "logprobs": None, "finish_reason": delta.finish}]
        frame = self._open + _encode(wire)
        if self._wants_usage:
            return frame + self._tail
        before, self._held = self._held, frame
        return before + self._tail if before else b""


def _said(delta: Delta) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if delta.reasoning:
        said["reasoning_content"] = delta.reasoning
    if delta.text:
        said["content"] = delta.text
    if delta.refusal:
        said["refusal"] = delta.refusal
    if delta.annotations is not None:
        said["annotations"] = delta.annotations
    if delta.audio is not None:
        said["audio"] = delta.audio
    return said


def _tool(piece: ToolDelta) -> dict[str, Any]:
    if piece.id is None:
        return {"index": piece.index, "function": {"arguments": piece.arguments}}
    function = {"name": piece.name, "arguments": piece.arguments}
    return {"index": piece.index, "id": piece.id, "type": "function", "function": function}
