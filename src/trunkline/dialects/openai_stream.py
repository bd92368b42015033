"""OpenAI's answers to deltas: the chunks of a stream and whole completions, leniently where servers differ.

Compatible servers leave out indices, repeat ids, number tool calls with gaps, call reasoning `reasoning` or
`reasoning_content`, and put the usage on the last chunk that has a choice. What no reading makes sense of is broken.
"""

from hashlib import sha256
from typing import Final

import msgspec

from trunkline.dialects.faults import scrub
from trunkline.dialects.openai_faults import fault_in_stream
from trunkline.dialects.openai_usage import usage_delta
from trunkline.dialects.openai_wire import (
    Body,
    Choice,
    FunctionPiece,
    Said,
    ToolPiece,
    UnreadableUsage,
    decode_body,
    decode_uncounted,
)
from trunkline.dialects.provider import BrokenAnswer, ProviderFault
from trunkline.dialects.sse import SseParser
from trunkline.model.delta import Delta, FinishReason, ToolDelta

MOST_CALLS: Final = 1024  # tool calls of one answer

_FINISH: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "function_call": "tool_calls",
    "max_tokens": "length",
    "model_length": "length",
    "safety": "content_filter",
}

_STOPPED: Final = Delta(finish="stop", stop_reason="stop")  # how nearly every answer ends

_Names = tuple[str | None, str | None, str | None, str | None]  # model, id, service tier, system fingerprint
_NAMELESS: Final[_Names] = (None, None, None, None)


class _Call:
    __slots__ = ("id", "index")

    def __init__(self, index: int, call_id: str) -> None:
        self.index, self.id = index, call_id


class _Reader:
    """Reads bodies in order; remembers which tool calls have begun and what the answer is named."""

    __slots__ = ("_begun", "_calls", "_named", "_names")

    def __init__(self) -> None:
        self._begun: dict[tuple[int, int], _Call] = {}  # (choice, the provider's index) -> call
        self._calls: dict[int, list[_Call]] = {}  # choice -> its calls in order
        self._names = self._named = _NAMELESS

    def read(self, body: Body, deltas: list[Delta]) -> None:
        """Append what this body says; raises BrokenAnswer."""
        names = (body.model, body.id, body.service_tier, body.system_fingerprint)
        if names != self._names:
            self._names = names
            self._name(names, deltas)
        for choice in body.choices or ():
            said = choice.delta or choice.message
            if said is not None:
                if said.content and not _is_more(choice, said):  # nothing but text, as usual
                    deltas.append(Delta(choice=choice.index, text=said.content))
                else:
                    self._read_said(choice, said, deltas)
            if choice.finish_reason:
                deltas.append(_finish(choice))
        if body.usage is not None:
            count = usage_delta(body.usage)
            if count is not None:
                deltas.append(count)

    def _name(self, names: _Names, deltas: list[Delta]) -> None:
        """Say the provider's names once each: a later chunk that leaves one out takes nothing back."""
        model, body_id, tier, fingerprint = names
        if self._named != _NAMELESS:
            old_model, old_id, old_tier, old_fingerprint = self._named
            model = old_model if model is None else model
            body_id = old_id if body_id is None else body_id
            tier = old_tier if tier is None else tier
            fingerprint = old_fingerprint if fingerprint is None else fingerprint
        named = (model, body_id, tier, fingerprint)
        if named != self._named:
            self._named = named
            deltas.append(Delta(model=model, provider_id=body_id, service_tier=tier, system_fingerprint=fingerprint))

    def _read_said(self, choice: Choice, said: Said, deltas: list[Delta]) -> None:
        reasoning = said.reasoning_content or said.reasoning or ""
        if said.content or said.refusal or reasoning or choice.logprobs or said.annotations or said.audio:
            deltas.append(
                Delta(
                    choice=choice.index,
                    text=said.content or "",
                    refusal=said.refusal or "",
                    reasoning=reasoning,
                    logprobs=choice.logprobs or None,
                    annotations=said.annotations or None,
                    audio=said.audio or None,
                )
            )
        for piece in said.tool_calls or ():
            delta = self._read_tool(choice, piece)
            if delta is not None:
                deltas.append(delta)

    def _read_tool(self, choice: Choice, piece: ToolPiece) -> Delta | None:
        calls = self._calls.setdefault(choice.index, [])
        function = piece.function or FunctionPiece()
        arguments = function.arguments or ""
        # A whole message has whole calls, whatever their ids are; only a stream's pieces continue one another.
        call = self._find(choice.index, calls, piece) if choice.message is None else None
        if call is not None:
            return Delta(choice=choice.index, tool=ToolDelta(call.index, arguments=arguments)) if arguments else None
        if not function.name:
            raise BrokenAnswer("a tool call begins without the function's name")
        if len(calls) >= MOST_CALLS:
            raise BrokenAnswer(f"more than {MOST_CALLS} tool calls in one answer")
        call = _Call(len(calls), piece.id or self._make_id(choice.index, len(calls)))
        calls.append(call)
        self._begun[choice.index, call.index if piece.index is None else piece.index] = call
        return Delta(choice=choice.index, tool=ToolDelta(call.index, call.id, function.name, arguments))

    def _find(self, choice: int, calls: list[_Call], piece: ToolPiece) -> _Call | None:
        """Return the call that this piece continues; None if it begins one."""
        if piece.index is not None:
            call = self._begun.get((choice, piece.index))
            # Some servers give every call the index 0 and tell them apart by id alone.
            return None if call is not None and piece.id and piece.id != call.id else call
        if piece.id:
            return next((call for call in calls if call.id == piece.id), None)
        begins = piece.function is not None and piece.function.name
        return None if begins or not calls else calls[-1]

    def _make_id(self, choice: int, index: int) -> str:
        """Name a call that its provider left nameless; the same bytes give the same name, other answers others."""
        seed = f"{self._named[1]}/{choice}/{index}"
        return f"call_{sha256(seed.encode()).hexdigest()[:24]}"


