"""Times on the command line: `7d` ago, a day, a moment."""

import re
import time
from datetime import UTC, datetime, tzinfo

import typer

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGO = re.compile(r"(\d{1,6})([smhdw])")


def moment(words: str | None, option: str, zone: tzinfo = UTC) -> float | None:
    """Return the Unix second that is meant, None for none; a day is one of `zone`. Raises BadParameter."""
    if words is None:
        return None
    ago = _AGO.fullmatch(words)
    if ago is not None:
        return time.time() - int(ago[1]) * SECONDS[ago[2]]
    try:
        found = datetime.fromisoformat(words)
    except ValueError:
        raise typer.BadParameter(
            f"{words[:50]!r} is no time: write how long ago (30m, 24h, 7d), a day (2027-06-30) or a moment"
            " (2027-06-30T12:00:00Z).",
            param_hint=option,
        ) from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).timestamp()
