"""What providers' errors have in common: kinds by status, waiting times, and messages that are safe to show."""

import re
from datetime import UTC, datetime

from trunkline.dialects.provider import FaultKind
from trunkline.model.names import STEERING

LONGEST_MESSAGE = 500
LONGEST_WAIT = 86_400.0  # a provider that says "in a year" must not take a target out for a year

_SECRET = re.compile(
    # Keys and accounts, and what a provider leaves of them; a small word (`risk-free`, `user_id`) is none.
    r"\b(?:sk|rk|pk|org|proj|user|req|acct)[-_](?=[a-z_-]{0,40}[A-Z0-9*])[A-Za-z0-9*_-]{6,}"
    r"|(?i:bearer)\s+[^\s\"']+"
    r"|[A-Za-z0-9+/_-]{40,}={0,2}"  # any long token
    r"|[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,64}"
)
_UNPRINTABLE = re.compile(f"[{STEERING}]+")
_HTTP_DATE = re.compile(r"[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,9})?")

# A timeout, a lock, too early: the same request may work elsewhere or later. The others are what something in between
# says of itself: a proxy that wants a password, an expectation, a page that blocks, a connection that was closed.
_TRANSIENT = frozenset({407, 408, 409, 417, 418, 425, 499})
_ACCOUNT = frozenset({401, 402, 403})  # our account's trouble, not the client's


def kind_of(status: int) -> FaultKind:
    """Return what a status that is no success means for the call."""
    if status == 429:
        return "rate_limited"
    if status in _ACCOUNT:
        return "unauthorized"
    if status in {503, 529}:
        return "overloaded"
    if 400 <= status < 500 and status not in _TRANSIENT:
        return "rejected"
    return "server_error"


def scrub(message: str) -> str:
    """Return a provider's message without keys, account names, addresses or control characters, at most 500 long."""
    # Cut generously first, so that a huge message costs nothing, and again after.
    text = _SECRET.sub("***", _UNPRINTABLE.sub(" ", message[: 4 * LONGEST_MESSAGE])).strip()
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"


def retry_after(headers: dict[bytes, bytes], now: float) -> float | None:
    """Return how many seconds to wait: `retry-after-ms`, else `retry-after` as seconds or an HTTP date (RFC 9110)."""
    milliseconds = _number(headers.get(b"retry-after-ms"))
    if milliseconds is not None:
        return min(milliseconds / 1000, LONGEST_WAIT)
    value = headers.get(b"retry-after")
    wait = _number(value)
    if wait is None and value is not None:
        moment = http_date(value)
        wait = None if moment is None else max(0.0, moment - now)
    return None if wait is None else min(wait, LONGEST_WAIT)


def _number(value: bytes | None) -> float | None:
    text = (value or b"").decode("latin-1").strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def http_date(value: bytes) -> float | None:
    """Return the Unix second of an HTTP date (RFC 9110, the preferred form), None where it is none."""
    match = _HTTP_DATE.fullmatch(value.decode("latin-1").strip())
    if match is None or match[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(match[group]) for group in (1, 3, 4, 5, 6))
    try:
        moment = datetime(year, _MONTHS.index(match[2]) + 1, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return moment.timestamp()
