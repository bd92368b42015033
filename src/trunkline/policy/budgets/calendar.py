"""Periods of a calendar: days, weeks and months of a time zone, and the one period that never ends.

A day begins at midnight of the local clock: where the clock shows it twice, at the first of the two; where it skips it,
when it has moved on. So days have 23, 24 or 25 hours, or what a time zone has made of them, and no moment is in two of
them or in none. Weeks begin on Monday (ISO 8601), months on their first day.
"""

from datetime import UTC, date, datetime, timedelta, tzinfo
from math import inf
from typing import Final, Literal, final
from zoneinfo import ZoneInfo

Per = Literal["day", "week", "month", "total"]
# Unix seconds between which every period has a beginning and an end that a calendar of a computer can name.
EARLIEST: Final = 0.0
LATEST: Final = 253_370_000_000.0  # in December 9998
DAY: Final = timedelta(days=1)
LONGEST_MONTH: Final = timedelta(days=31)


@final
class Period:
    """From `start` until before `end`, Unix seconds; `number` tells it from the others of its calendar."""

    __slots__ = ("end", "number", "start")

    def __init__(self, start: float, end: float, number: int) -> None:
        self.start, self.end, self.number = start, end, number


@final
class Calendar:
    """The periods of one kind in one time zone (a name of the IANA database; raises LookupError for none).

    It remembers the period that it was asked for last: while the time stays inside, asking costs two comparisons.
    """

    __slots__ = ("_last", "_per", "_zone")

    def __init__(self, per: Per, time_zone: str) -> None:
        self._per = per
        # Where a machine has no database, UTC is known nevertheless.
        zone: tzinfo = UTC if time_zone == "UTC" else ZoneInfo(time_zone)
        self._zone = zone
        self._last = Period(-inf, inf, 0) if per == "total" else Period(inf, inf, 0)

    def period(self, wall: float) -> Period:
        """Return the period of a Unix time."""
        if not self._last.start <= wall < self._last.end:
            self._last = self._find(min(max(wall, EARLIEST), LATEST))
        return self._last

    def _find(self, wall: float) -> Period:
        first = self._first_day(datetime.fromtimestamp(wall, self._zone).date())
        after = self._next(first)
        # The local clock may have gone back over midnight: then it shows a day whose period is over.
        while wall >= self._begin(after):
            first, after = after, self._next(after)
        return Period(self._begin(first), self._begin(after), first.toordinal())

    def _first_day(self, day: date) -> date:
        """Return the first day of the period that a day is in."""
        if self._per == "week":
            return day - DAY * day.weekday()
        return day.replace(day=1) if self._per == "month" else day

    def _next(self, first: date) -> date:
        """Return the first day of the period after the one that begins with a day."""
        if self._per == "week":
            return first + DAY * 7
        return (first + LONGEST_MONTH).replace(day=1) if self._per == "month" else first + DAY

    def _begin(self, day: date) -> float:
        return datetime(day.year, day.month, day.day, tzinfo=self._zone).timestamp()
