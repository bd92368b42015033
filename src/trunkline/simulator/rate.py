"""A sliding window of calls: what a provider's own rate limit looks like from outside."""

from collections import deque
from typing import NamedTuple

from trunkline.simulator.script import RateLimit


class Standing(NamedTuple):
    """What an answer's headers say: calls in all, calls left, and the seconds until all of them are there again."""

    limit: int
    remaining: int
    reset: float


class RateWindow:
    """Counts the calls it let through. Pure: the caller says what time it is (seconds, any origin)."""

    def __init__(self) -> None:
        self._taken: deque[float] = deque()

    def take(self, limit: RateLimit, now: float) -> float | None:
        """Let a call through and return None, or return the seconds until the next one would be."""
        self._forget(limit, now)
        if len(self._taken) < limit.calls:
            self._taken.append(now)
            return None
        if not self._taken:
            return limit.window
        return self._taken[-limit.calls] + limit.window - now

    def standing(self, limit: RateLimit, now: float) -> Standing:
        """Return how the account stands."""
        self._forget(limit, now)
        reset = self._taken[-1] + limit.window - now if self._taken else 0.0
        return Standing(limit.calls, max(0, limit.calls - len(self._taken)), reset)

    def _forget(self, limit: RateLimit, now: float) -> None:
        while self._taken and self._taken[0] <= now - limit.window:
            self._taken.popleft()
