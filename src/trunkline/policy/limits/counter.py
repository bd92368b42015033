"""What every counter can do, whichever way it forgets."""

from typing import Final

from trunkline.policy.limits.moment import Moment

# Nobody knows when a call will end. One that waits for what running calls hold had better ask again soon. Seconds.
ASK_AGAIN: Final = 1.0


class Counter:
    """Units in use by one owner under one rule.

    The limit is an argument, not a member: a reload may change it, and what has been used stays used. A counter that
    is `idle` can be thrown away: a new one would say the same. `holders` counts the reservations that have not ended.
    """

    __slots__ = ("holders",)

    def __init__(self) -> None:
        self.holders = 0

    def used(self, now: Moment) -> int:
        """Return the units that count at this moment."""
        raise NotImplementedError

    def fits(self, units: int, limit: int, now: Moment) -> bool:
        """Return whether so many more units fit now: whether `wait` would say 0.0."""
        raise NotImplementedError

    def wait(self, units: int, limit: int, now: Moment) -> float:
        """Return the seconds until so many more units fit: 0.0 if they do now, infinity if they never will."""
        raise NotImplementedError

    def reset(self, now: Moment) -> float:
        """Return the seconds until nothing is in use any more, if nothing more is taken."""
        raise NotImplementedError

    def take(self, units: int, now: Moment) -> int:
        """Reserve units, fit or not; the mark returned says where they count, and is due back with them."""
        raise NotImplementedError

    def settle(self, mark: int, reserved: int, used: int, now: Moment) -> None:
        """End a reservation: of the units reserved so many were used; what is above them is charged now."""
        raise NotImplementedError

    def release(self, mark: int, reserved: int, now: Moment) -> None:
        """Undo a reservation: it never was."""
        raise NotImplementedError

    def follow(self, fresh: "Counter") -> None:
        """Go on as a new counter of this rule would after a reload."""

    def idle(self, now: Moment) -> bool:
        """Return whether nothing is in use or owed."""
        raise NotImplementedError

    def state(self, now: Moment) -> list[tuple[float, int]]:
        """Return what would be lost with this process: pairs of (seconds until they no longer count, units)."""
        raise NotImplementedError

    def restore(self, seconds: float, units: int, now: Moment) -> None:
        """Count one pair of a state again, of which so many seconds are left."""
        raise NotImplementedError
