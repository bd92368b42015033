"""When to open idle connections ahead of need, and how to slow down when that does not work. Knows no socket."""

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
# Connections that last this long show that the provider is well, so the next failure starts with a short pause again.
SETTLED = 10.0


class Warmth:
    """Decides how many connections to open so that `wanted` idle ones are at hand. Times in seconds on one clock."""

    __slots__ = ("_not_before", "_pause", "_trouble_at", "wanted")

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self._pause = 0.0
        self._not_before = 0.0
        self._trouble_at = 0.0

    def shortage(self, now: float, at_hand: int) -> int:
        """Return how many to open now, when `at_hand` are idle or being opened."""
        if now < self._not_before:
            return 0
        return max(0, self.wanted - at_hand)

    def failed(self, now: float) -> None:
        """One could not be opened, or did not last: wait before the next, twice as long each time.

        Failures within one pause count as one.
        """
        if now < self._not_before:
            return
        if now - self._trouble_at > self._pause + SETTLED:
            self._pause = 0.0
        self._pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, self._pause * 2))
        self._trouble_at = now
        self._not_before = now + self._pause
