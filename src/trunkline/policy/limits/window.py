# ruff: noqa: ARG002  giving back needs no clock here; for other counters it does
"""A sliding window: no interval of its length, wherever it starts, contains more than the limit.

What is taken goes into the sub-bucket of its moment, and counts until a whole window after that sub-bucket's end: never
shorter than a window, and longer by one sub-bucket at most. So the promise is kept without a timestamp per call, and
with forty sub-buckets more than 97 % of the limit can be used. Whole microseconds, rounded to the safe side.
"""

from math import inf
from typing import Final, final

from trunkline.policy.limits.counter import Counter
from trunkline.policy.limits.moment import MICROSECONDS, Moment

PARTS: Final = 40


@final
class Window(Counter):
    """Counts units over the last `span` whole seconds.

    Only sub-buckets in which something was taken cost memory: numbers ascending in `_buckets`, units beside them.
    """

    __slots__ = ("_buckets", "_span", "_total", "_units", "_width")

    def __init__(self, span: int) -> None:
        super().__init__()
        self._span = span * MICROSECONDS
        self._width = self._span // PARTS
        self._buckets: list[int] = []
        self._units: list[int] = []
        self._total = 0

    @property
    def seconds(self) -> int:
        """The window's length."""
        return self._span // MICROSECONDS

    def used(self, now: Moment) -> int:
        """Return the units that count at this moment."""
        self._forget(now.microseconds)
        return self._total

    def wait(self, units: int, limit: int, now: Moment) -> float:
        """Return the seconds until so many more units fit: 0.0 if they do now, infinity if they never will."""
        at = now.microseconds
        self._forget(at)
        left = self._total + units - limit
        if left <= 0:
            return 0.0
        if units > limit:
            return inf
        position = 0
        while left > 0 and position < len(self._units):
            left -= self._units[position]
            position += 1
        return self._until_forgotten(self._buckets[position - 1], at)

    def reset(self, now: Moment) -> float:
        """Return the seconds until nothing is in use any more, if nothing more is taken."""
        at = now.microseconds
        self._forget(at)
        return self._until_forgotten(self._buckets[-1], at) if self._buckets else 0.0

    def take(self, units: int, now: Moment) -> int:
        """Count units in the sub-bucket of this moment, whose number is returned.

        The moment may lie ahead: what is lent until then counts from now on, and until a window after that.
        """
        bucket = now.microseconds // self._width
        self._add(bucket, units)
        return bucket

    def settle(self, mark: int, reserved: int, used: int, now: Moment) -> None:
        """Give back what was reserved too much, where it was taken; charge what was too little now."""
        if used < reserved:
            self.release(mark, reserved - used, now)
        elif used > reserved:
            self.take(used - reserved, now)

    def release(self, mark: int, reserved: int, now: Moment) -> None:
        """Take units out of their sub-bucket, unless it is forgotten already."""
        position = len(self._buckets) - 1
        while position >= 0 and self._buckets[position] > mark:
            position -= 1
        if position < 0 or self._buckets[position] != mark:
            return
        back = min(reserved, self._units[position])
        self._total -= back
        if back < self._units[position]:
            self._units[position] -= back
        else:
            del self._buckets[position], self._units[position]

    def idle(self, now: Moment) -> bool:
        """Return whether nothing is in use."""
        self._forget(now.microseconds)
        return not self._buckets

    def state(self, now: Moment) -> list[tuple[float, int]]:
        """Return, for each sub-bucket, the seconds that it still counts and its units."""
        at = now.microseconds
        self._forget(at)
        return [(self._until_forgotten(b, at), self._units[i]) for i, b in enumerate(self._buckets)]

    def restore(self, seconds: float, units: int, now: Moment) -> None:
        """Count units for at least so many seconds, but for no longer than if they were taken now."""
        if seconds <= 0:
            return
        at = now.microseconds
        end = at + int(seconds * MICROSECONDS) + 1 - self._span
        self._add(min(-(-end // self._width) - 1, at // self._width), units)

    def _add(self, bucket: int, units: int) -> None:
        if units <= 0:
            return
        position = len(self._buckets)
        while position > 0 and self._buckets[position - 1] > bucket:
            position -= 1
        self._total += units
        if position > 0 and self._buckets[position - 1] == bucket:
            self._units[position - 1] += units
        else:
            self._buckets.insert(position, bucket)
            self._units.insert(position, units)

    def _forget(self, at: int) -> None:
        """Drop the sub-buckets that no longer count at this microsecond."""
        while self._buckets and (self._buckets[0] + 1) * self._width + self._span <= at:
            self._total -= self._units[0]
            del self._buckets[0], self._units[0]

    def _until_forgotten(self, bucket: int, at: int) -> float:
        return ((bucket + 1) * self._width + self._span - at + 1) / MICROSECONDS
