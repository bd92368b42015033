"""Between the event loop and the flusher: what is waited for goes over at the turn's end, with all before it.

To wake the flusher for each record would have two threads pass the interpreter's lock back and forth on one core, for
batches of one. What nobody waits for yet, such as the opening of a call whose provider is at work, goes with the next
that somebody waits for, or after `LONGEST_REST`: a flush of its own would hold up the one that is waited for.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from trunkline.audit.files.flusher import Work

LONGEST_REST: Final = 0.005  # seconds


class Handover:
    """Gathers work for the flusher; `loop` is None while no event loop is known, and then nothing is gathered."""

    def __init__(self, put: Callable[[list[Work]], None]) -> None:
        self._put = put
        self._gathered: list[Work] = []
        self._due = False
        self._timer: asyncio.TimerHandle | None = None
        self.loop: asyncio.AbstractEventLoop | None = None

    def add(self, work: Work) -> None:
        """Have this done soon, after what was added before."""
        self._gathered.append(work)
        if self.loop is None:
            self.now()
        elif self._timer is None:
            self._timer = self.loop.call_later(LONGEST_REST, self._rested)

    def hurry(self) -> None:
        """Somebody waits for what was added: hand it over at the end of this turn."""
        if self._gathered and self.loop is not None and not self._due:
            self._due = True
            self.loop.call_soon(self.now)

    def now(self) -> None:
        """Hand over what has been gathered, without waiting for the turn's end."""
        self._due = False
        if self._gathered:
            gathered, self._gathered = self._gathered, []
            self._put(gathered)

    def _rested(self) -> None:
        self._timer = None
        self.now()
