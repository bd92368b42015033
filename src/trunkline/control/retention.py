"""Which segments of a log have expired: all that is in them has, and nothing of it must be kept otherwise. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """A sealed segment: its records are those from `first` on, up to before `following`.

    `newest` is by tenant (None for what is nobody's) the time of its last record, a Unix second. `holds` are those that
    keep something of it, `open` how many calls were open when it was sealed.
    """

    first: int
    following: int
    size: int
    newest: Mapping[str | None, float]
    holds: Sequence[str] = ()
    open: int = 0


class Expired(NamedTuple):
    """How many `segments` of a log may go, and why the next one stays: holds, or the time until then."""

    segments: int
    holds: Sequence[str] = ()
    until: float | None = None


# A call that was open when a segment was sealed has long ended when all in it has expired. The record of what has
# expired names it: with more of them a segment waits for the next.
MOST_OPEN = 500


def expired(spans: Sequence[Span], kept_for: Callable[[str | None], float], now: float) -> Expired:
    """Return how many segments, the oldest first, have expired; `kept_for` is by tenant how many seconds."""
    count = 0
    for place, span in enumerate(spans):
        until = max((newest + kept_for(tenant) for tenant, newest in span.newest.items()), default=now)
        if until > now:
            return Expired(count, (), until)
        if span.holds:
            return Expired(count, span.holds)
        if span.open <= MOST_OPEN:
            count = place + 1
    return Expired(count)
