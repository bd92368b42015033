"""OpenAI's errors, and those of servers compatible with it, to faults with normalised codes."""

import re
from typing import Any

import msgspec

from trunkline.dialects.faults import kind_of, retry_after, scrub
from trunkline.dialects.provider import FaultKind, ProviderFault

_decode = msgspec.json.Decoder().decode
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TOO_LONG = re.compile(
    r"(?i)maximum context length|context[ _](?:length|window)|prompt is too long|too many (?:input )?tokens"
)
_SAME = {
    "content_policy_violation": "content_filter",
    "rate_limit_error": "rate_limit_exceeded",
    "tokens": "rate_limit_exceeded",
    "requests": "rate_limit_exceeded",
    "invalid_request_error": "invalid_request",
    "authentication_error": "invalid_api_key",
    "overloaded_error": "overloaded",
    "api_error": "server_error",
    "internal_server_error": "server_error",
    "internal_error": "server_error",
    "billing_hard_limit_reached": "insufficient_quota",
    "billing_not_active": "insufficient_quota",
}
_DEFAULTS: dict[FaultKind, str] = {
    "rate_limited": "rate_limit_exceeded",
    "rejected": "invalid_request",
    "unauthorized": "invalid_api_key",
    "misconfigured": "not_found",
    "server_error": "server_error",
    "overloaded": "overloaded",
}
# We ask at one path for a configured model: what is not found there is the operator's to mend, not the caller's.
_NOT_FOUND = frozenset({"model_not_found", "unknown_url", "not_found"})
# What an error inside a stream, which has no status of its own, stands for.
_STATUS_OF = {
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "overloaded": 503,
    "invalid_api_key": 401,
    "invalid_request": 400,
    "invalid_prompt": 400,
    "content_filter": 400,
    "context_length_exceeded": 400,
    "model_not_found": 404,
}


def decode_fault(status: int, headers: dict[bytes, bytes], body: bytes, now: float) -> ProviderFault:
    """Return what an answer that is no success says, whatever its body is."""
    try:
        said = _decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        said = None  # a proxy's page: its text is for a browser, not for a caller
    error = said.get("error", said) if isinstance(said, dict) else None
    return _fault(error, status, retry_after(headers, now))


def fault_in_stream(error: Any) -> ProviderFault:
    """Return what an error frame says, with the status that it stands for."""
    status = 500
    if isinstance(error, dict):
        number = error.get("code")
        code = _code(error, "")
        status = number if isinstance(number, int) and 400 <= number < 600 else _STATUS_OF.get(code, 500)
    return _fault(error, status, None)


def _fault(error: Any, status: int, wait: float | None) -> ProviderFault:
    if isinstance(error, str):
        error = {"message": error}
    if not isinstance(error, dict):
        error = {}
    kind, code = _kind_and_code(error, status)
    message, param = error.get("message"), error.get("param")
    return ProviderFault(
        status=status,
        kind=kind,
        code=code,
        message=scrub(message) if isinstance(message, str) and message else f"The provider answered {status}",
        param=scrub(param) if isinstance(param, str) else None,
        retry_after=wait,
    )


def _kind_and_code(error: dict[str, Any], status: int) -> tuple[FaultKind, str]:
    kind = kind_of(status)
    code = _code(error, "")
    if code == "insufficient_quota":
        kind = "unauthorized"  # no wait helps, and nothing that a caller could ask for otherwise: the account is out
    elif status == 405 or (status == 404 and (not code or code in _NOT_FOUND)):
        kind = "misconfigured"
    elif status == 413 and code in {"", "invalid_request"}:
        code = "request_too_large"
    return kind, code or _DEFAULTS[kind]


def _code(error: dict[str, Any], default: str) -> str:
    """Return the normalised code: the provider's `code`, else its `type`, in OpenAI's words."""
    message = error.get("message")
    if isinstance(message, str) and _TOO_LONG.search(message[:2000]):
        return "context_length_exceeded"
    for word in (error.get("code"), error.get("type")):
        if isinstance(word, str) and _CODE.fullmatch(word):
            return _SAME.get(word, word)
    return default
