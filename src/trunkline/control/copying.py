"""Copying control's checkpoint to other places: beside everything else, and never waited for by what signs."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path

from trunkline.audit.files.checkpoint_copies import CopyDiffers, keep_copy
from trunkline.audit.files.settings import CorruptLog
from trunkline.operations import OperationalLog

EVERY = 60.0  # seconds between copies
AT_THE_END = 5.0  # seconds that the last one may take: the supervisor does not wait for long


class Copying:
    """Copies to each of the places that `places` returns; one that is slow delays only itself. Use from one thread.

    `checkpoint` returns the text of the checkpoint that is in force, None where there is none yet.
    """

    def __init__(
        self, places: Callable[[], Sequence[str]], checkpoint: Callable[[], str | None], log: OperationalLog
    ) -> None:
        self._places, self._checkpoint, self._log = places, checkpoint, log
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self._running: dict[str, Future[None]] = {}
        self._done: dict[str, float] = {}
        self._failing: dict[str, str] = {}
        self._next = 0.0
        self._began = time.monotonic()

    @property
    def lag_seconds(self) -> dict[str, float]:
        """How long ago the last copy was made, by place; since the start where there is none."""
        now = time.monotonic()
        return {place: now - self._done.get(place, self._began) for place in self._places()}

    def look(self) -> None:
        """Begin the next copies, if it is time for that, and say what became of the last. Does not wait."""
        self._collect()
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY
            self._begin()

    def finish(self) -> None:
        """Make the last copies; what takes too long is left."""
        give_up = time.monotonic() + AT_THE_END
        self._await(give_up)
        self._begin()
        self._await(give_up)
        for thread in self._threads.values():
            thread.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        """Begin to copy to each place that is not busy with the copy before."""
        places = self._places()
        try:
            note = self._checkpoint() if places else None
        except (CorruptLog, OSError):
            return  # who signs says what is wrong with it
        if note is None:
            return
        day = datetime.now(UTC).strftime("%Y-%m-%d")
        origin, size, _ = note.split("\n", 2)
        for place in places:
            if place not in self._running:
                thread = self._threads.setdefault(place, ThreadPoolExecutor(1, "copies"))
                self._running[place] = thread.submit(keep_copy, Path(place), origin, int(size), day, note)

    def _await(self, give_up: float) -> None:
        wait(self._running.values(), max(0.0, give_up - time.monotonic()))
        self._collect()

    def _collect(self) -> None:
        for place, running in list(self._running.items()):
            if running.done():
                del self._running[place]
                self._ended(place, running.exception())

    def _ended(self, place: str, error: BaseException | None) -> None:
        if error is None:
            self._done[place] = time.monotonic()
            if self._failing.pop(place, None) is not None:
                self._log.event("info", "copied_again", place=place)
            return
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        if self._failing.get(place) == reason:
            return  # said once, not each minute
        self._failing[place] = reason
        if isinstance(error, CopyDiffers):
            self._log.event("error", "checkpoint_differs", place=place, reason=reason)
        else:
            self._log.event("error", "copy_failed", place=place, reason=reason)
