"""Deadlines of one call, on one timer: the whole call's, and that of the stage it is in."""

import asyncio
from typing import Final

FAR: Final = float("inf")


class DeadlinePassed(Exception):
    """A deadline ran out; `stage` names it: `total`, `first_token` or `gap`."""

    def __init__(self, stage: str) -> None:
        super().__init__(stage)
        self.stage = stage


class Watch:
    """Cancels its task when a deadline passes; `passed` then tells that cancellation from any other.

    Moving a deadline further out costs an assignment: the timer looks again when it fires. Times are the event
    loop's seconds.
    """

    __slots__ = ("_fires_at", "_loop", "_stage", "_stage_at", "_task", "_timer", "_total_at", "expired")

    def __init__(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[None], total: float) -> None:
        self._loop, self._task = loop, task
        self._total_at = self._fires_at = loop.time() + total
        self._stage, self._stage_at = "", FAR
        self.expired: str | None = None
        self._timer = loop.call_at(self._fires_at, self._fire)

    def enter(self, stage: str, seconds: float) -> None:
        """Begin a stage that may last this long; the one before is over."""
        self._stage, self._stage_at = stage, self._loop.time() + seconds
        if self._stage_at < self._fires_at:
            self._timer.cancel()
            self._fires_at = self._stage_at
            self._timer = self._loop.call_at(self._fires_at, self._fire)

    def leave(self) -> None:
        """End the stage; only the total deadline holds."""
        self._stage_at = FAR

    def stop(self) -> None:
        """End all deadlines."""
        self._timer.cancel()

    def remaining(self) -> float:
        """Return the seconds until the total deadline, at least 0."""
        return max(0.0, self._total_at - self._loop.time())

    def passed(self) -> DeadlinePassed | None:
        """Return the deadline behind a CancelledError just caught, or None if somebody else cancelled the task."""
        if self.expired is None or self._task.uncancel() > 0:
            return None
        stage, self.expired = self.expired, None
        return DeadlinePassed(stage)

    def _fire(self) -> None:
        now = self._loop.time()
        if now >= self._total_at:
            self.expired = "total"
        elif now >= self._stage_at:
            self.expired = self._stage
            self._stage_at = FAR
        if self.expired is not None:
            self._task.cancel()
        if self.expired != "total":
            self._fires_at = min(self._total_at, self._stage_at)
            self._timer = self._loop.call_at(self._fires_at, self._fire)
