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
NEVER: Final = 1 << 61  # microseconds; nothing is to be forgotten before


@final
class Window(Counter):
    """Counts units over the last `span` whole seconds.

    Only sub-buckets in which something was taken cost memory: numbers ascending in `_buckets`, units beside them. The
    newest is kept apart, for nearly all is taken there: `_newest`, with `_open` units, none where that is 0. Nothing is
    to be forgotten before microsecond `_until`.
    """

    __slots__ = ("_buckets", "_newest", "_open", "_span", "_total", "_units", "_until", "_width")

    def __init__(self, span: int) -> None:
        super().__init__()
        self._span = span * MICROSECONDS
        self._width = self._span // PARTS
        self._buckets: list[int] = []
        self._units: list[int] = []
        self._newest = self._open = self._total = 0
        self._until = NEVER

    @property
    def seconds(self) -> int:
        """The window's length."""
        return self._span // MICROSECONDS

    def used(self, now: Moment) -> int:
        """Return the units that count at this moment."""
        if now.microseconds >= self._until:
            self._forget(now.microseconds)
        return self._total

    def fits(self, units: int, limit: int, now: Moment) -> bool:
        """Return whether so many more units fit now."""
        if now.microseconds >= self._until:
            self._forget(now.microseconds)
        return self._total + units <= limit

    def wait(self, units: int, limit: int, now: Moment) -> float:
        """Return the seconds until so many more units fit: 0.0 if they do now, infinity if they never will."""
        if self.fits(units, limit, now):
            return 0.0
        if units > limit:
            return inf
        left = self._total + units - limit
        for position, bucket in enumerate(self._buckets):
            left -= self._units[position]
            if left <= 0:
                return self._until_forgotten(bucket, now.microseconds)
        return self._until_forgotten(self._newest, now.microseconds)

    def reset(self, now: Moment) -> float:
        """Return the seconds until nothing is in use any more, if nothing more is taken."""
        if self.used(now) == 0:
            return 0.0
        return self._until_forgotten(self._last(), now.microseconds)

    def take(self, units: int, now: Moment) -> int:
        """Count units in the sub-bucket of this moment, whose number is returned.

        The moment may lie ahead: what is lent until then counts from now on, and until a window after that.
        """
        bucket = now.microseconds // self._width
        if bucket == self._newest and self._open > 0 and units > 0:
            self._open += units
            self._total += units
        else:
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
        if mark == self._newest and self._open > 0:
            back = min(reserved, self._open)
            self._open -= back
            self._total -= back
        else:
            self._release_older(mark, reserved)
        if self._total == 0:
            self._until = NEVER

    def idle(self, now: Moment) -> bool:
        """Return whether nothing is in use."""
        return self.used(now) == 0

    def state(self, now: Moment) -> list[tuple[float, int]]:
        """Return, for each sub-bucket, the seconds that it still counts and its units."""
        at = now.microseconds
        self._forget(at)
        found = [(self._until_forgotten(b, at), self._units[i]) for i, b in enumerate(self._buckets)]
        if self._open > 0:
            found.append((self._until_forgotten(self._newest, at), self._open))
        return found

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
        self._total += units
        self._until = min(self._until, (bucket + 1) * self._width + self._span)
        if self._open > 0 and bucket == self._newest:
            self._open += units
        elif bucket <= self._last():
            self._add_older(bucket, units)
        else:
            if self._open > 0:
                self._buckets.append(self._newest)
                self._units.append(self._open)
            self._newest, self._open = bucket, units

    def _last(self) -> int:
        """Return the number of the newest sub-bucket in use, one below all for none."""
        if self._open > 0:
            return self._newest
        return self._buckets[-1] if self._buckets else -NEVER

    def _add_older(self, bucket: int, units: int) -> None:
        position = len(self._buckets)
        while position > 0 and self._buckets[position - 1] > bucket:
            position -= 1
        if position > 0 and self._buckets[position - 1] == bucket:
            self._units[position - 1] += units
        else:
            self._buckets.insert(position, bucket)
            self._units.insert(position, units)

    def _release_older(self, mark: int, reserved: int) -> None:
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

    def _forget(self, at: int) -> None:
        """Drop the sub-buckets that no longer count at this microsecond."""
        past = at - self._span  # what ends until then
        while self._buckets and (self._buckets[0] + 1) * self._width <= past:
            self._total -= self._units[0]
            del self._buckets[0], self._units[0]
        if not self._buckets and self._open > 0 and (self._newest + 1) * self._width <= past:
            self._total -= self._open
            self._open = 0
        oldest = self._buckets[0] if self._buckets else self._newest
        self._until = (oldest + 1) * self._width + self._span if self._total > 0 else NEVER

    def _until_forgotten(self, bucket: int, at: int) -> float:
        return ((bucket + 1) * self._width + self._span - at + 1) / MICROSECONDS
