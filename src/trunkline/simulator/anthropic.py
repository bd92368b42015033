"""Anthropic's face: paths, keys, versions, headers and error bodies around the Messages API."""

import math
from datetime import UTC, datetime
from typing import Any

import msgspec

from trunkline.simulator import anthropic_frames, anthropic_reading, anthropic_rules
from trunkline.simulator.answer import Answer, Asked, Frames, Rejection, Stamp
from trunkline.simulator.faults import ErrorAnswer, InBandError
from trunkline.simulator.ids import Ids
from trunkline.simulator.rate import Standing
from trunkline.wire.request import Request

_MODELS = (
    ("claude-haiku-4-5", "Claude Haiku 4.5"),
    ("claude-sonnet-4-5", "Claude Sonnet 4.5"),
    ("claude-opus-5-5", "Claude Opus 5.5"),
)
_LARGEST_REQUEST = 32 * 1024 * 1024
# Of an account that has no rate limit here: nobody who reads the headers comes near them.
_NO_LIMIT = Standing(10_000_000, 9_999_999, 1.0)
_LIMIT_TOKENS = 10_000_000_000
ORGANIZATION = "5a1ada7a-0000-4000-8000-51b01a7ed001"

_LIMITED = (
    f"This request would exceed the rate limit for your organization ({ORGANIZATION}) of {{calls}} requests per "
    "{window}. For details, refer to: https://docs.claude.com/en/api/rate-limits."
)
_SAYS: dict[int, tuple[str, str]] = {
    400: ("invalid_request_error", "prompt is too long: 212345 tokens > 200000 maximum"),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your credit balance is too low to access the Anthropic API."),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "model: the requested model was not found"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", _LIMITED.format(calls=50, window="minute")),
    500: ("api_error", "Internal server error"),
    503: ("api_error", "Service unavailable"),
    504: ("timeout_error", "Request timed out"),
    529: ("overloaded_error", "Overloaded"),
}
_OTHERWISE = ("api_error", "Internal server error")
_RETRYABLE = frozenset({408, 409, 429, 500, 502, 503, 504, 529})


