# ruff: noqa: ARG002  slots need neither clocks nor marks, which other counters do
"""Calls at the same time."""

from math import inf
from typing import final

from trunkline.policy.limits.counter import ASK_AGAIN, Counter
from trunkline.policy.limits.moment import Moment


@final
class Gauge(Counter):
    """Counts slots that are taken; each is free again the moment its call ends."""

    __slots__ = ("_taken",)

    def __init__(self) -> None:
        super().__init__()
        self._taken = 0

    def used(self, now: Moment) -> int:
        """Return the slots taken."""
        return self._taken

    def fits(self, units: int, limit: int, now: Moment) -> bool:
        """Return whether there are so many slots."""
        return self._taken + units <= limit

    def wait(self, units: int, limit: int, now: Moment) -> float:
        """Return 0.0 if there are so many slots, infinity if there never will be, else a second."""
        if self._taken + units <= limit:
            return 0.0
        return inf if units > limit else ASK_AGAIN

    def reset(self, now: Moment) -> float:
        """Return a second while slots are taken."""
        return ASK_AGAIN if self._taken else 0.0

    def take(self, units: int, now: Moment) -> int:
        """Take slots."""
        self._taken += units
        return 0

    def settle(self, mark: int, reserved: int, used: int, now: Moment) -> None:
        """Free the slots of a call that has ended."""
        self._taken -= reserved

    def release(self, mark: int, reserved: int, now: Moment) -> None:
        """Free slots."""
        self._taken -= reserved

    def idle(self, now: Moment) -> bool:
        """Return whether no slot is taken."""
        return self._taken == 0

    def state(self, now: Moment) -> list[tuple[float, int]]:
        """Return nothing: the calls that hold slots end with their process."""
        return []

    def restore(self, seconds: float, units: int, now: Moment) -> None:
        """Do nothing."""
