"""A moment on both clocks."""

from typing import final


@final
class Moment:
    """The same moment in seconds of the monotonic clock, for windows, and as Unix time, for calendars."""

    __slots__ = ("monotonic", "wall")

    def __init__(self, monotonic: float, wall: float) -> None:
        self.monotonic, self.wall = monotonic, wall
