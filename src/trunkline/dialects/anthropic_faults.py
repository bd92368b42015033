"""Anthropic's errors to faults with normalised codes.

Source: Anthropic API reference, "Errors": a type, a message that may change, and sometimes `details.error_code`.
"""

import re
from typing import Any

import msgspec

from trunkline.dialects.faults import kind_of, retry_after, scrub
from trunkline.dialects.provider import FaultKind, ProviderFault

_decode = msgspec.json.Decoder().decode

# Type -> (our code, the status that it stands for inside a stream).
_TYPES: dict[str, tuple[str, int]] = {
    "invalid_request_error": ("invalid_request", 400),
    "authentication_error": ("invalid_api_key", 401),
    "billing_error": ("insufficient_quota", 402),
    "permission_error": ("permission_denied", 403),
    "not_found_error": ("model_not_found", 404),  # we ask at one path, so what is not found is the model
    "conflict_error": ("conflict", 409),
    "request_too_large": ("request_too_large", 413),
    "rate_limit_error": ("rate_limit_exceeded", 429),
    "api_error": ("server_error", 500),
    "timeout_error": ("timeout", 504),
    "overloaded_error": ("overloaded", 529),
}
_DEFAULTS: dict[FaultKind, str] = {
    "rate_limited": "rate_limit_exceeded",
    "rejected": "invalid_request",
    "unauthorized": "invalid_api_key",
    "misconfigured": "not_found",
    "server_error": "server_error",
    "overloaded": "overloaded",
}
_TOO_LONG = re.compile(r"(?i)prompt is too long|exceeds? (?:the )?(?:model's )?(?:maximum )?context")
# We ask at one path for a configured model: what is not found there is the operator's to mend, not the caller's.
_NOT_FOUND = frozenset({404, 405})
# The account has run out of money or reached a limit of spending that its owner set; Anthropic says it with 400 or 429.
_OUT_OF_MONEY = re.compile(r"(?i)credit balance is too low|specified API usage limits")
_SPEND_LIMITS = frozenset(
    {
        "contract_spend_limit_reached",
        "enforced_spend_limit_reached",
        "ramp_limit_exceeded",
        "linked_organization_spend_limit_reached",
        "linked_organization_billing_unavailable",
    }
)


def decode_fault(status: int, headers: dict[bytes, bytes], body: bytes, now: float) -> ProviderFault:
    """Return what an answer that is no success says, whatever its body is."""
    try:
        said = _decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        said = None  # a proxy's page: its text is for a browser, not for a caller
    return _fault(said.get("error") if isinstance(said, dict) else None, status, retry_after(headers, now))


def fault_in_stream(error: Any) -> ProviderFault:
    """Return what an error event says, with the status that it stands for."""
    said = error.get("type") if isinstance(error, dict) else None
    status = _TYPES.get(said, ("", 500))[1] if isinstance(said, str) else 500
    return _fault(error, status, None)


def _fault(error: Any, status: int, wait: float | None) -> ProviderFault:
    if not isinstance(error, dict):
        error = {}
    kind: FaultKind = "misconfigured" if status in _NOT_FOUND else kind_of(status)
    message = error.get("message")
    message = scrub(message) if isinstance(message, str) else ""
    code = _code(error, message, status, kind)
    if code == "insufficient_quota":
        kind = "unauthorized"  # nothing that a caller could ask for otherwise, and no wait helps: the account is out
    return ProviderFault(
        status=status,
        kind=kind,
        code=code,
        message=message or f"The provider answered {status}",
        retry_after=wait,
    )


def _code(error: dict[str, Any], message: str, status: int, kind: FaultKind) -> str:
    details, said = error.get("details"), error.get("type")
    if isinstance(details, dict) and str(details.get("error_code")) in _SPEND_LIMITS:
        return "insufficient_quota"
    if _OUT_OF_MONEY.search(message):
        return "insufficient_quota"
    if kind == "rejected" and _TOO_LONG.search(message):
        return "context_length_exceeded"
    known = _TYPES.get(said) if isinstance(said, str) else None
    if known is not None:
        return known[0]
    return "request_too_large" if status == 413 else _DEFAULTS[kind]
