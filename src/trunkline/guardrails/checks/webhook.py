"""The check `webhook`: a service of the operator's decides.

It is sent JSON and answers JSON. With `format: trunkline` it is sent `{"text", "stage", "call", "tenant", "route",
"user", "session"}` (and `messages`, where asked for) and answers `{"findings": [{"rule", "start", "end", "score",
"why"}]}`, offsets in characters of `text`; none, or both 0, mean all of it. `format: generic` is the contract of
LiteLLM's generic guardrail: `{"texts", "input_type", "request_data", "litellm_call_id"}`, answered by
`{"action": "NONE" | "BLOCKED" | "GUARDRAIL_INTERVENED", "blocked_reason", "texts"}`; an intervention counts as a
finding of all of the text, since Trunkline edits by its own rules.

What the service knows the gateway by, the policy's `headers`, is not told to the check: the gateway sends it.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, final
from urllib.parse import urlsplit

import msgspec

from trunkline.guardrails.check import BadAnswer, BadSettings, CheckKind, Found, Hold, Question

MOST_FINDINGS: Final = 1000
LOCAL: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_encode: Final = msgspec.json.Encoder().encode


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the service is (`url`), how it is spoken to, and how much text makes a question."""

    url: str
    format: Literal["trunkline", "generic"] = "trunkline"
    hold: Hold = "sentence"
    messages: bool = False


class _FoundPart(msgspec.Struct, frozen=True):
    rule: str = "webhook"
    start: Annotated[int, msgspec.Meta(ge=0)] = 0
    end: Annotated[int, msgspec.Meta(ge=0)] = 0
    score: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    why: str = ""


class _Answer(msgspec.Struct, frozen=True):
    findings: Annotated[list[_FoundPart], msgspec.Meta(max_length=MOST_FINDINGS)]


class _GenericAnswer(msgspec.Struct, frozen=True):
    action: Literal["NONE", "BLOCKED", "GUARDRAIL_INTERVENED"]
    blocked_reason: str | None = None


_decode: Final = msgspec.json.Decoder(_Answer).decode
_decode_generic: Final = msgspec.json.Decoder(_GenericAnswer).decode


@final
class Webhook:
    """Asks the service about each piece of text."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.version = "1"
        self.hold: Hold = settings.hold

    def question(self, text: str, stage: str, context: Mapping[str, Any]) -> Question:
        """Return what is to be sent."""
        if self._settings.format == "generic":
            body: dict[str, Any] = {
                "texts": [text],
                "input_type": "request" if stage in {"input", "tool_results"} else "response",
                "request_data": {name: value for name, value in context.items() if name not in {"call", "messages"}},
                "litellm_call_id": context.get("call"),
            }
            if self._settings.messages:
                body["structured_messages"] = context.get("messages")
        else:
            body = {"text": text, "stage": stage, **{n: value for n, value in context.items() if n != "messages"}}
            if self._settings.messages:
                body["messages"] = context.get("messages")
        return Question(_encode(body), url=self._settings.url)

    def read(self, status: int, body: bytes, text: str) -> Sequence[Found]:
        """Return what the service says. Raises BadAnswer."""
        if status != 200:
            raise BadAnswer(f"status {status}")
        try:
            if self._settings.format == "generic":
                answer = _decode_generic(body)
                return [] if answer.action == "NONE" else [Found(answer.action.lower(), 0, max(len(text), 1))]
            return [_found(part, text) for part in _decode(body).findings]
        except (msgspec.MsgspecError, ValueError) as error:
            raise BadAnswer(str(error)) from None


def _found(part: _FoundPart, text: str) -> Found:
    start, end = (part.start, part.end) if part.end > part.start else (0, len(text))
    return Found(part.rule or "webhook", start, end, part.score, part.why)


def make(settings: Settings) -> Webhook:
    """Return the check. Raises BadSettings for a URL that cannot be asked, or that what people said may not go to."""
    try:
        url = urlsplit(settings.url)
        host, port = url.hostname, url.port
    except ValueError:
        raise BadSettings("url", "is no URL") from None
    if not settings.url.isascii() or not settings.url.isprintable() or " " in settings.url or not host or port == 0:
        raise BadSettings("url", "is no URL")
    if url.username is not None or url.fragment:
        raise BadSettings("url", "must have no user, password or fragment")
    if url.scheme != "https" and not (url.scheme == "http" and host in LOCAL):
        raise BadSettings("url", "must be https, or http on this machine: what is sent is what people said")
    return Webhook(settings)


KIND: Final = CheckKind(Settings, make)
