"""The time that a report of costs is about, and the one before it."""

import re
import time
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

import typer

from trunkline.cli.periods import moment
from trunkline.ledger.cost_answers import Span

DEFAULT_DAYS = 30
DAY = 86_400.0
_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)


def zone_of(name: str) -> tzinfo:
    """Return a time zone. Raises BadParameter."""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise typer.BadParameter(
            f"{name[:50]!r} is no time zone; write it like America/New_York.", param_hint="--tz"
        ) from None


def spans(since: str | None, until: str | None, month: str | None, zone: tzinfo) -> tuple[Span, Span]:
    """Return the time that is meant, and as much before it: of a month, the month before. Raises BadParameter."""
    if month is not None:
        if since is not None or until is not None:
            raise typer.BadParameter("--month goes without --since and --until.", param_hint="--month")
        return _months(month, zone)
    end = moment(until, "--until", zone)
    end = time.time() if end is None else end
    start = moment(since, "--since", zone)
    start = end - DEFAULT_DAYS * DAY if start is None else start
    if start >= end:
        raise typer.BadParameter("the time ends before it begins.", param_hint="--since")
    return Span(start, end), Span(start - (end - start), start)


def _months(month: str, zone: tzinfo) -> tuple[Span, Span]:
    found = _MONTH.fullmatch(month)
    if found is None or not 1970 < int(found[1]) < 9999:
        raise typer.BadParameter(f"{month[:50]!r} is no month; write it like 2026-06.", param_hint="--month")
    count = int(found[1]) * 12 + int(found[2]) - 1
    before, start, end = (_first_second(count + n, zone) for n in (-1, 0, 1))
    return Span(start, end), Span(before, start)


def _first_second(months: int, zone: tzinfo) -> float:
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=zone).timestamp()
