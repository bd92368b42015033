"""OpenAI's face: paths, keys, headers and error bodies around the chat completions."""

import math
from typing import Any

import msgspec

from trunkline.simulator import openai_errors, openai_frames, openai_reading, openai_rules
from trunkline.simulator.answer import Answer, Asked, Frames, Rejection, Stamp
from trunkline.simulator.faults import ErrorAnswer, InBandError
from trunkline.simulator.ids import Ids
from trunkline.simulator.rate import Standing
from trunkline.wire.request import Request

_MODELS = ("gpt-4o-mini", "gpt-4o", "gpt-4.1-mini", "gpt-5-mini")
_MODELS_CREATED = 1_721_172_741
# Of an account that has no rate limit here: nobody who reads the headers comes near them.
_NO_LIMIT = Standing(10_000_000, 9_999_999, 0.000_006)
_LIMIT_TOKENS = 10_000_000_000


class OpenAI:
    """The wire format of OpenAI's API; holds the counter of its ids and nothing else."""

    name = "openai"
    base_path = "/v1"
    answers_at = "/v1/chat/completions"
    content_type_of_streams = b"text/event-stream; charset=utf-8"
    ping = b": keep-alive\n\n"

    def __init__(self, key: str | None, ids: Ids) -> None:
        self._key = key
        self._ids = ids

    def admit(self, request: Request) -> None:
        """Raise `Rejection` where the key is missing or wrong."""
        given = request.headers.get(b"authorization", b"").decode("latin-1")
        if not given.startswith("Bearer ") or not given[7:].strip():
            raise openai_errors.no_key()
        if self._key is not None and given[7:].strip() != self._key:
            raise openai_errors.wrong_key()

    def understand(self, request: Request, body: Any) -> Asked:
        """Check the request as OpenAI does and read it; `body` is its JSON, None where it is none."""
        if not isinstance(body, dict):
            raise openai_errors.no_json()
        openai_rules.check(body)
        return openai_reading.read(body, len(request.body))

    def stamp(self, answer: Answer, request_id: str, created: int) -> Stamp:
        """Give the answer its ids."""
        calls = max(len(choice.calls) for choice in answer.choices)
        return Stamp(
            self._ids.fresh("chatcmpl-", 29),
            request_id,
            created,
            tuple(self._ids.fresh("call_", 24) for _ in range(calls)),
        )

    def request_id(self) -> str:
        """Return a fresh request id."""
        return self._ids.fresh("req_", 32)

    def body(self, answer: Answer, asked: Asked, stamp: Stamp) -> bytes:
        """Return the whole answer as JSON."""
        return openai_frames.body(answer, asked, stamp)

    def frames(self, answer: Answer, asked: Asked, stamp: Stamp) -> Frames:
        """Return the answer as a stream."""
        return openai_frames.frames(answer, asked, stamp)

    def listing(self, path: str) -> bytes | None:
        """Return what `GET` on a path of models answers."""
        models = [{"id": name, "object": "model", "created": _MODELS_CREATED, "owned_by": "system"} for name in _MODELS]
        if path == "/v1/models":
            return msgspec.json.encode({"object": "list", "data": models})
        for model in models:
            if path == f"/v1/models/{model['id']}":
                return msgspec.json.encode(model)
        return None

    def rejection_of(self, fault: ErrorAnswer) -> Rejection:
        """Return a scripted error in OpenAI's words."""
        says = openai_errors.saying(fault.status)
        return Rejection(
            fault.status,
            fault.message or says.message,
            type=fault.type or says.type,
            code=fault.code or says.code,
            param=fault.param or says.param,
        )

    def rate_limited(self, calls: int, window: float, wait: float) -> Rejection:
        """Return the error of a call that is one too many."""
        return openai_errors.rate_limited(calls, window, wait)

    def unknown_path(self, method: str, path: str) -> Rejection:
        """Return the error of a path or method that does not exist."""
        if path == self.answers_at:
            return Rejection(
                405,
                f"Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a different HTTP method?)",
                type="invalid_request_error",
                code="method_not_supported",
            )
        return Rejection(404, f"Invalid URL ({method} {path})", type="invalid_request_error")

    def error_body(self, rejection: Rejection, request_id: str) -> bytes:  # noqa: ARG002 - it is in a header only
        """Return the JSON of an error."""
        return msgspec.json.format(msgspec.json.encode(openai_errors.body(rejection)), indent=2)

    def error_headers(self, status: int) -> bytes:  # noqa: ARG002 - errors have the headers of every answer
        """Return the header lines that only errors have."""
        return b""

    def error_frame(self, fault: InBandError) -> bytes:
        """Return an error in the middle of a stream."""
        error = ErrorAnswer(status=500, message=fault.message, type=fault.type, code=fault.code)
        return b"data: %b\n\n" % msgspec.json.encode(openai_errors.body(self.rejection_of(error)))

    def headers(self, request_id: str, now: float, standing: Standing | None) -> bytes:  # noqa: ARG002 - see reset
        """Return the header lines that every answer has; resets are relative."""
        limit, remaining, reset = standing or _NO_LIMIT
        return (
            b"openai-organization: %b\r\nopenai-processing-ms: 9\r\nopenai-version: 2020-10-01\r\n"
            b"x-ratelimit-limit-requests: %d\r\nx-ratelimit-limit-tokens: %d\r\n"
            b"x-ratelimit-remaining-requests: %d\r\nx-ratelimit-remaining-tokens: %d\r\n"
            b"x-ratelimit-reset-requests: %b\r\nx-ratelimit-reset-tokens: 0s\r\nx-request-id: %b\r\n"
            b"set-cookie: __cf_bm=simulated; path=/; HttpOnly; Secure\r\nserver: cloudflare\r\n"
        ) % (
            openai_errors.ORGANIZATION.encode(), limit, _LIMIT_TOKENS, remaining, _LIMIT_TOKENS - 1,
            _duration(reset), request_id.encode(),
        )  # fmt: skip


def _duration(seconds: float) -> bytes:
    """Return a time as OpenAI writes it: `20ms`, `1.5s`, `6m0s`."""
    milliseconds = math.ceil(seconds * 1000)
    if milliseconds < 1000:
        return b"%dms" % milliseconds
    minutes, rest = divmod(milliseconds, 60_000)
    return (b"%dm" % minutes if minutes else b"") + f"{rest / 1000:g}s".encode()
