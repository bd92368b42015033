"""What a provider answers, cut into deltas: a stream's pieces as they come, a JSON answer as a few large ones.

A JSON answer is a few deltas, or one that says all where it is a plain text, so that everything behind the dialects
has one path.
"""

from typing import Any, Literal

import msgspec

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


class ToolDelta(msgspec.Struct, frozen=True, gc=False):
    """A piece of one tool call.

    The first piece of a call has `id` and `name`, later ones only `arguments` (a piece of the JSON text). `index`
    counts the calls of a choice: 0, 1, 2 without gaps, in the order in which they began.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens in disjoint classes: each token counts in exactly one, so that a cost is a plain sum of products.

    OpenAI's `prompt_tokens` contain the cached and audio ones and its `completion_tokens` the reasoning and audio
    ones; Anthropic's `input_tokens` contain neither cache reads nor cache writes. The dialects take them apart.
    """

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    audio_input: int = 0
    cached_audio_input: int = 0
    output: int = 0
    reasoning: int = 0
    audio_output: int = 0

    @property
    def prompt_tokens(self) -> int:
        """All tokens that the provider read."""
        return (
            self.input
            + self.cached_input
            + self.cache_write
            + self.cache_write_1h
            + self.audio_input
            + self.cached_audio_input
        )

    @property
    def completion_tokens(self) -> int:
        """All tokens that the provider wrote."""
        return self.output + self.reasoning + self.audio_output


class Delta(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One piece of an answer; empty fields say nothing.

    `stop_reason` is the provider's own word behind `finish`. `usage` holds the whole call's count so far: the last
    one seen counts. `uncounted` says that counts are missing from it, or came and made no sense. `logprobs` and
    `annotations` are passed on as they came. `model` and `provider_id` are the provider's own names for what answered,
    `service_tier` the tier it was answered in.
    """

    choice: int = 0
    text: str = ""
    refusal: str = ""
    reasoning: str = ""
    tool: ToolDelta | None = None
    logprobs: Any = None
    annotations: Any = None
    audio: Any = None
    finish: FinishReason | None = None
    stop_reason: str | None = None
    usage: Usage | None = None
    uncounted: bool = False
    model: str | None = None
    provider_id: str | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None

    @property
    def good(self) -> bool:
        """Whether this is a piece of an answer at all, rather than a role, an id or a count."""
        return bool(
            self.text
            or self.tool is not None
            or self.refusal
            or self.reasoning
            or self.audio is not None
            or self.finish is not None
        )
