"""Anthropic's answers to deltas: the events of a stream and whole messages.

Blocks and events that no type here knows are passed over: Anthropic adds such without a new API version.
Source: Anthropic API reference, "Streaming Messages" and "Handling stop reasons".
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from trunkline.dialects.anthropic_faults import fault_in_stream
from trunkline.dialects.anthropic_wire import (
    Block,
    CacheCreation,
    Change,
    Event,
    LooseMessage,
    StopDetails,
    UnreadableUsage,
    WireMessage,
    WireUsage,
    decode_details,
    decode_event,
    decode_loose_event,
    decode_loose_message,
    decode_message,
    decode_usage,
)
from trunkline.dialects.faults import scrub
from trunkline.dialects.provider import MOST_TOKENS, BrokenAnswer, ProviderFault
from trunkline.dialects.sse import SseParser
from trunkline.model.delta import Delta, FinishReason, ToolDelta, Usage

MOST_CALLS = 1024  # tool calls of one answer
LONGEST_EXPLANATION = 2000  # characters of why the model declined

_FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class _Open:
    """A tool call whose arguments are still coming."""

    __slots__ = ("index", "input", "wrote")

    def __init__(self, index: int, given: str) -> None:
        self.index = index
        self.input = given
        self.wrote = False


class AnthropicStream:
    """Decodes one stream of message events."""

    def __init__(self) -> None:
        self._sse = SseParser()
        self._calls: dict[int, _Open] = {}  # by the index of the block
        self._begun = 0
        self._usage = WireUsage()
        self._ended = False
        self._error: ProviderFault | None = None

    @property
    def ended(self) -> bool:
        """Whether `message_stop` was seen."""
        return self._ended

    @property
    def error(self) -> ProviderFault | None:
        """The error event, if one came."""
        return self._error

    def feed(self, data: bytes) -> list[Delta]:
        """Take bytes, return what they complete; raises BrokenAnswer. What follows an end or an error is ignored."""
        deltas: list[Delta] = []
        for _name, frame in self._sse.feed(data):
            if self._ended or self._error is not None:
                break
            event = _parse(decode_event, frame, "an event", _loose_event)
            change = event.delta
            if event.type == "content_block_delta" and change is not None:
                if change.type == "text_delta":  # the usual event
                    if change.text:
                        deltas.append(Delta(text=change.text))
                else:
                    self._take_change(event.index, change, deltas)
            else:
                self._take(event, deltas)
        return deltas

    def _take(self, event: Event, deltas: list[Delta]) -> None:
        match event.type:
            case "content_block_start":
                self._begin_block(event, deltas)
            case "content_block_stop":
                self._end_block(event.index, deltas)
            case "message_start":
                self._begin(event.message, deltas)
            case "message_delta":
                if event.delta is not None:
                    _finish(event.delta.stop_reason, event.delta.stop_details, deltas)
                self._count(event.usage, deltas)
            case "message_stop":
                self._ended = True
            case "error":
                self._error = fault_in_stream(event.error)

    def _begin(self, message: WireMessage | None, deltas: list[Delta]) -> None:
        if message is None:
            raise BrokenAnswer("the stream begins without a message")
        tier = message.usage.service_tier if message.usage is not None else None
        deltas.append(Delta(model=message.model, provider_id=message.id, service_tier=tier))
        self._count(message.usage, deltas)

    def _begin_block(self, event: Event, deltas: list[Delta]) -> None:
        block = event.content_block
        if block is None:
            raise BrokenAnswer("a content block begins without saying what it is")
        if block.type != "tool_use":
            _say(block, deltas)
            return
        if event.index in self._calls:
            raise BrokenAnswer("two content blocks at once have one index")
        deltas.append(Delta(tool=_call(block, self._begun)))
        self._calls[event.index] = _Open(self._begun, _arguments(block))
        self._begun += 1

    def _take_change(self, index: int, change: Change, deltas: list[Delta]) -> None:
        if change.type == "thinking_delta":
            if change.thinking:
                deltas.append(Delta(reasoning=change.thinking))
        elif change.type == "input_json_delta" and change.partial_json:
            call = self._calls.get(index)
            if call is not None:  # else it is of a tool that Anthropic runs itself
                call.wrote = True
                deltas.append(Delta(tool=ToolDelta(call.index, arguments=change.partial_json)))

    def _end_block(self, index: int, deltas: list[Delta]) -> None:
        """Give a call without arguments its empty object, which is not streamed."""
        call = self._calls.pop(index, None)
        if call is not None and not call.wrote:
            deltas.append(Delta(tool=ToolDelta(call.index, arguments=call.input)))

    def _count(self, usage: WireUsage | None, deltas: list[Delta]) -> None:
        if usage is None:
            return
        if type(usage) is UnreadableUsage:
            deltas.append(Delta(uncounted=True))
            return
        for name in WireUsage.__struct_fields__:
            value = getattr(usage, name)
            if value is not None:
                setattr(self._usage, name, value)
        deltas.append(_usage_delta(self._usage))


def decode_answer(body: bytes) -> list[Delta]:
    """Return the deltas of a whole message; raises BrokenAnswer."""
    message: WireMessage = _parse(decode_message, body, "the answer", _loose_message)
    if message.error is not None:
        fault = fault_in_stream(message.error)
        raise BrokenAnswer(f"an error with a status of success: {fault.status} {fault.code or fault.kind}")
    if message.content is None:
        raise BrokenAnswer("the answer has no content")
    usage = message.usage
    tier = usage.service_tier if usage is not None else None
    deltas = [Delta(model=message.model, provider_id=message.id, service_tier=tier)]
    calls = 0
    for block in message.content:
        if block.type == "tool_use":
            named = _call(block, calls)
            deltas.append(Delta(tool=ToolDelta(calls, named.id, named.name, _arguments(block))))
            calls += 1
        else:
            _say(block, deltas)
    _finish(message.stop_reason, message.stop_details, deltas)
    if usage is not None:
        deltas.append(_usage_delta(usage))
    return deltas


def _parse(decode: Any, data: bytes, what: str, loosely: Callable[[bytes], Any]) -> Any:
    try:
        return decode(data)
    except RecursionError:
        raise BrokenAnswer(f"{what} is nested too deep") from None
    except (msgspec.MsgspecError, ValueError) as error:
        if isinstance(error, msgspec.ValidationError):
            with suppress(msgspec.MsgspecError, ValueError, RecursionError):
                return loosely(data)
        problem = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise BrokenAnswer(f"{what} is no message of anthropic's: {scrub(problem)}") from None


def _loose_event(data: bytes) -> Event:
    """Return an event without what in its counts and details makes no sense; raises MsgspecError for another fault."""
    event = decode_loose_event(data)
    said: Event = event
    said.usage = _readable_usage(event.usage)
    if event.message is not None:
        said.message = _mend(event.message)
    if event.delta is not None:
        change: Change = event.delta
        change.stop_details = _readable_details(event.delta.stop_details)
    return said


def _loose_message(data: bytes) -> WireMessage:
    """Return a message like `_loose_event`."""
    return _mend(decode_loose_message(data))


def _mend(loose: LooseMessage) -> WireMessage:
    message: WireMessage = loose
    message.usage = _readable_usage(loose.usage)
    message.stop_details = _readable_details(loose.stop_details)
    return message


def _readable_usage(raw: msgspec.Raw) -> WireUsage | None:
    try:
        return decode_usage(raw) if bytes(raw) else None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return UnreadableUsage()


def _readable_details(raw: msgspec.Raw) -> StopDetails | None:
    try:
        return decode_details(raw) if bytes(raw) else None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _say(block: Block, deltas: list[Delta]) -> None:
    if block.type == "text" and block.text:
        deltas.append(Delta(text=block.text))
    elif block.type == "thinking" and block.thinking:
        deltas.append(Delta(reasoning=block.thinking))


def _call(block: Block, index: int) -> ToolDelta:
    if not block.id or not block.name:
        raise BrokenAnswer("a tool call has no id or no name")
    if index >= MOST_CALLS:
        raise BrokenAnswer(f"more than {MOST_CALLS} tool calls in one answer")
    return ToolDelta(index, block.id, block.name)


def _arguments(block: Block) -> str:
    """Return the input as the text that it came in, so that no number in it changes."""
    try:
        text = bytes(block.input).decode()
    except UnicodeDecodeError:
        raise BrokenAnswer("the input of a tool call is not UTF-8") from None
    if text and not text.startswith("{"):
        raise BrokenAnswer("the input of a tool call is no object")
    return text or "{}"


def _finish(reason: str | None, details: StopDetails | None, deltas: list[Delta]) -> None:
    if reason is None:
        return
    if reason == "refusal" and details is not None and details.explanation:
        deltas.append(Delta(refusal=details.explanation[:LONGEST_EXPLANATION]))
    # A word that we do not know still ended the answer; the record keeps it.
    deltas.append(Delta(finish=_FINISH.get(reason, "stop"), stop_reason=reason[:64]))


def _usage_delta(usage: WireUsage) -> Delta:
    if type(usage) is UnreadableUsage:
        return Delta(uncounted=True)
    read = max(usage.input_tokens or 0, usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0)
    if max(read, usage.output_tokens or 0) > MOST_TOKENS:
        return Delta(uncounted=True)
    return Delta(usage=_disjoint(usage), uncounted=usage.input_tokens is None or usage.output_tokens is None)


def _disjoint(usage: WireUsage) -> Usage:
    """Return the counts in our classes; `input_tokens` has neither cache reads nor cache writes in it already."""
    created = usage.cache_creation or CacheCreation()
    short, long = created.ephemeral_5m_input_tokens or 0, created.ephemeral_1h_input_tokens or 0
    written = usage.cache_creation_input_tokens
    written = min(short + long if written is None else written, MOST_TOKENS)
    long = min(long, written)
    output = min(usage.output_tokens or 0, MOST_TOKENS)
    details = usage.output_tokens_details
    thought = min((details.thinking_tokens or 0) if details is not None else 0, output)
    return Usage(
        input=min(usage.input_tokens or 0, MOST_TOKENS),
        cached_input=min(usage.cache_read_input_tokens or 0, MOST_TOKENS),
        cache_write=written - long,
        cache_write_1h=long,
        output=output - thought,
        reasoning=thought,
    )
