"""One child process: started with a channel, watched without a thread, never left behind."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

from trunkline.channel.link import Link, LinkBroken

Incoming = TypeVar("Incoming")

# A worker is one core's work: numpy's library would start a thread for each core, and wait with all of them.
ONE_CORE: Final = {"OPENBLAS_NUM_THREADS": "1"}


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of ours; -P keeps the working directory's files from being imported."""
    return [sys.executable, "-P", "-m", module, *arguments]


class Child(Generic[Incoming]):
    """A running process and our end of its channel; `exited` becomes its exit status (negative: the signal)."""

    def __init__(self, process: subprocess.Popen[bytes], link: Link[Incoming], loop: asyncio.AbstractEventLoop) -> None:
        self.pid = process.pid
        self.link = link
        self.exited: asyncio.Future[int] = loop.create_future()
        self._process, self._loop = process, loop
        self._pidfd = os.pidfd_open(process.pid)
        loop.add_reader(self._pidfd, self._reap)

    def kill(self) -> None:
        """End it at once; no harm if it has ended."""
        if not self.exited.done():
            # Not `os.kill`: a pidfd never means another process that has got the same number.
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def messages(self, take: Callable[[Incoming], None]) -> str | None:
        """Hand each message to `take` until the channel closes; returns why it had to be given up, if so."""
        try:
            while (message := await self.link.receive()) is not None:
                take(message)
        except LinkBroken as broken:
            self.kill()
            return str(broken)
        return None

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self.exited.set_result(self._process.wait())


async def start(command: Callable[[int], Sequence[str]], incoming: Any, descriptors: Sequence[int] = ()) -> Child[Any]:
    """Start a process; `command` gets the number of its end of the channel, `descriptors` are passed on open.

    The process has a session of its own, so that a Ctrl-C in the terminal reaches the supervisor alone. It learns from
    the channel's end that the supervisor has died; a signal for that would cut the calls that it can still finish.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own modules; a spawn takes a millisecond
                command(theirs.fileno()),
                pass_fds=(theirs.fileno(), *descriptors),
                env={**ONE_CORE, **os.environ},
                start_new_session=True,
                stdin=subprocess.DEVNULL,
            )
        except BaseException:
            ours.close()
            raise
    return Child(process, await Link.open(ours, incoming), asyncio.get_running_loop())