class Anthropic:
    """The wire format of Anthropic's API; holds the counter of its ids and nothing else."""

    name = "anthropic"
    base_path = ""
    answers_at = "/v1/messages"
    content_type_of_streams = b"text/event-stream; charset=utf-8"
    ping = anthropic_frames.PING

    def __init__(self, key: str | None, ids: Ids) -> None:
        self._key = key
        self._ids = ids

    def admit(self, request: Request) -> None:
        """Raise `Rejection` where the key is missing or wrong, or no API version is named.

        A key comes as `x-api-key`, or since API version 2026-10-21 as a bearer token too; `x-api-key` wins.
        """
        given = request.headers.get(b"x-api-key", b"").decode("latin-1")
        bearer = request.headers.get(b"authorization", b"").decode("latin-1")
        if not given and bearer.startswith("Bearer "):
            given = bearer[7:].strip()
        if not given:
            raise Rejection(401, "x-api-key header is required", type="authentication_error")
        if self._key is not None and given != self._key:
            raise Rejection(401, "invalid x-api-key", type="authentication_error")
        version = request.headers.get(b"anthropic-version")
        if version is None:
            raise anthropic_rules.refused("anthropic-version: header is required")
        if version.decode("latin-1") not in anthropic_rules.VERSIONS:
            raise anthropic_rules.refused(f'anthropic-version: "{version.decode("latin-1")}" is not a valid version')

    def understand(self, request: Request, body: Any) -> Asked:
        """Check the request as Anthropic does and read it; `body` is its JSON, None where it is none."""
        if len(request.body) > _LARGEST_REQUEST:
            raise Rejection(413, _SAYS[413][1], type=_SAYS[413][0])
        if not isinstance(body, dict):
            raise anthropic_rules.refused("The request body is not valid JSON")
        anthropic_rules.check(body, request.headers[b"anthropic-version"].decode())
        return anthropic_reading.read(body, len(request.body))

    def stamp(self, answer: Answer, request_id: str, created: int) -> Stamp:
        """Give the answer its ids."""
        calls = len(answer.choices[0].calls)
        return Stamp(
            self._ids.fresh("msg_01", 22),
            request_id,
            created,
            tuple(self._ids.fresh("toolu_01", 22) for _ in range(calls)),
        )

    def request_id(self) -> str:
        """Return a fresh request id."""
        return self._ids.fresh("req_011C", 20)

    def body(self, answer: Answer, asked: Asked, stamp: Stamp) -> bytes:  # noqa: ARG002 - it has no options
        """Return the whole answer as JSON."""
        return anthropic_frames.body(answer, stamp)

    def frames(self, answer: Answer, asked: Asked, stamp: Stamp) -> Frames:  # noqa: ARG002 - it has no options
        """Return the answer as a stream."""
        return anthropic_frames.frames(answer, stamp)

    def listing(self, path: str) -> bytes | None:
        """Return what `GET` on a path of models answers."""
        models = [
            {"type": "model", "id": name, "display_name": title, "created_at": "2025-10-15T00:00:00Z"}
            for name, title in _MODELS
        ]
        if path == "/v1/models":
            page = {"data": models, "has_more": False, "first_id": _MODELS[0][0], "last_id": _MODELS[-1][0]}
            return msgspec.json.encode(page)
        for model in models:
            if path == f"/v1/models/{model['id']}":
                return msgspec.json.encode(model)
        return None

    def rejection_of(self, fault: ErrorAnswer) -> Rejection:
        """Return a scripted error in Anthropic's words."""
        type_, message = _SAYS.get(fault.status, _OTHERWISE)
        return Rejection(fault.status, fault.message or message, type=fault.type or type_)

    def rate_limited(self, calls: int, window: float, wait: float) -> Rejection:  # noqa: ARG002 - a header says it
        """Return the error of a call that is one too many."""
        message = _LIMITED.format(calls=calls, window=f"{window:g} seconds")
        return Rejection(429, message, type="rate_limit_error")

    def unknown_path(self, method: str, path: str) -> Rejection:
        """Return the error of a path or method that does not exist."""
        if path == self.answers_at:
            return Rejection(405, "Method Not Allowed", type="invalid_request_error")
        return Rejection(404, f"Not Found: {method} {path}", type="not_found_error")

    def error_body(self, rejection: Rejection, request_id: str) -> bytes:
        """Return the JSON of an error."""
        error = {"type": rejection.type, "message": rejection.message}
        return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id})

    def error_headers(self, status: int) -> bytes:
        """Return the header by which Anthropic tells its SDKs whether to try again."""
        return b"x-should-retry: true\r\n" if status in _RETRYABLE else b"x-should-retry: false\r\n"

    def error_frame(self, fault: InBandError) -> bytes:
        """Return an error in the middle of a stream."""
        error = {"type": fault.type or "overloaded_error", "message": fault.message or "Overloaded"}
        return b"event: error\ndata: %b\n\n" % msgspec.json.encode({"type": "error", "error": error})

    def headers(self, request_id: str, now: float, standing: Standing | None) -> bytes:
        """Return the header lines that every answer has; resets are moments, in whole seconds."""
        limit, remaining, reset = standing or _NO_LIMIT
        requests, tokens = (_moment(now + seconds) for seconds in (reset, 0.0))
        return (
            b"request-id: %b\r\nanthropic-organization-id: %b\r\n"
            b"anthropic-ratelimit-requests-limit: %d\r\nanthropic-ratelimit-requests-remaining: %d\r\n"
            b"anthropic-ratelimit-requests-reset: %b\r\n"
            b"anthropic-ratelimit-tokens-limit: %d\r\nanthropic-ratelimit-tokens-remaining: %d\r\n"
            b"anthropic-ratelimit-tokens-reset: %b\r\nserver: cloudflare\r\n"
        ) % (
            request_id.encode(), ORGANIZATION.encode(), limit, remaining, requests,
            _LIMIT_TOKENS, _LIMIT_TOKENS - 1, tokens,
        )  # fmt: skip


def _moment(unix: float) -> bytes:
    return datetime.fromtimestamp(math.ceil(unix), UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
