"""What a provider says is left, carried on from one answer to the next.

Providers refill as they are used (OpenAI and Anthropic both, by a token bucket): what is missing comes back evenly
until all of it is there, and they say when that is. So what is left now is what was left then, less what has been asked
since, more by the time that has gone by. That is a prediction, not a promise: it knows of others who use the same
account, and it never ends in silence, because it fills again without any answer.
"""

from typing import Final, final

WINDOW: Final = 60.0  # seconds until all is there again, where a provider does not say
SHORTEST_RESET: Final = 0.001  # seconds; a provider's clock or our parsing may be wrong
LONGEST_RESET: Final = 3600.0
STALE: Final = 900.0  # seconds: what has not been said for so long no longer holds
RESERVE: Final = 5  # the last fifth is for parties below their share
_ROUNDING: Final = 1e-6


@final
class Told:
    """One measure of one account and model. `spent` are the units asked so far, whatever the provider said of them."""

    __slots__ = ("_at", "_heard_at", "_level", "_limit", "_rate", "_spent_then", "spent")

    def __init__(self) -> None:
        self.spent = 0
        self._spent_then = 0
        self._limit = 0
        self._heard_at = 0.0
        self._level = 0.0  # what was left at `_at`, and how much of it comes back a second
        self._at = 0.0
        self._rate = 0.0

    def hear(self, limit: int, remaining: int, reset: float | None, spent_then: int, now: float) -> None:
        """Take what an answer says; `spent_then` is `spent` as it was once that call had been asked.

        News of a call that was asked before the one heard of last is old, and changes nothing.
        """
        if spent_then < self._spent_then:
            return
        missing = limit - remaining
        since = self.spent - spent_then
        self._limit, self._spent_then, self._heard_at, self._at = limit, spent_then, now, now
        self._level = float(max(remaining - since, -limit))
        self._rate = limit / WINDOW
        if missing > 0 and reset is not None and reset > 0:
            self._rate = missing / min(max(reset, SHORTEST_RESET), LONGEST_RESET)

    def limit(self, now: float) -> int:
        """Return the limit as the provider said it last, 0 where it has said none lately."""
        return self._limit if now - self._heard_at < STALE else 0

    def left(self, now: float) -> float:
        """Return what the provider will probably still take; below 0 where too much has been asked already."""
        return min(self._level + self._rate * max(now - self._at, 0.0), float(self._limit))

    def used(self, now: float) -> int:
        """Return how much of the limit is in use."""
        return self._limit - int(max(self.left(now), 0.0))

    def low(self, now: float) -> bool:
        """Return whether little is left, so that every answer's word counts."""
        return self._limit > 0 and self.left(now) * RESERVE <= self._limit

    def spend(self, units: int, now: float) -> int:
        """Take note that units are asked for; return `spent`, which `hear` wants with the answer."""
        self.spent += units
        if self._limit:
            self._level = max(self.left(now) - units, -float(self._limit))
            self._at = now
        return self.spent

    def give_back(self, units: int) -> None:
        """Take note that what was spent has never left."""
        self._level = min(self._level + units, float(self._limit))

    def wait(self, units: int, now: float, *, reserve: bool = False) -> float:
        """Return the seconds until the provider takes so many units, 0.0 if it does now.

        With `reserve`, until it takes them and a fifth of its limit is left. What is above the limit needs all of it.
        """
        limit = self.limit(now)
        if limit == 0:
            return 0.0
        missing = min(units + (limit // RESERVE if reserve else 0), limit) - self.left(now)
        if missing <= _ROUNDING * self._rate:
            return 0.0
        return min(missing / self._rate + _ROUNDING, self._heard_at + STALE - now)
