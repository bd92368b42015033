"""Between the event loop and the flusher: what is waited for goes over at the turn's end, with all before it.

To wake the flusher for each record would have two threads pass the interpreter's lock back and forth on one core, for
batches of one. What nobody waits for yet, such as the opening of a call whose provider is at work, goes with the next
that somebody waits for, or after `LONGEST_REST`: a flush of its own would hold up the one that is waited for. And where
one turn has brought a crowd, the next turns have more: what they bring goes over with it, for a flush costs the
processor the same, however much is in it.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from trunkline.audit.files.flusher import Work

LONGEST_REST: Final = 0.005  # seconds
CROWD: Final = 16  # pieces of work: eight calls, opened and closed; fewer come of a turn where there is time to spare
CROWD_REST: Final = 0.001  # seconds


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
        """Somebody waits for what was added: hand it over at the end of this turn, a crowd's a moment later."""
        if self._gathered and self.loop is not None and not self._due:
            self._due = True
            self.loop.call_soon(self._turn_over)

    def now(self) -> None:
        """Hand over what has been gathered, without waiting for the turn's end."""
        self._due = False
        if self._gathered:
            gathered, self._gathered = self._gathered, []
            self._put(gathered)

    def _turn_over(self) -> None:
        if self.loop is not None and len(self._gathered) >= CROWD:
            self.loop.call_later(CROWD_REST, self.now)
        else:
            self.now()

    def _rested(self) -> None:
        self._timer = None
        self.now()
