"""The coroutines that wait for records to become durable, woken once a flush."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from trunkline.audit.files.flusher import Flusher
from trunkline.audit.files.handover import Handover
from trunkline.audit.files.settings import LogFailed

LOOKS_PER_BOUND = 4  # how often, within the bound of a flush, somebody looks whether it hangs


class Waiters:
    """Belongs to one event loop; only `progressed` is called from elsewhere."""

    def __init__(
        self, flusher: Flusher, handover: Handover, flush_bound: float, on_failed: Callable[[str], None]
    ) -> None:
        self._flusher, self._handover, self._bound, self._on_failed = flusher, handover, flush_bound, on_failed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._settle_due = False
        self._said = False

    async def wait(self, position: int) -> None:
        """Return when `durable` has come to `position`; raises LogFailed if it never will."""
        flusher = self._flusher
        if flusher.durable >= position:
            return
        loop = self._loop
        if loop is None:
            loop = self._loop = self._handover.loop = asyncio.get_running_loop()
        future = loop.create_future()
        # First in the list, then look again: the flusher first counts, then looks into the list.
        self._waiting.append((position, future))
        self._handover.hurry()
        if flusher.durable >= position or flusher.failure is not None:
            self.settle()
        elif self._timer is None:
            self._timer = loop.call_later(self._bound / LOOKS_PER_BOUND, self._watch)
        await future

    def progressed(self) -> None:
        """Have `settle` called soon, if anybody waits; from any thread."""
        if self._loop is None or self._settle_due or not (self._waiting or self._flusher.failure):
            return
        self._settle_due = True
        with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            self._loop.call_soon_threadsafe(self.settle)

    def settle(self) -> None:
        """Wake those whose records are durable, or all if the log has failed."""
        self._settle_due = False
        durable, failure = self._flusher.durable, self._flusher.failure
        left = []
        for waiter in self._waiting:
            position, future = waiter
            if future.done():
                continue
            if position <= durable:
                future.set_result(None)
            elif failure is not None:
                future.set_exception(LogFailed(failure))
            else:
                left.append(waiter)
        self._waiting = left
        if failure is not None and not self._said:
            self._said = True
            self._on_failed(failure)

    def look(self) -> None:
        """Fail the log if the disk has not answered within the bound."""
        if self._flusher.failure is None and self._flusher.overdue():
            self._flusher.fail(f"the disk did not answer within {self._bound:g} s")
        if self._flusher.failure is not None:
            self.settle()

    def stop(self) -> None:
        """End the timer; whoever still waits is woken or told."""
        self.settle()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch(self) -> None:
        self._timer = None
        self.look()
        if self._waiting and self._loop is not None:
            self._timer = self._loop.call_later(self._bound / LOOKS_PER_BOUND, self._watch)
