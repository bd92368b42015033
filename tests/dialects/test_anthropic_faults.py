import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.dialects.anthropic import ANTHROPIC


def fault(status, kind=None, message="Something is wrong.", headers=None, **fields):
    body = {
        "type": "error",
        "error": {"type": kind, "message": message, **fields},
        "request_id": "req_011CSHoEeqs5C35K",
    }
    return ANTHROPIC.decode_fault(status, headers or {}, json.dumps(body).encode(), 1_800_000_000.0)


@pytest.mark.parametrize(
    ("status", "kind", "code", "becomes"),
    [
        (400, "invalid_request_error", "invalid_request", "rejected"),
        (401, "authentication_error", "invalid_api_key", "unauthorized"),
        (402, "billing_error", "insufficient_quota", "unauthorized"),
        (403, "permission_error", "permission_denied", "unauthorized"),
        (404, "not_found_error", "model_not_found", "misconfigured"),
        (404, None, "not_found", "misconfigured"),
        (405, None, "not_found", "misconfigured"),
        (413, None, "request_too_large", "rejected"),
        (409, "conflict_error", "conflict", "server_error"),
        (413, "request_too_large", "request_too_large", "rejected"),
        (429, "rate_limit_error", "rate_limit_exceeded", "rate_limited"),
        (500, "api_error", "server_error", "server_error"),
        (504, "timeout_error", "timeout", "server_error"),
        (529, "overloaded_error", "overloaded", "overloaded"),
        (400, "unheard_of", "invalid_request", "rejected"),
        (429, None, "rate_limit_exceeded", "rate_limited"),
        (503, ["x"], "overloaded", "overloaded"),
    ],
)
def test_every_type_of_error_has_a_code_and_a_kind(status, kind, code, becomes):
    found = fault(status, kind)
    assert (found.status, found.code, found.kind) == (status, code, becomes)
    assert found.message == "Something is wrong."


@pytest.mark.parametrize(
    "message",
    [
        "prompt is too long: 210311 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 21333 > 200000, decrease input length",
        "Input exceeds the model's maximum context window",
    ],
)
def test_a_conversation_that_is_too_long_is_known_by_what_is_said(message):
    assert fault(400, "invalid_request_error", message).code == "context_length_exceeded"


def test_only_a_rejection_can_be_of_a_conversation_too_long():
    assert fault(500, "api_error", "prompt is too long").code == "server_error"


@pytest.mark.parametrize(
    ("status", "message", "details"),
    [
        (400, "Your credit balance is too low to access the Anthropic API.", None),
        (400, "You have reached your specified API usage limits.", None),
        (400, "No.", {"error_code": "enforced_spend_limit_reached"}),
        (429, "No.", {"error_code": "contract_spend_limit_reached"}),
    ],
)
def test_an_account_out_of_money_is_not_the_client_s_mistake(status, message, details):
    found = fault(status, "invalid_request_error", message, details=details)
    assert (found.code, found.kind) == ("insufficient_quota", "unauthorized")


@pytest.mark.parametrize("details", [{"error_code": "tool_name_conflict"}, {"error_code": ["x"]}, {}, "x"])
def test_other_details_change_nothing(details):
    assert fault(400, "invalid_request_error", details=details).code == "invalid_request"


def test_the_time_to_wait_is_read_from_the_headers():
    assert fault(429, "rate_limit_error", headers={b"retry-after": b"7"}).retry_after == 7.0
    assert fault(429, "rate_limit_error").retry_after is None


def test_keys_do_not_come_through():
    found = fault(401, "authentication_error", "invalid x-api-key sk-ant-api03-abcdefghijklmnop for org-12345678")
    assert "abcdefgh" not in found.message
    assert "12345678" not in found.message


@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b"[]", b'{"error": "x"}', b"[" * 100_000])
def test_a_body_without_an_error_is_told_by_its_status(body):
    found = ANTHROPIC.decode_fault(502, {}, body, 0.0)
    assert (found.code, found.kind, found.message) == ("server_error", "server_error", "The provider answered 502")


@given(
    st.integers(300, 599),
    st.binary(max_size=60),
    st.dictionaries(st.sampled_from([b"retry-after", b"retry-after-ms"]), st.binary(max_size=30)),
)
@settings(max_examples=80, deadline=None)
def test_anything_at_all_is_some_fault(status, body, headers):
    found = ANTHROPIC.decode_fault(status, headers, body, 1_800_000_000.0)
    assert found.status == status
    assert found.message
    assert found.code
