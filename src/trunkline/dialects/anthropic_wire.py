"""Anthropic's answers as types: the events of a stream, whole messages, and the same with anything in their counts.

Source: Anthropic API reference, "Create a Message" and "Streaming Messages".
"""

from typing import Annotated, Any

import msgspec

MOST_BLOCKS = 10_000
_NOTHING = msgspec.Raw(b"")

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class CacheCreation(msgspec.Struct, gc=False):
    """Parts of `cache_creation_input_tokens`."""

    ephemeral_5m_input_tokens: Count | None = None
    ephemeral_1h_input_tokens: Count | None = None


class OutputDetails(msgspec.Struct, gc=False):
    """Parts of `output_tokens`."""

    thinking_tokens: Count | None = None


class WireUsage(msgspec.Struct, gc=False):
    """Counts so far; those that an event leaves out stay as they were."""

    input_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_creation: CacheCreation | None = None
    output_tokens: Count | None = None
    output_tokens_details: OutputDetails | None = None
    service_tier: str | None = None


class UnreadableUsage(WireUsage, gc=False):
    """Stands for a `usage` that is of another shape, or whose counts are no counts."""


class StopDetails(msgspec.Struct, gc=False):
    """Why the model stopped."""

    explanation: str | None = None


class Block(msgspec.Struct, gc=False):
    """A content block, of a message or as it begins."""

    type: str
    text: str | None = None
    thinking: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = _NOTHING


class WireMessage(msgspec.Struct, gc=False):
    """A whole answer, or what `message_start` says of one."""

    type: str | None = None
    id: str | None = None
    model: str | None = None
    content: list[Block] | None = None
    stop_reason: str | None = None
    stop_details: StopDetails | None = None
    usage: WireUsage | None = None
    error: Any = None


class Change(msgspec.Struct, gc=False):
    """The `delta` of `content_block_delta` and of `message_delta`."""

    type: str | None = None
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    stop_reason: str | None = None
    stop_details: StopDetails | None = None


class Event(msgspec.Struct, gc=False):
    """One event of a stream."""

    type: str
    index: Annotated[int, msgspec.Meta(ge=0, lt=MOST_BLOCKS)] = 0
    delta: Change | None = None
    content_block: Block | None = None
    message: WireMessage | None = None
    usage: WireUsage | None = None
    error: Any = None


# What comes beside an answer may be anything: the answer has been paid for.


class LooseMessage(WireMessage, gc=False):
    """A message with anything in its counts and details."""

    stop_details: msgspec.Raw = _NOTHING  # type: ignore[assignment]
    usage: msgspec.Raw = _NOTHING  # type: ignore[assignment]


class LooseChange(Change, gc=False):
    """A change with anything in its details."""

    stop_details: msgspec.Raw = _NOTHING  # type: ignore[assignment]


class LooseEvent(Event, gc=False):
    """An event with anything in its counts and details."""

    delta: LooseChange | None = None
    message: LooseMessage | None = None
    usage: msgspec.Raw = _NOTHING  # type: ignore[assignment]


decode_event = msgspec.json.Decoder(Event).decode
decode_message = msgspec.json.Decoder(WireMessage).decode
decode_loose_event = msgspec.json.Decoder(LooseEvent).decode
decode_loose_message = msgspec.json.Decoder(LooseMessage).decode
decode_usage = msgspec.json.Decoder(WireUsage | None).decode
decode_details = msgspec.json.Decoder(StopDetails | None).decode
