"""How long flushes took, as a histogram that a metrics page can show."""

from bisect import bisect_left

# Upper bounds in seconds; a last bucket takes what is longer.
BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
NANOSECONDS = 1e9


class FlushTimes:
    """Counts flushes by duration; one thread adds, others may read."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0
        self.total_seconds = 0.0
        self.last_seconds = 0.0

    def add(self, nanoseconds: int) -> None:
        """Count one flush."""
        seconds = nanoseconds / NANOSECONDS
        self.last_seconds = seconds
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += 1
        self.total_seconds += seconds
