"""Rate limits as providers tell them in the headers of every answer.

Sources: OpenAI, "Rate limits in headers" (`x-ratelimit-reset-*` are durations like `6m0s`, `1s` or `20ms`); Anthropic
API reference, "Rate limits, response headers" (`...-reset` are RFC 3339 times). With both, `reset` is when all of the
limit will be there again, and it comes back bit by bit until then. A number that no account can have says nothing.
"""

import re
from datetime import datetime
from typing import Final

from trunkline.dialects.faults import LONGEST_WAIT, http_date
from trunkline.model.rates import ProviderRate, Standing

MOST_UNITS: Final = 10**12  # requests or tokens: beyond what any account has

_COUNT: Final = re.compile(rb"[0-9]{1,13}")
_DURATION: Final = re.compile(
    r"(?:(\d{1,5})d)?(?:(\d{1,6})h)?(?:(\d{1,8})m(?!s))?(?:(\d{1,9}(?:\.\d{1,9})?)s)?(?:(\d{1,9}(?:\.\d{1,9})?)ms)?"
)
_SECONDS: Final = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
_UNITS: Final = (86_400.0, 3600.0, 60.0, 1.0, 0.001)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)")


def openai_rate(headers: dict[bytes, bytes]) -> ProviderRate | None:
    """Return what `x-ratelimit-*` say, None where they say nothing. Header names are lower case."""
    requests = _relative(headers, b"requests")
    tokens = _relative(headers, b"tokens")
    return None if requests is None and tokens is None else ProviderRate(requests=requests, tokens=tokens)


def anthropic_rate(headers: dict[bytes, bytes], now: float) -> ProviderRate | None:
    """Return what `anthropic-ratelimit-*` say, None where they say nothing. `now` is the Unix time.

    Their times are of the provider's clock: where the answer has a `date`, that is subtracted rather than ours.
    """
    sent = http_date(headers.get(b"date", b""))
    clock = now if sent is None else sent
    rate = ProviderRate(
        requests=_absolute(headers, b"requests", clock),
        tokens=_absolute(headers, b"tokens", clock),
        input_tokens=_absolute(headers, b"input-tokens", clock),
        output_tokens=_absolute(headers, b"output-tokens", clock),
    )
    return None if rate == ProviderRate() else rate


def _relative(headers: dict[bytes, bytes], measure: bytes) -> Standing | None:
    limit, remaining = headers.get(b"x-ratelimit-limit-" + measure), headers.get(b"x-ratelimit-remaining-" + measure)
    if limit is None or remaining is None:
        return None
    return _standing(limit, remaining, _duration(headers.get(b"x-ratelimit-reset-" + measure)))


def _absolute(headers: dict[bytes, bytes], measure: bytes, clock: float) -> Standing | None:
    name = b"anthropic-ratelimit-" + measure
    limit, remaining = headers.get(name + b"-limit"), headers.get(name + b"-remaining")
    if limit is None or remaining is None:
        return None
    moment = _moment(headers.get(name + b"-reset"))
    return _standing(limit, remaining, None if moment is None else moment - clock)


def _standing(limit: bytes, remaining: bytes, reset: float | None) -> Standing | None:
    whole, left = _count(limit), _count(remaining)
    if not whole or left is None:  # servers say 0 for no limit at all
        return None
    return Standing(whole, min(left, whole), None if reset is None else min(max(reset, 0.0), LONGEST_WAIT))


def _count(value: bytes) -> int | None:
    text = value.strip()
    number = int(text) if _COUNT.fullmatch(text) else None
    return number if number is not None and number <= MOST_UNITS else None


def _duration(value: bytes | None) -> float | None:
    """Return the seconds of `1h2m3s`, `20ms` or a plain number; None for anything else."""
    text = (value or b"").decode("latin-1").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    match = _DURATION.fullmatch(text) if text else None
    if match is None:
        return None
    return sum(float(amount) * unit for amount, unit in zip(match.groups("0"), _UNITS, strict=True))


def _moment(value: bytes | None) -> float | None:
    text = (value or b"").decode("latin-1").strip()
    if not _TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None
