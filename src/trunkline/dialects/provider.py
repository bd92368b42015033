"""What every provider's dialect can do, in the terms that the gateway uses."""

from typing import Literal, Protocol

import msgspec

from trunkline.model.chat import ChatRequest, PassThrough
from trunkline.model.delta import Delta
from trunkline.model.rates import ProviderRate
from trunkline.model.snapshot import Target

MOST_TOKENS = 10**7  # of one class in one answer: no model has as many, so a count above it is none

FaultKind = Literal["rate_limited", "rejected", "unauthorized", "misconfigured", "server_error", "overloaded"]


class CannotTake(Exception):
    """This target cannot carry this request without changing its meaning; `param` is the field that it lacks."""

    def __init__(self, reason: str, *, param: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.param = param


class BrokenAnswer(Exception):
    """Bytes that are no answer of this dialect: bad JSON, a wrong type, a frame above the limit."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ProviderFault(msgspec.Struct, frozen=True, kw_only=True):
    """An error as a provider reported it.

    `code` is normalised to OpenAI's words; `message` is scrubbed and at most 500 characters long; `retry_after` is in
    seconds. `status` is the HTTP status, or for an error inside a stream the one that it stands for. `misconfigured` is
    what only the operator can mend: no such model, or no such path.
    """

    status: int
    kind: FaultKind
    message: str
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None


class Encoded(msgspec.Struct, frozen=True):
    """A request's body for one target.

    `dropped` names parameters that change nothing in the meaning and were left out; `repairs` what was changed so
    that the provider accepts the conversation, for example `orphan_tool_call_answered:call_abc`.
    """

    body: bytes
    dropped: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()


class StreamDecoder(Protocol):
    """Decodes one streamed answer."""

    @property
    def ended(self) -> bool:
        """Whether the dialect's own end mark was seen; a connection that closes without it was cut."""

    @property
    def error(self) -> ProviderFault | None:
        """The error that came inside the stream, if one did."""

    def feed(self, data: bytes) -> list[Delta]:
        """Take bytes, return what they complete. Any cut gives the same deltas; raises BrokenAnswer."""


class ProviderDialect(Protocol):
    """A provider's format. Without state: one object serves all calls."""

    @property
    def name(self) -> str:
        """The word in the configuration."""

    @property
    def path(self) -> bytes:
        """What follows the provider's `base_url`."""

    @property
    def request_id_header(self) -> bytes:
        """The response header (lower case) with the provider's own id of the request."""

    def headers(self, api_key: str) -> bytes:
        """Return the request's header lines, each ending in CRLF; raises ValueError for a key no header can hold."""

    def encode(self, request: ChatRequest, target: Target, pass_through: PassThrough) -> Encoded:
        """Return the body for this target, with `target.params` applied; raises CannotTake."""

    def decode_answer(self, body: bytes) -> list[Delta]:
        """Return a JSON answer as deltas: each choice's content, its tool calls, its finish, then the usage.

        One may say several of these. Raises BrokenAnswer.
        """

    def stream_decoder(self) -> StreamDecoder:
        """Return a decoder for one streamed answer."""

    def decode_fault(self, status: int, headers: dict[bytes, bytes], body: bytes, now: float) -> ProviderFault:
        """Return what an answer that is no success says. Header names are lower case; `now` is the Unix time."""

    def decode_rate(self, headers: dict[bytes, bytes], now: float) -> ProviderRate | None:
        """Return what an answer's head says of the account's rate limits, None where it says nothing."""