class OpenAIStream:
    """Decodes one stream of `chat.completion.chunk` events."""

    def __init__(self) -> None:
        self._sse = SseParser()
        self._reader = _Reader()
        self._ended = False
        self._error: ProviderFault | None = None

    @property
    def ended(self) -> bool:
        """Whether `[DONE]` was seen, even one without the empty line that should follow."""
        return self._ended or (not self._sse.clean and self._sse.unfinished.strip() == b"[DONE]")

    @property
    def error(self) -> ProviderFault | None:
        """The error object that came in place of a chunk."""
        return self._error

    def feed(self, data: bytes) -> list[Delta]:
        """Take bytes, return what they complete; raises BrokenAnswer. What follows an end or an error is ignored."""
        deltas: list[Delta] = []
        for _event, frame in self._sse.feed(data):
            if self._ended or self._error is not None:
                break
            if frame.startswith(b"[DONE]"):
                self._ended = True
            elif frame.strip():
                body = _parse(frame, "a chunk")
                if body.error:
                    self._error = fault_in_stream(body.error)
                else:
                    self._reader.read(body, deltas)
        return deltas


def decode_answer(body: bytes) -> list[Delta]:
    """Return the deltas of a whole completion; raises BrokenAnswer."""
    answer = _parse(body, "the answer")
    if answer.error:
        fault = fault_in_stream(answer.error)
        raise BrokenAnswer(f"an error with a status of success: {fault.status} {fault.code or fault.kind}")
    if not answer.choices:
        raise BrokenAnswer("the answer has no choices")
    plain = _plain(answer)
    if plain is not None:
        return [plain]
    deltas: list[Delta] = []
    _Reader().read(answer, deltas)
    return deltas


def _plain(answer: Body) -> Delta | None:
    """Return an answer of one choice that says a text and stops, as most do, as one delta; None for any other."""
    choices, usage = answer.choices, answer.usage
    if choices is None or len(choices) > 1 or usage is None:
        return None
    choice = choices[0]
    said = choice.message
    if said is None or choice.delta is not None or choice.finish_reason != "stop" or choice.index:
        return None
    count = usage_delta(usage)
    if count is None or not said.content or _is_more(choice, said):
        return None
    return Delta(
        text=said.content,
        finish="stop",
        stop_reason="stop",
        usage=count.usage,
        uncounted=count.uncounted,
        model=answer.model,
        provider_id=answer.id,
        service_tier=answer.service_tier,
        system_fingerprint=answer.system_fingerprint,
    )


def _is_more(choice: Choice, said: Said) -> bool:
    """Whether a choice has anything beside its text."""
    return bool(
        said.tool_calls
        or said.refusal
        or said.reasoning_content
        or said.reasoning
        or said.annotations
        or said.audio
        or choice.logprobs
    )


def _parse(data: bytes, what: str) -> Body:
    try:
        return decode_body(data)
    except RecursionError:
        raise BrokenAnswer(f"{what} is nested too deep") from None
    except (msgspec.MsgspecError, ValueError) as error:
        body = _without_usage(data) if isinstance(error, msgspec.ValidationError) else None
        if body is not None:
            return body
        problem = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise BrokenAnswer(f"{what} is no chat completion: {scrub(problem)}") from None


def _without_usage(data: bytes) -> Body | None:
    """Return a body whose counts make no sense as one that was not counted; None if that is not what is wrong."""
    try:
        body = decode_uncounted(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    counted: Body = body
    counted.usage = UnreadableUsage()
    return counted


def _finish(choice: Choice) -> Delta:
    reason = choice.finish_reason or ""
    if reason == "stop" and choice.index == 0:
        return _STOPPED
    if reason == "error":
        raise BrokenAnswer("the provider ended the answer with the reason `error`")
    # A word that we do not know still ended the answer; the record keeps it.
    return Delta(choice=choice.index, finish=_FINISH.get(reason, "stop"), stop_reason=reason[:64])
