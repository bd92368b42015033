"""Kinds of failure, waiting times, and messages safe to show."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.dialects.faults import LONGEST_MESSAGE, LONGEST_WAIT, kind_of, retry_after, scrub

NOW = 1_445_412_480.0  # Wed, 21 Oct 2015 07:28:00 GMT


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "rejected"),
        (401, "unauthorized"),
        (402, "unauthorized"),
        (403, "unauthorized"),
        (404, "rejected"),
        (407, "server_error"),
        (408, "server_error"),
        (409, "server_error"),
        (413, "rejected"),
        (417, "server_error"),
        (418, "server_error"),
        (422, "rejected"),
        (425, "server_error"),
        (429, "rate_limited"),
        (499, "server_error"),
        (500, "server_error"),
        (502, "server_error"),
        (503, "overloaded"),
        (504, "server_error"),
        (529, "overloaded"),
        (302, "server_error"),
        (204, "server_error"),
    ],
)
def test_a_status_has_one_kind(status: int, kind: str) -> None:
    assert kind_of(status) == kind


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({b"retry-after": b"20"}, 20.0),
        ({b"retry-after": b" 1.5 "}, 1.5),
        ({b"retry-after": b"20", b"retry-after-ms": b"350"}, 0.35),
        ({b"retry-after": b"20", b"retry-after-ms": b"soon"}, 20.0),
        ({b"retry-after": b"Wed, 21 Oct 2015 07:28:30 GMT"}, 30.0),
        ({b"retry-after": b"Wed, 21 Oct 2015 07:27:30 GMT"}, 0.0),
        ({b"retry-after": b"Wed, 99 Oct 2015 07:28:30 GMT"}, None),
        ({b"retry-after": b"Wed, 21 Foo 2015 07:28:30 GMT"}, None),
        ({b"retry-after": b"-5"}, None),
        ({b"retry-after": b"nan"}, None),
        ({b"retry-after": b"1e9"}, None),
        ({b"retry-after": b"\xff"}, None),
        ({b"retry-after": b"999999999"}, LONGEST_WAIT),
        ({b"retry-after-ms": b"999999999999"}, LONGEST_WAIT),
    ],
)
def test_waiting_times_are_read_and_bounded(headers: dict[bytes, bytes], wait: float | None) -> None:
    assert retry_after(headers, NOW) == wait


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40))
def test_no_header_breaks_the_reading_of_waiting_times(value: bytes) -> None:
    wait = retry_after({b"retry-after": value, b"retry-after-ms": value}, NOW)
    assert wait is None or 0 <= wait <= LONGEST_WAIT


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcDEF123456",
        "sk-abc*************xyz",
        "sk-ant-api03-AAAA",
        "org-9dFk2lmQp0",
        "proj_Ab12Cd34",
        "Bearer abc.def",
        "ops@example.com",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9eyJzdWIiOiIx",
    ],
)
def test_secrets_and_account_names_are_taken_out_of_messages(secret: str) -> None:
    shown = scrub(f"Incorrect API key provided: {secret}. Rate limit reached for gpt-4o-mini in organization {secret}")
    assert secret not in shown
    assert shown.count("***") == 2
    assert "gpt-4o-mini" in shown


@pytest.mark.parametrize(
    "words", ["a risk-free task-based org-specific user_identifier", "see platform.openai.com/docs/guides/rate-limits"]
)
def test_plain_words_stay_in_messages(words: str) -> None:
    assert scrub(words) == words


def test_messages_are_one_short_line() -> None:
    shown = scrub("a\r\nb\x1b[31m\u2028" + "word " * 1000)
    assert len(shown) == LONGEST_MESSAGE
    assert shown.startswith("a b [31m word")
    assert shown.endswith("…")


def test_messages_have_nothing_that_turns_or_hides_what_a_client_reads() -> None:
    assert scrub("no \u202emodel\u2066\u200f x\U000e0041\U000e007f\u061cy") == "no  model  x y"
