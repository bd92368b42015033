"""Drawing calls for review, so that anybody can draw them again. Pure.

All flagged calls are in where they are asked for. Of the rest, or of all calls, a part is drawn: a call's lot is the
SHA-256 of the seed, a line feed and the call's id, and those with the smallest lots are drawn, as many as the percent
of them, rounded up to a whole call. Neither the order of calls nor what else is in a queue makes a difference.
"""

import hashlib
import heapq
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from trunkline.ledger.answers import Misunderstood
from trunkline.ledger.review_answers import Why

_SCALE = 1_000  # a percent has three decimals
MOST_DRAWN = 50_000


class Drawn(NamedTuple):
    """A sample: how many calls there were, the SHA-256 of their ids (ascending, a line feed behind each), the chosen.

    `flagged` are how many of them were, `rest` among how many was drawn, `drawn` how many of these. `chosen` are those
    that were not in the queue before, `known` how many were.
    """

    population: int
    digest: str
    flagged: int
    rest: int
    drawn: int
    known: int
    chosen: dict[str, Why]


def percent_of(written: str) -> Decimal:
    """Return a percent from 0 to 100, of at most three decimals. Raises Misunderstood."""
    try:
        found = Decimal(written)
    except InvalidOperation:
        found = Decimal(-1)
    if not found.is_finite() or not 0 <= found <= 100 or (found * _SCALE) % 1:
        raise Misunderstood(f"`{written[:50]}` is no percent: write 5 or 2.5, at most three decimals, up to 100")
    return found


def size_of(rest: int, percent: Decimal) -> int:
    """Return how many of so many are drawn: the percent of them, rounded up."""
    thousandths = int(percent * _SCALE)
    return -(-rest * thousandths // (100 * _SCALE))


def lot_of(seed: str, call: str) -> int:
    """Return a call's lot."""
    return int.from_bytes(hashlib.sha256(f"{seed}\n{call}".encode()).digest())


class Draw:
    """Takes calls, in ascending order of their ids, and chooses. Bounded: raises Misunderstood beyond `most` calls."""

    def __init__(self, seed: str, percent: Decimal, *, all_flagged: bool, most: int = MOST_DRAWN) -> None:
        self._seed, self._percent, self._all_flagged, self._most = seed, percent, all_flagged, most
        self._ids = hashlib.sha256()
        self._last = ""
        self._population = self._flagged = self._rest = self._known = 0
        self._of_flagged: list[str] = []
        # The smallest lots so far, the largest of them first, each with its call and whether that is known already.
        self._lots: list[tuple[int, str, bool]] = []

    def take(self, call: str, *, flagged: bool, known: bool) -> None:
        """Take a call; `known` is one that was in the queue before. One that comes again at once counts once."""
        if call <= self._last:
            if call == self._last:
                return
            raise ValueError("calls are to come in ascending order")
        self._last = call
        self._ids.update(f"{call}\n".encode())
        self._population += 1
        self._flagged += flagged
        if flagged and self._all_flagged:
            self._choose_flagged(call, known=known)
            return
        self._rest += 1
        lot = (-lot_of(self._seed, call), call, known)
        if len(self._lots) <= self._most:
            heapq.heappush(self._lots, lot)
        else:
            heapq.heappushpop(self._lots, lot)

    def drawn(self) -> Drawn:
        """Return the sample of what was taken."""
        size = size_of(self._rest, self._percent)
        if size > self._most:
            raise Misunderstood(
                f"{self._percent} percent of {self._rest:,} calls are {size:,}, more than the {self._most:,} of one"
                " sample: choose a shorter time, one tenant, or a smaller percent"
            )
        lots = heapq.nlargest(size, self._lots)  # the smallest, for they are negative
        chosen: dict[str, Why] = dict.fromkeys(self._of_flagged, "flagged")
        chosen |= dict.fromkeys(sorted(call for _, call, known in lots if not known), "drawn")
        known = self._known + sum(known for *_, known in lots)
        return Drawn(self._population, self._ids.hexdigest(), self._flagged, self._rest, size, known, chosen)

    def _choose_flagged(self, call: str, *, known: bool) -> None:
        if known:
            self._known += 1
            return
        if len(self._of_flagged) >= self._most:
            raise Misunderstood(
                f"more than {self._most:,} flagged calls are of that time and not in the queue: choose a shorter time"
                " or one tenant"
            )
        self._of_flagged.append(call)
