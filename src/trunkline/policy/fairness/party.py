"""A party to a provider's capacity, a tenant or one of its users: what it has taken lately, and when it last asked.

Kept coarse, because there are many: what a party takes goes into the tenth of a window that it is taken in, and counts
until a whole window after that tenth's end. So a party never holds more than is counted, and what it holds is forgotten
six seconds late at most. The hard promise, that a provider is sent no more than its capacity, does not rest on this.
"""

from typing import Final, final

WINDOW: Final = 60  # seconds: providers limit by the minute
PARTS: Final = 10
MICROSECONDS: Final = 1_000_000
WIDTH: Final = WINDOW * MICROSECONDS // PARTS

REQUESTS: Final = 1  # places within an entry
TOKENS: Final = 2
ENTRY: Final = 3


def part_of(now: float) -> int:
    """Return the number of the part that this monotonic second lies in."""
    return int(now * MICROSECONDS) // WIDTH


@final
class Party:
    """What one party holds. `seen` is the minute in which it last asked."""

    __slots__ = ("_entries", "seen")

    def __init__(self, seen: int) -> None:
        self.seen = seen
        self._entries: list[int] = []  # part, requests, tokens; part, requests, tokens; ... in one list, to be small

    def take(self, requests: int, tokens: int, part: int) -> int:
        """Count units as taken in this part; return the part that they are counted in."""
        entries = self._entries
        if not entries:
            self._entries = [part, requests, tokens]
            return part
        if entries[-ENTRY] < part:
            entries += (part, requests, tokens)
            return part
        entries[-ENTRY + REQUESTS] += requests
        entries[-ENTRY + TOKENS] += tokens
        return entries[-ENTRY]

    def give_back(self, requests: int, tokens: int, part: int) -> None:
        """Take units out of the part that they were counted in, unless it is forgotten already."""
        entries = self._entries
        for place in range(len(entries) - ENTRY, -1, -ENTRY):
            if entries[place] == part:
                entries[place + REQUESTS] = max(0, entries[place + REQUESTS] - requests)
                entries[place + TOKENS] = max(0, entries[place + TOKENS] - tokens)
                return

    def holds(self, measure: int, now: float) -> int:
        """Return the requests or tokens that count now."""
        self._forget(part_of(now))
        return sum(self._entries[measure::ENTRY])

    def wait(self, measure: int, units: int, limit: int, now: float) -> float:
        """Return the seconds until so many more units are within the limit, 0.0 if they are now.

        More than the limit is within it where nothing else is held: a large call has to be possible at some time.
        """
        excess = self.holds(measure, now) + min(units, limit) - limit
        if excess <= 0:
            return 0.0
        place = -ENTRY
        while excess > 0:
            place += ENTRY
            excess -= self._entries[place + measure]
        return ((self._entries[place] + 1 + PARTS) * WIDTH - int(now * MICROSECONDS) + 1) / MICROSECONDS

    def _forget(self, part: int) -> None:
        entries = self._entries
        gone = 0
        while gone < len(entries) and entries[gone] + 1 + PARTS <= part:
            gone += ENTRY
        if gone:
            self._entries = entries[gone:]
