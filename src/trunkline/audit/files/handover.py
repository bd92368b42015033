"""Between the event loop and the flusher: what one turn of the loop appends goes over at once, at the turn's end.

To wake the flusher for each record would have two threads pass the interpreter's lock back and forth on one core, for
batches of one.
"""

import asyncio
from collections.abc import Callable

from trunkline.audit.files.flusher import Work


class Handover:
    """Gathers work for the flusher; `loop` is None while no event loop is known, and then nothing is gathered."""

    def __init__(self, put: Callable[[list[Work]], None]) -> None:
        self._put = put
        self._gathered: list[Work] = []
        self._due = False
        self.loop: asyncio.AbstractEventLoop | None = None

    def add(self, work: Work) -> None:
        """Have this done soon, after what was added before."""
        self._gathered.append(work)
        if self.loop is None:
            self.now()
        elif not self._due:
            self._due = True
            self.loop.call_soon(self.now)

    def now(self) -> None:
        """Hand over what has been gathered, without waiting for the turn's end."""
        self._due = False
        if self._gathered:
            gathered, self._gathered = self._gathered, []
            self._put(gathered)
