"""What a provider answers, cut into deltas: a stream's pieces as they come, a JSON answer as a few large ones.

A JSON answer is a few deltas, or one that says all where it is a plain text, so that everything behind the dialects
has one path. Each piece of each stream is one or two of these, and is read many times: so they are no Structs.
"""

from typing import Any, Literal, final

from trunkline.model.usage import Usage

__all__ = ["Delta", "FinishReason", "ToolDelta", "Usage"]

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


@final
class ToolDelta:
    """A piece of one tool call. Never changed.

    The first piece of a call has `id` and `name`, later ones only `arguments` (a piece of the JSON text). `index`
    counts the calls of a choice: 0, 1, 2 without gaps, in the order in which they began.
    """

    __slots__ = ("arguments", "id", "index", "name")

    def __init__(
        self,
        index: int,
        id: str | None = None,  # noqa: A002 - as every provider names it
        name: str | None = None,
        arguments: str = "",
    ) -> None:
        self.index, self.id, self.name, self.arguments = index, id, name, arguments

    def _fields(self) -> tuple[object, ...]:
        return self.index, self.id, self.name, self.arguments

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ToolDelta) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(self._fields())

    def __repr__(self) -> str:
        return f"ToolDelta{self._fields()}"


@final
class Delta:  # noqa: PLW1641 - unhashable: what a provider said beside the text may be lists
    """One piece of an answer; empty fields say nothing. Never changed.

    `stop_reason` is the provider's own word behind `finish`. `usage` holds the whole call's count so far: the last
    one seen counts. `uncounted` says that counts are missing from it, or came and made no sense. `logprobs` and
    `annotations` are passed on as they came. `model` and `provider_id` are the provider's own names for what answered,
    `service_tier` the tier it was answered in.
    """

    __slots__ = (
        "annotations",
        "audio",
        "choice",
        "finish",
        "logprobs",
        "model",
        "provider_id",
        "reasoning",
        "refusal",
        "service_tier",
        "stop_reason",
        "system_fingerprint",
        "text",
        "tool",
        "uncounted",
        "usage",
    )

    def __init__(  # noqa: PLR0913 - whatever an answer may say, by name
        self,
        *,
        choice: int = 0,
        text: str = "",
        refusal: str = "",
        reasoning: str = "",
        tool: ToolDelta | None = None,
        logprobs: Any = None,
        annotations: Any = None,
        audio: Any = None,
        finish: FinishReason | None = None,
        stop_reason: str | None = None,
        usage: Usage | None = None,
        uncounted: bool = False,
        model: str | None = None,
        provider_id: str | None = None,
        service_tier: str | None = None,
        system_fingerprint: str | None = None,
    ) -> None:
        self.choice = choice
        self.text = text
        self.refusal = refusal
        self.reasoning = reasoning
        self.tool = tool
        self.logprobs = logprobs
        self.annotations = annotations
        self.audio = audio
        self.finish = finish
        self.stop_reason = stop_reason
        self.usage = usage
        self.uncounted = uncounted
        self.model = model
        self.provider_id = provider_id
        self.service_tier = service_tier
        self.system_fingerprint = system_fingerprint

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

    def _fields(self) -> tuple[object, ...]:
        return (
            self.choice,
            self.text,
            self.refusal,
            self.reasoning,
            self.tool,
            self.logprobs,
            self.annotations,
            self.audio,
            self.finish,
            self.stop_reason,
            self.usage,
            self.uncounted,
            self.model,
            self.provider_id,
            self.service_tier,
            self.system_fingerprint,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Delta) and self._fields() == other._fields()

    def __repr__(self) -> str:
        return f"Delta{self._fields()}"
