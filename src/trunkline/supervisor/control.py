"""The place of the control process: started first, replaced when it dies, asked to end last."""

import asyncio
import time
from collections.abc import Callable, Sequence

import msgspec

from trunkline.channel.link import LinkBroken
from trunkline.channel.messages import FromControl, StopRequested
from trunkline.operations import OperationalLog
from trunkline.supervisor.backoff import Backoff
from trunkline.supervisor.child import Child, start

# Sealing its log takes control a flush; this is for a slow disk.
STOP_SECONDS = 10.0


class ControlPlace:
    """Keeps control running.

    `command` makes the command line from the number of its end of the channel and is asked before each start. `take`
    gets every message; `started` is called when a process is there to be told the state of things. `wanted` says
    whether to go on when it dies; before anything is in force, the start has failed.
    """

    def __init__(
        self,
        command: Callable[[int], Sequence[str]],
        take: Callable[[FromControl], None],
        started: Callable[[], None],
        wanted: Callable[[], bool],
        log: OperationalLog,
    ) -> None:
        self._command, self._take, self._log = command, take, log
        self._started, self._wanted = started, wanted
        self._child: Child[FromControl] | None = None
        self._stopping = asyncio.Event()
        self._backoff = Backoff()

    async def keep(self) -> int:
        """Run control and replace it when it dies; returns its exit status once it is stopped, or was not `wanted`."""
        while True:
            began = time.monotonic()
            code, broken = await self._run_once()
            if self._stopping.is_set() or not self._wanted():
                return code
            self._log.event("error", "control_died", status=code, reason=broken)
            if await self._stopped_within(self._backoff.after(time.monotonic() - began)):
                return code

    def send(self, message: msgspec.Struct) -> None:
        """Tell control something, if it runs."""
        if self._child is not None:
            try:
                self._child.link.send(message)
            except LinkBroken as broken:
                self._log.event("error", "control_unreachable", reason=str(broken))
                self._child.kill()

    async def stop(self) -> None:
        """Let control seal its log and end; it is not replaced."""
        self._stopping.set()
        child = self._child
        if child is not None:
            self.send(StopRequested())
            await asyncio.wait([child.exited], timeout=STOP_SECONDS)
            child.kill()
            await asyncio.wait([child.exited])

    def kill(self) -> None:
        """End control at once; it is not replaced."""
        self._stopping.set()
        if self._child is not None:
            self._child.kill()

    async def _run_once(self) -> tuple[int, str | None]:
        try:
            child = await start(self._command, FromControl)
        except OSError as error:
            return 1, f"cannot start a process: {error.strerror}"
        self._child = child
        if self._stopping.is_set():
            child.kill()
        self._started()
        broken = await child.messages(self._take)
        await asyncio.wait([child.exited], timeout=STOP_SECONDS)
        child.kill()
        code = await child.exited
        await child.link.close()
        self._child = None
        return code, broken

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True
