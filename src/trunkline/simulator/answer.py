"""What was asked and what is answered, in words that belong to no provider."""

from typing import Any, Literal

import msgspec

Finish = Literal["stop", "stop_sequence", "length", "tool_calls", "refusal"]


class Tool(msgspec.Struct, frozen=True):
    """A tool the request offers."""

    name: str
    description: str
    schema: dict[str, Any]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A valid request as the simulated model reads it.

    `results` holds the tool results where the conversation ends with them; `schema` the JSON schema the answer must
    have (`{}`: any object). `body` is the request as it came.
    """

    model: str
    question: str
    body: dict[str, Any]
    prompt_tokens: int
    results: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    may_call: bool = True
    must_call: bool = False
    forced_tool: str | None = None
    schema: dict[str, Any] | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1
    stream: bool = False


class MadeCall(msgspec.Struct, frozen=True):
    """A tool call of the answer; `arguments` is the JSON text, which a script may have broken on purpose."""

    id: str | None
    name: str
    arguments: str


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One of the answer's choices; `pieces` is its text (or refusal) as a stream cuts it, `tokens` how many it has."""

    text: str | None = None
    refusal: str | None = None
    pieces: tuple[str, ...] = ()
    tokens: int = 0
    reasoning: tuple[str, ...] = ()
    calls: tuple[MadeCall, ...] = ()
    finish: Finish = "stop"
    stop_sequence: str | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer. Token counts are inclusive: `input` of cached ones, `output` of reasoning."""

    model: str
    choices: tuple[Choice, ...]
    input: int
    output: int
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    stop_reason: str | None = None


class Stamp(msgspec.Struct, frozen=True):
    """What one response carries besides the answer: ids and the time in Unix seconds."""

    answer_id: str
    request_id: str
    created: int
    call_ids: tuple[str, ...] = ()


class Frames(msgspec.Struct, frozen=True):
    """A stream in its parts: `pieces` carry one or more tokens each; `mark` is what says that the stream is whole."""

    opening: bytes
    pieces: list[bytes]
    finish: bytes
    mark: bytes


class Rejection(Exception):
    """The provider refuses a request; the fields are those of its error body."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str | None = None,  # noqa: A002 - the field's own name
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.code = code
        self.param = param
