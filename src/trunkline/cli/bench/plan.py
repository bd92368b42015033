"""What the load generator is told on its standard input, and what it answers on its standard output."""

import math
from collections.abc import Sequence

import msgspec


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A closed loop: each of `callers` sends its next call when the last one has ended.

    With `stream` the callers begin spread over `spread` seconds, as real ones do. It ends `seconds` after the last one
    has begun, or after `calls` where that is not None; calls in flight are waited for. `deltas` is how many a whole
    answer has.
    """

    host: str
    port: int
    key: str
    model: str
    callers: int
    deltas: int
    seconds: float = 5.0
    calls: int | None = None
    stream: bool = False
    spread: float = 1.3

    @property
    def limit(self) -> float:
        """How long new calls are begun, in seconds; a hundred a second is too slow for a count."""
        if self.calls is not None:
            return self.calls / 100
        return self.seconds + (self.spread if self.stream else 0.0)

    def __repr__(self) -> str:
        kind = "streams" if self.stream else "calls"
        return f"LoadPlan({self.callers} callers, {kind} to {self.host}:{self.port})"


class Spread(msgspec.Struct, frozen=True):
    """How a figure is distributed over the calls; milliseconds. None where nothing was measured."""

    p50: float | None
    p99: float | None
    most: float | None


class LoadResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `first` and `gaps` are of streams: to the first token, and between one token and the next.

    Calls that were `failed` or `lost` (streams that began and did not come whole) are in no other figure.
    """

    answered: int
    seconds: float
    took: Spread
    first: Spread
    gaps: Spread
    lost: int
    failed: dict[str, int]
    sample: str | None = None

    @property
    def per_second(self) -> float:
        """Calls answered a second."""
        return self.answered / self.seconds if self.seconds > 0 else 0.0

    @property
    def amiss(self) -> int:
        """Calls that were not answered whole."""
        return self.lost + sum(self.failed.values())


def spread(seconds: Sequence[float]) -> Spread:
    """Return the quantiles (nearest rank) of times in seconds, as milliseconds."""
    ordered = sorted(seconds)
    return Spread(_quantile(ordered, 0.5), _quantile(ordered, 0.99), _quantile(ordered, 1.0))


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)] * 1000, 3)
