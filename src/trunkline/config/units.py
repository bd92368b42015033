"""Durations, sizes and dates from text."""

import re
from datetime import UTC, datetime
from decimal import Decimal

from trunkline.config.readers import Mistake, Reader, bounded, parsed

SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3_600),
    "d": Decimal(86_400),
    "y": Decimal(365 * 86_400),
}
BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
QUANTITY = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([A-Za-z]*)", re.ASCII)
YEAR = 365 * 86_400.0
# 9999-12-31T23:59:59Z: the last second that calendars of computers, and RFC 3339, have a name for.
LATEST_EXPIRY = 253_402_300_799


def _quantity(value: str, units: dict[str, Decimal] | dict[str, int], fix: str) -> Decimal:
    match = QUANTITY.fullmatch(value)
    if not match or match[2] not in units:
        unitless = match is not None and not match[2]
        raise Mistake("has no unit" if unitless else f"is no number with one of the units {', '.join(units)}", fix)
    return Decimal(match[1]) * units[match[2]]


def seconds(value: str) -> float:
    """Return a duration such as `250ms`, `2s`, `5m`, `1h`, `30d` or `7y` (of 365 days) in seconds."""
    return float(_quantity(value, SECONDS, "write a duration like 250ms, 2s, 5m, 1h, 30d or 7y"))


def duration(least: str, most: str) -> Reader[float]:
    """Return a reader of a duration within bounds, in seconds."""
    low, high = seconds(least), seconds(most)

    def parse(value: str) -> float:
        return bounded(seconds(value), low, high, f"write a duration from {least} to {most}")

    return parsed(parse, "a duration", "write a duration like 250ms, 2s, 5m, 1h, 30d or 7y")


def size(least: str, most: str) -> Reader[int]:
    """Return a reader of a number of bytes within bounds: `32KB` is 32,000, `32KiB` 32,768."""
    fix = "write a size like 32KB, 10MB or 1GiB"

    def measure(value: str) -> Decimal:
        return _quantity(value, BYTES, fix)

    low, high = measure(least), measure(most)

    def parse(value: str) -> int:
        return int(bounded(measure(value), low, high, f"write a size from {least} to {most}"))

    return parsed(parse, "a size", fix)


def retention(value: str) -> float:
    """Return how long a provider keeps data, in seconds; `zero` says not at all."""
    if value == "zero":
        return 0.0
    try:
        found = seconds(value)
    except Mistake as mistake:
        raise Mistake("is neither `zero` nor a duration", "write zero, 30d or 7y") from mistake
    if found > 100 * YEAR:
        raise Mistake("must be at most 100y", "write zero, 30d or 7y")
    return found


def expiry(value: str) -> int:
    """Return the Unix second from which a key is refused: the end of that day in UTC, or the moment named."""
    fix = "write a date like 2027-06-30 (valid to the end of that day, UTC) or a time like 2027-06-30T12:00:00Z"
    if not value.isascii():
        raise Mistake("is no date", fix)
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            end = int(datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp()) + 86_400
            return min(end, LATEST_EXPIRY)
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2})", value):
            second = int(datetime.fromisoformat(value).timestamp())
        else:
            raise Mistake("is no date", fix)
    except (ValueError, OverflowError):
        raise Mistake("is no date of the calendar", fix) from None
    if second > LATEST_EXPIRY:
        raise Mistake("is after the year 9999 in UTC", fix)
    return second
