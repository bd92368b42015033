"""Deadlines of calls: the whole call's, and that of the stage it is in; those of all calls are on one timer."""

import asyncio
from typing import Final, final

FAR: Final = float("inf")
LOOK_EVERY: Final = 0.02  # seconds: how late a deadline may pass


class DeadlinePassed(Exception):
    """A deadline ran out; `stage` names it: `total`, `first_token` or `gap`."""

    def __init__(self, stage: str) -> None:
        super().__init__(stage)
        self.stage = stage


@final
class Deadlines:
    """The watches of all calls of one event loop, looked at in turn while there are any.

    A timer for each would be made and thrown away with every call, and hardly one of them ever fires.
    """

    __slots__ = ("_timer", "_watches", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._watches: set[Watch] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, watch: "Watch") -> None:
        """Look at this watch from here on."""
        self._watches.add(watch)
        if self._timer is None:
            self._timer = self.loop.call_later(LOOK_EVERY, self._look)

    def remove(self, watch: "Watch") -> None:
        """Look at it no more."""
        self._watches.discard(watch)

    def _look(self) -> None:
        now = self.loop.time()
        for watch in list(self._watches):
            watch.look(now)
        self._timer = self.loop.call_later(LOOK_EVERY, self._look) if self._watches else None


@final
class Watch:
    """Cancels its task when a deadline passes; `passed` then tells that cancellation from any other.

    Moving a deadline costs an assignment. Times are the event loop's seconds.
    """

    __slots__ = ("_deadlines", "_loop", "_stage", "_stage_at", "_task", "_total_at", "expired")

    def __init__(self, deadlines: Deadlines, task: asyncio.Task[None], total: float) -> None:
        self._deadlines, self._loop, self._task = deadlines, deadlines.loop, task
        self._total_at = self._loop.time() + total
        self._stage, self._stage_at = "", FAR
        self.expired: str | None = None
        deadlines.add(self)

    def enter(self, stage: str, seconds: float) -> None:
        """Begin a stage that may last this long; the one before is over."""
        self._stage, self._stage_at = stage, self._loop.time() + seconds

    def leave(self) -> None:
        """End the stage; only the total deadline holds."""
        self._stage_at = FAR

    def stop(self) -> None:
        """End all deadlines."""
        self._deadlines.remove(self)

    def remaining(self) -> float:
        """Return the seconds until the total deadline, at least 0."""
        return max(0.0, self._total_at - self._loop.time())

    def passed(self) -> DeadlinePassed | None:
        """Return the deadline behind a CancelledError just caught, or None if somebody else cancelled the task."""
        if self.expired is None or self._task.uncancel() > 0:
            return None
        stage, self.expired = self.expired, None
        return DeadlinePassed(stage)

    def look(self, now: float) -> None:
        """Cancel the task if a deadline has passed by `now`, once for each."""
        if now >= self._total_at:
            self.expired = "total"
            self._deadlines.remove(self)
        elif now >= self._stage_at:
            self.expired = self._stage
            self._stage_at = FAR
        else:
            return
        self._task.cancel()
