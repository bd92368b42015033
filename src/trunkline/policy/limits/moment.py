"""A moment on both clocks."""

from math import floor
from typing import Final, final

MICROSECONDS: Final = 1_000_000


@final
class Moment:
    """The same moment in seconds of the monotonic clock, for windows, and as Unix time, for calendars.

    `microseconds` are those of the monotonic clock, rounded down: worked out once for all windows that ask.
    """

    __slots__ = ("microseconds", "monotonic", "wall")

    def __init__(self, monotonic: float, wall: float) -> None:
        self.monotonic, self.wall = monotonic, wall
        self.microseconds = floor(monotonic * MICROSECONDS)
