"""A sliding window of calls: what a provider's own rate limit looks like from outside."""

from collections import deque

from trunkline.simulator.script import RateLimit


class RateWindow:
    """Counts the calls it let through. Pure: the caller says what time it is (seconds, any origin)."""

    def __init__(self) -> None:
        self._taken: deque[float] = deque()

    def take(self, limit: RateLimit, now: float) -> float | None:
        """Let a call through and return None, or return the seconds until the next one would be."""
        while self._taken and self._taken[0] <= now - limit.window:
            self._taken.popleft()
        if len(self._taken) < limit.calls:
            self._taken.append(now)
            return None
        if not self._taken:
            return limit.window
        return self._taken[-limit.calls] + limit.window - now
