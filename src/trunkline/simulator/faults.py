"""What can go wrong at a provider, as plain data.

`after_tokens` says when: `None` before the first byte of the response, `0` after its head and opening frames, `n` after
n tokens of the answer. A JSON answer has no tokens on the wire: any number there means half of its body.
"""

from typing import Literal

import msgspec


class _Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """In JSON, `kind` names the fault: `{"kind": "cut", "after_tokens": 3}`."""


class ErrorAnswer(_Fault, frozen=True, tag="error_answer"):
    """An error in the provider's own words, with its status.

    `retry_after` goes out as `Retry-After`: seconds as a number, or a text as it stands (an HTTP date). Message, type
    and code default to what the provider says with this status; 400 defaults to a context that is too long.
    """

    status: int
    message: str | None = None
    type: str | None = None
    code: str | None = None
    param: str | None = None
    retry_after: float | str | None = None


class Stall(_Fault, frozen=True, tag="stall"):
    """Says nothing more and keeps the connection open until the client leaves."""

    after_tokens: int | None = None


class Cut(_Fault, frozen=True, tag="cut"):
    """Resets the connection (TCP RST)."""

    after_tokens: int | None = None


class CleanEnd(_Fault, frozen=True, tag="clean_end"):
    """Ends without the provider's end mark (`[DONE]`, `message_stop`): as if the answer were whole.

    `after_tokens=None` leaves out the end mark only. `how`: `terminated` ends the HTTP message as it should be,
    `closed` closes the connection (TCP FIN) in the middle of it.
    """

    after_tokens: int | None = None
    how: Literal["terminated", "closed"] = "terminated"


class MalformedChunk(_Fault, frozen=True, tag="malformed_chunk"):
    """A frame whose JSON is broken, or an HTTP chunk whose size is no number."""

    after_tokens: int = 0
    of: Literal["json", "framing"] = "json"


class EmptyStream(_Fault, frozen=True, tag="empty_stream"):
    """200 with the right content type and not one byte of body."""


class EmptyAnswer(_Fault, frozen=True, tag="empty_answer"):
    """200 and a well-formed answer that says nothing."""


class WrongContentType(_Fault, frozen=True, tag="wrong_content_type"):
    """200 with a page of HTML, as a captive portal or a proxy would answer."""


class Oversized(_Fault, frozen=True, tag="oversized"):
    """An answer whose text is one token of this many bytes."""

    size: int = 64 * 1024 * 1024


class SlowHead(_Fault, frozen=True, tag="slow_head"):
    """The whole response, one byte every `gap` seconds."""

    gap: float = 0.5


class InBandError(_Fault, frozen=True, tag="in_band_error"):
    """200, then an error object where a frame should be (in a JSON answer: instead of it)."""

    after_tokens: int = 0
    message: str | None = None
    type: str | None = None
    code: str | None = None


class Redirect(_Fault, frozen=True, tag="redirect"):
    """Points somewhere else; a client of a provider must not follow."""

    location: str
    status: int = 307


class Garbage(_Fault, frozen=True, tag="garbage"):
    """Bytes that are no HTTP (before the first byte), or no text in the middle of the body."""

    after_tokens: int | None = None


Fault = (
    ErrorAnswer
    | Stall
    | Cut
    | CleanEnd
    | MalformedChunk
    | EmptyStream
    | EmptyAnswer
    | WrongContentType
    | Oversized
    | SlowHead
    | InBandError
    | Redirect
    | Garbage
)
