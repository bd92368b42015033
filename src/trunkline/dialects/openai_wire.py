"""OpenAI's answers as types: as providers send them, leniently, and as clients get them."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Index = Annotated[int, msgspec.Meta(ge=0, le=127)]


class PromptDetails(msgspec.Struct, gc=False):
    """Parts of `prompt_tokens`."""

    cached_tokens: Count | None = None
    audio_tokens: Count | None = None
    cache_write_tokens: Count | None = None


class CompletionDetails(msgspec.Struct, gc=False):
    """Parts of `completion_tokens`."""

    reasoning_tokens: Count | None = None
    audio_tokens: Count | None = None


class WireUsage(msgspec.Struct, gc=False):
    """`usage` as OpenAI and the servers compatible with it send it."""

    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None


class UnreadableUsage(WireUsage, gc=False):
    """Stands for a `usage` that is of another shape, or whose counts are no counts."""


class FunctionPiece(msgspec.Struct, gc=False):
    """A tool call's function, whole or as far as it goes on."""

    name: str | None = None
    arguments: str | None = None


class ToolPiece(msgspec.Struct, gc=False):
    """A tool call, or a piece that goes on with one."""

    index: int | None = None
    id: str | None = None
    function: FunctionPiece | None = None


class Said(msgspec.Struct, gc=False):
    """A chunk's `delta` or a completion's `message`."""

    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[ToolPiece] | None = None
    audio: dict[str, Any] | None = None
    annotations: list[Any] | None = None


class Choice(msgspec.Struct, gc=False):
    """One choice of a chunk or of a completion."""

    index: _Index = 0
    delta: Said | None = None
    message: Said | None = None
    finish_reason: str | None = None
    logprobs: dict[str, list[Any] | None] | None = None


class Body(msgspec.Struct, gc=False):
    """A chunk or a completion."""

    choices: list[Choice] | None = None
    usage: WireUsage | None = None
    id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    error: Any = None


class Uncounted(Body, gc=False):
    """A body whose `usage` may be anything: the answer beside it has been paid for."""

    usage: msgspec.Raw = msgspec.Raw()  # type: ignore[assignment]


decode_body = msgspec.json.Decoder(Body).decode
decode_uncounted = msgspec.json.Decoder(Uncounted).decode


class ClientUsage(msgspec.Struct, gc=False):
    """`usage` as it goes to a client."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails
    cost: Raw | UnsetType = UNSET


class Trunkline(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What became of the call, beside OpenAI's fields; `estimated` is there only where it is true."""

    outcome: str
    guardrail: str | None
    attempts: int
    hold_ms: float
    overhead_ms: float
    estimated: bool = False


class ClientMessage(msgspec.Struct, gc=False):
    """What was said, for a client."""

    content: str | None
    refusal: str | None
    annotations: list[Any]
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[dict[str, Any]] | UnsetType = UNSET
    audio: dict[str, Any] | UnsetType = UNSET
    role: str = "assistant"


class ClientChoice(msgspec.Struct, gc=False):
    """One choice of a completion, for a client."""

    index: int
    message: ClientMessage
    logprobs: dict[str, Any] | None
    finish_reason: str


class Completion(msgspec.Struct, gc=False):
    """A `chat.completion`, for a client."""

    id: str
    created: int
    model: str
    choices: list[ClientChoice]
    usage: ClientUsage | None
    trunkline: Trunkline
    service_tier: str | UnsetType = UNSET
    system_fingerprint: str | UnsetType = UNSET
    object: str = "chat.completion"
