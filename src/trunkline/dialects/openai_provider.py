"""OpenAI's chat completions as a provider, and every server that is compatible with them."""

import re
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from trunkline.dialects.histories import Rules, repair
from trunkline.dialects.openai_faults import decode_fault
from trunkline.dialects.openai_stream import OpenAIStream, decode_answer
from trunkline.dialects.openai_unknown import REQUEST, pass_on_unknown
from trunkline.dialects.provider import CannotTake, Encoded, ProviderFault, StreamDecoder
from trunkline.dialects.rates import openai_rate
from trunkline.model.chat import ChatRequest, PassThrough, StreamOptions
from trunkline.model.delta import Delta
from trunkline.model.rates import ProviderRate
from trunkline.model.snapshot import Params, Target

_encode: Final = msgspec.json.Encoder().encode

# The gateway's own: no target's params change them.
_OWN: Final = frozenset({"model", "messages", "stream", "stream_options"})
# `metadata`, `user` and `safety_identifier` are consumed by the gateway and are nobody else's business; `store` would
# keep the conversation where no retention rule of ours reaches; the deprecated forms were refused to the client.
_KEPT_BACK = frozenset({"metadata", "user", "safety_identifier", "store", "functions", "function_call"})
_NOT_SENT: Final[dict[str, Any]] = {**dict.fromkeys(_KEPT_BACK), "unknown": (), "raw": {}}
_SENT: Final = tuple(sorted(REQUEST.keys - _KEPT_BACK - {"stream"}))
_USAGE_WANTED: Final = StreamOptions(include_usage=True)
_NO_PARAMS: Final = Params()
_LIMITS: Final = ("max_completion_tokens", "max_tokens")
_PLAIN_FIELDS: Final = frozenset(_SENT) - _OWN - frozenset(_LIMITS)  # that params may change by name alone

# Any history with an assistant's empty text is accepted, ids have at most 40 characters (both as answered with 400).
_RULES: Final = Rules(call_id=re.compile(r"(?s:.{1,40})"), keeps_empty=True)
_KEY: Final = re.compile(r"[\x21-\x7e]*")


class _OpenAI:
    """The dialect; it has no state."""

    name = "openai"
    path = b"/chat/completions"
    request_id_header = b"x-request-id"

    def headers(self, api_key: str) -> bytes:
        """Return the header lines; without a key (a server of one's own) there is no authorization."""
        if not _KEY.fullmatch(api_key):
            raise ValueError("the key has characters that no header can hold")
        authorization = f"authorization: Bearer {api_key}\r\n" if api_key else ""
        return (
            f"content-type: application/json\r\naccept: application/json, text/event-stream\r\n{authorization}".encode()
        )

    def encode(self, request: ChatRequest, target: Target, pass_through: PassThrough) -> Encoded:
        """Return the body; raises CannotTake for an unknown field on a route that refuses those."""
        unknown = request.unknown
        if unknown and pass_through == "refuse":
            raise CannotTake(
                f"the field `{unknown[0]}` is not known here, and the route refuses such", param=unknown[0]
            )
        messages, repairs = repair(request.messages, _RULES)
        if not messages:
            raise CannotTake("no message says anything", param="messages")
        dropped: tuple[str, ...] = ("store",) if request.store is not None else ()
        params = target.params
        changes = {} if params == _NO_PARAMS else _as_fields(params, request)
        # A request is sent as its own type, which leaves out fields that are not given.
        wire = replace(
            request,
            model=target.model,
            messages=messages,
            stream_options=_USAGE_WANTED if request.stream else None,
            **_NOT_SENT,
            **(changes or {}),
        )
        if not unknown and changes is not None and target.max_output_tokens is None:
            return Encoded(_encode(wire), dropped, repairs)
        body: dict[str, Any] = {name: value for name in _SENT if (value := getattr(wire, name)) is not None}
        if request.stream:
            body["stream"] = True
        if unknown and pass_through == "allow":
            body, lost = pass_on_unknown(request, body)
            dropped += lost
        elif unknown:
            dropped += unknown
        dropped += apply_params(params, body)
        if target.max_output_tokens is not None and not any(name in body for name in _LIMITS):
            body["max_completion_tokens"] = target.max_output_tokens
            repairs += (f"max_completion_tokens:{target.max_output_tokens}",)
        return Encoded(_encode(body), dropped, repairs)

    def decode_answer(self, body: bytes) -> list[Delta]:
        """Return the deltas of a `chat.completion`; raises BrokenAnswer."""
        return decode_answer(body)

    def stream_decoder(self) -> StreamDecoder:
        """Return a decoder of `chat.completion.chunk` events."""
        return OpenAIStream()

    def decode_fault(self, status: int, headers: dict[bytes, bytes], body: bytes, now: float) -> ProviderFault:
        """Return what an error says."""
        return decode_fault(status, headers, body, now)

    def decode_rate(self, headers: dict[bytes, bytes], now: float) -> ProviderRate | None:  # noqa: ARG002 - relative
        """Return what `x-ratelimit-*` say."""
        return openai_rate(headers)


def _as_fields(params: Params, request: ChatRequest) -> dict[str, Any] | None:
    """Return the fields of the request that a target's params change; None where it takes more than fields.

    That is so for a parameter that no type has or that has two names, for a null, and where something is dropped.
    """
    default, given = params.default, params.set
    if params.drop or not (_PLAIN_FIELDS.issuperset(default) and _PLAIN_FIELDS.issuperset(given)):
        return None
    changes = {name: value for name, value in default.items() if getattr(request, name) is None}
    changes.update(given)
    return None if None in changes.values() else changes


def apply_params(params: Params, body: dict[str, Any]) -> tuple[str, ...]:
    """Change the parameters as the target wants them; return the names of those that the client had and that are gone.

    The two names of the answer's limit are one parameter here: a default for one does not join the client's other.
    """
    for name, value in params.default.items():
        if not any(other in body for other in (_LIMITS if name in _LIMITS else (name,))) and name not in _OWN:
            body[name] = value
    for name, value in params.set.items():
        if name in _LIMITS:
            for other in _LIMITS:
                body.pop(other, None)
        if name not in _OWN:
            body[name] = value
    return tuple(name for name in params.drop if name not in _OWN and body.pop(name, None) is not None)


OPENAI = _OpenAI()
