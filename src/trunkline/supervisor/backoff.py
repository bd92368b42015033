"""How long to wait before a process that died is started again."""

FIRST = 0.1
MOST = 5.0
# A process that lived this long died of something new.
FORGIVEN_AFTER = 30.0


class Backoff:
    """Doubles the wait from one quick death to the next. Seconds."""

    def __init__(self) -> None:
        self._next = FIRST

    def after(self, lived: float) -> float:
        """Return how long to wait after a process that lived so long has died."""
        if lived >= FORGIVEN_AFTER:
            self._next = FIRST
        wait, self._next = self._next, min(self._next * 2, MOST)
        return wait
