"""A provider's error becomes a fault with a normalised code, whatever its body is."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.dialects.openai_provider import OPENAI
from trunkline.dialects.provider import ProviderFault

NOW = 1_445_412_480.0


def fault(status: int, error: Any, headers: dict[bytes, bytes] | None = None) -> ProviderFault:
    body = error if isinstance(error, bytes) else json.dumps({"error": error}).encode()
    return OPENAI.decode_fault(status, headers or {}, body, NOW)


def test_a_rate_limit_says_when_to_come_back_and_not_whose_account_it_is() -> None:
    error = {
        "message": "Rate limit reached for gpt-4o-mini in organization org-Ab12Cd34Ef56 on requests per min (RPM): "
        "Limit 3, Used 3, Requested 1. Please try again in 20s.",
        "type": "requests",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    found = fault(429, error, {b"retry-after": b"20", b"retry-after-ms": b"19850"})
    assert found.kind == "rate_limited"
    assert found.code == "rate_limit_exceeded"
    assert found.retry_after == 19.85
    assert "gpt-4o-mini" in found.message
    assert "org-" not in found.message


@pytest.mark.parametrize(
    ("status", "error", "kind", "code"),
    [
        (429, {"code": "insufficient_quota", "type": "insufficient_quota"}, "unauthorized", "insufficient_quota"),
        (429, {"code": None, "type": "insufficient_quota"}, "unauthorized", "insufficient_quota"),
        (429, {"code": "billing_hard_limit_reached", "type": "requests"}, "unauthorized", "insufficient_quota"),
        (400, {"code": "billing_hard_limit_reached"}, "unauthorized", "insufficient_quota"),
        (429, {"code": "billing_not_active"}, "unauthorized", "insufficient_quota"),
        (429, {"type": "tokens", "code": None}, "rate_limited", "rate_limit_exceeded"),
        (400, {"code": "context_length_exceeded", "param": "messages"}, "rejected", "context_length_exceeded"),
        (
            400,
            {"message": "This model's maximum context length is 8192 tokens.", "code": 400, "type": "BadRequestError"},
            "rejected",
            "context_length_exceeded",
        ),
        (400, {"code": "content_policy_violation"}, "rejected", "content_filter"),
        (400, {"code": "content_filter"}, "rejected", "content_filter"),
        (400, {"code": None, "type": "invalid_request_error"}, "rejected", "invalid_request"),
        (400, {"code": "unsupported_parameter", "type": "invalid_request_error"}, "rejected", "unsupported_parameter"),
        (404, {"code": "model_not_found", "type": "invalid_request_error"}, "misconfigured", "model_not_found"),
        (404, {"code": "unknown_url", "type": "invalid_request_error"}, "misconfigured", "unknown_url"),
        (404, {"message": "No model `x`.", "type": "NotFoundError", "code": 404}, "misconfigured", "not_found"),
        (404, b"<html>Not here</html>", "misconfigured", "not_found"),
        (404, {"code": "file_not_found", "type": "invalid_request_error"}, "rejected", "file_not_found"),
        (405, b"", "misconfigured", "not_found"),
        (405, {"code": "method_not_allowed"}, "misconfigured", "method_not_allowed"),
        (413, {"type": "invalid_request_error", "code": None}, "rejected", "request_too_large"),
        (413, b"<html>nginx</html>", "rejected", "request_too_large"),
        (413, {"code": "string_above_max_length"}, "rejected", "string_above_max_length"),
        (401, {"code": "invalid_api_key", "type": "invalid_request_error"}, "unauthorized", "invalid_api_key"),
        (403, {"code": "unsupported_country_region_territory"}, "unauthorized", "unsupported_country_region_territory"),
        (500, {"type": "server_error", "code": None}, "server_error", "server_error"),
        (503, {"message": "The engine is currently overloaded"}, "overloaded", "overloaded"),
        (400, {"code": "NOT A CODE", "type": 7}, "rejected", "invalid_request"),
        (400, "plain words", "rejected", "invalid_request"),
        (502, b"<html>Bad gateway</html>", "server_error", "server_error"),
        (502, b"", "server_error", "server_error"),
        (502, b"[1]", "server_error", "server_error"),
        (400, b"[" * 5000, "rejected", "invalid_request"),
        (400, b'{"object": "error", "message": "No.", "type": "BadRequestError"}', "rejected", "invalid_request"),
    ],
)
def test_codes_are_normalised(status: int, error: Any, kind: str, code: str) -> None:
    found = fault(status, error)
    assert (found.status, found.kind, found.code) == (status, kind, code)
    assert found.message


def test_the_field_at_fault_is_kept_and_words_are_shown() -> None:
    found = fault(400, {"message": "Unsupported value", "param": "messages[0].role", "code": "unsupported_value"})
    assert (found.message, found.param) == ("Unsupported value", "messages[0].role")
    assert fault(400, "plain words").message == "plain words"
    assert fault(502, b"<html>secret</html>").message == "The provider answered 502"


@settings(max_examples=150, deadline=None)
@given(st.integers(100, 599), st.binary(max_size=60), st.binary(max_size=20))
def test_no_answer_breaks_the_reading_of_faults(status: int, body: bytes, header: bytes) -> None:
    found = fault(status, body, {b"retry-after": header})
    assert len(found.message) <= 500
    assert found.code
