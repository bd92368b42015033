"""A worker's place: its socket stays, the process that fills it may die and is replaced."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from trunkline.channel.link import LinkBroken
from trunkline.channel.messages import (
    Drain,
    Drained,
    Forget,
    Forgot,
    FromWorker,
    Hear,
    Heard,
    LimitsShown,
    Load,
    Loaded,
    LoadFailed,
    NotReady,
    OpenVault,
    Ready,
    Report,
    ShowLimits,
    WorkerState,
)
from trunkline.operations import OperationalLog
from trunkline.supervisor.backoff import Backoff
from trunkline.supervisor.child import Child, start
from trunkline.supervisor.lease_desk import LeaseDesk

# A worker that has said `drained` has nothing more to do but to end. Seconds, as all here.
LAST_WORDS = 5.0
# A new worker has its imports and the recovery of its log before it.
START_WITHIN = 120.0
# One that carries calls may be slow for a moment; one that is silent for this long hangs.
HUNG_AFTER = 30.0
# Workers report every 5 s. Silence is counted in looks, not by the clock: a machine that stood still was silent whole.
LOOK_EVERY, LOOKS = 6.0, 5
DRAINING, DRAINED = "draining", "drained"


class Ears(NamedTuple):
    """Who listens to a worker: `changed` is called whenever its state has, `news` with what others should know.

    `limits` is called with how its limits are used, which control has asked for, `forgot` with what became of keys.
    """

    changed: Callable[[], None]
    news: Callable[[Heard], None]
    limits: Callable[[LimitsShown], None]
    forgot: Callable[[Forgot], None]


class Given(NamedTuple):
    """What a new worker gets: the vault that it opens its log with, and the load in force, None while there is none."""

    vault: Callable[[], OpenVault | None]
    load: Callable[[], Load | None]


class Slot:
    """Keeps one worker running and in step with what is in force.

    `command` makes the worker's command line from the number of its end of the channel; `descriptors` are passed on
    to it.
    """

    def __init__(
        self,
        index: int,
        command: Callable[[int], Sequence[str]],
        descriptors: Sequence[int],
        given: Given,
        ears: Ears,
        desk: LeaseDesk,
        log: OperationalLog,
    ) -> None:
        self.index = index
        self.given: Load | None = None
        self._command, self._descriptors = command, descriptors
        self._vault, self._in_force = given
        self._ears, self._desk, self._log = ears, desk, log
        self._child: Child[FromWorker] | None = None
        self._answers: deque[asyncio.Future[str | None]] = deque()
        self._running, self._stopping = asyncio.Event(), asyncio.Event()
        self._backoff = Backoff()
        self._heard = 0
        self.state = WorkerState(index, None, ready=False, reason="starting", digest=None, restarts=0, started_at=0.0)

    @property
    def running(self) -> bool:
        """Whether there is a process to talk to."""
        return self._running.is_set()

    @property
    def carrying(self) -> bool:
        """Whether there is a process that has a snapshot in force, so that it may carry calls."""
        return self.running and self.state.digest is not None

    @property
    def drained(self) -> bool:
        """Whether there is no call that ending the process could cut: it has none any more, or never took one."""
        return self.state.digest is None or self.state.reason == DRAINED

    async def keep(self) -> None:
        """Run a worker and replace it when it dies, until it is drained or killed.

        A worker that dies before anything is in force is not replaced: the start has failed.
        """
        while True:
            began = time.monotonic()
            code, broken = await self._run_once()
            if self._stopping.is_set():
                return
            self._log.event("error", "worker_died", worker=self.index, status=code, reason=broken)
            if self._in_force() is None:
                return
            if await self._stopped_within(self._backoff.after(time.monotonic() - began)):
                return
            self._set(restarts=self.state.restarts + 1)

    async def load(self, load: Load, seconds: float) -> str | None:
        """Put a snapshot in force; returns why that failed, None if it is.

        A worker that did not answer in time may still take it: `follow` then has it go back to what is in force.
        """
        if self._stopping.is_set():
            return DRAINING
        try:
            async with asyncio.timeout(seconds):
                await self._running.wait()
                return await self._give(load)
        except TimeoutError:
            return f"worker {self.index} did not answer within {seconds:g} s"

    def follow(self) -> None:
        """Hand over what is in force, if the worker was given anything else.

        One that can't use it, or never says, is replaced; one that drains is left to finish its calls.
        """
        load, child = self._in_force(), self._child
        if load is None or child is None or self.given is load or self._stopping.is_set():
            return
        patience = START_WITHIN if self.state.digest is None else HUNG_AFTER
        answer = self._give(load)
        hung = asyncio.get_running_loop().call_later(patience, self._replace, child, "it does not answer any more")

        def answered(answer: asyncio.Future[str | None]) -> None:
            hung.cancel()
            if (reason := answer.result()) is not None:
                self._replace(child, reason)

        answer.add_done_callback(answered)

    def drain(self, seconds: float) -> None:
        """Let the worker finish what is in flight and end; it is not replaced."""
        self._stopping.set()
        self._set(ready=False, reason=DRAINING)
        self._send(Drain(seconds))

    def tell(self, news: Hear | ShowLimits) -> None:
        """Pass on what another worker has learnt, or control asks; one that has nothing in force yet would not know."""
        if self.carrying:
            self._send(news)

    def tell_running(self, order: OpenVault | Forget) -> None:
        """Say something that a worker has to know of whether or not it has anything in force."""
        self._send(order)

    def kill(self) -> None:
        """End the worker at once."""
        if self._child is not None:
            self._child.kill()

    async def _run_once(self) -> tuple[int, str | None]:
        seat = await self._desk.seat()
        try:
            child = await start(
                lambda channel: [*self._command(channel), "--leases", str(seat.descriptor)],
                FromWorker,
                [*self._descriptors, seat.descriptor],
            )
        except OSError as error:
            await seat.close()
            return 1, f"cannot start a process: {error.strerror}"
        self._child = child
        seat.taken().add_done_callback(lambda served: self._unseat(child, served))
        self._running.set()
        self._set(pid=child.pid, started_at=time.time(), reason="starting", report=None)
        if self._stopping.is_set():
            child.kill()
        if (vault := self._vault()) is not None:
            self._send(vault)
        self.follow()
        watching = asyncio.create_task(self._watch(child))
        broken = await child.messages(self._take)
        watching.cancel()
        # The channel has closed: the process ends by itself, or is of no use any more.
        await asyncio.wait([child.exited], timeout=LAST_WORDS)
        child.kill()
        code = await child.exited
        await child.link.close()
        await seat.close()
        self._child, self.given = None, None
        self._running.clear()
        self._forget_answers(f"worker {self.index} died")
        self._set(pid=None, ready=False, reason="died", digest=None)
        return code, broken

    def _give(self, load: Load) -> asyncio.Future[str | None]:
        """Send a load; the answers come in the order of the loads."""
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        if self._child is None:
            answer.set_result(f"worker {self.index} does not run")
            return answer
        self._answers.append(answer)
        self.given = load
        self._send(load)
        return answer

    def _send(self, message: Load | Drain | Hear | ShowLimits | OpenVault | Forget) -> None:
        """Say something to the worker, if it runs; one that takes nothing is ended."""
        if self._child is None:
            return
        try:
            self._child.link.send(message)
        except LinkBroken as broken:
            self._log.event("error", "worker_unreachable", worker=self.index, reason=str(broken))
            self._child.kill()

    async def _watch(self, child: Child[FromWorker]) -> None:
        """Replace a worker that carries calls and hangs: what waits at its socket waits for somebody to take it."""
        silent = 0
        while silent < LOOKS:
            heard = self._heard
            await asyncio.sleep(LOOK_EVERY)
            silent = silent + 1 if self.carrying and heard == self._heard else 0
        self._replace(child, f"it has said nothing for {LOOK_EVERY * LOOKS:g} s")

    def _unseat(self, child: Child[FromWorker], served: asyncio.Task[str | None]) -> None:
        if (reason := served.result()) is not None:
            self._replace(child, reason)

    def _replace(self, child: Child[FromWorker], reason: str) -> None:
        """End a worker that nobody could say of what it has in force; a drain has a bound of its own."""
        if not self._stopping.is_set() and not child.exited.done():
            self._log.event("error", "worker_replaced", worker=self.index, reason=reason)
            child.kill()

    def _take(self, message: FromWorker) -> None:
        self._heard += 1
        match message:
            case Loaded(digest):
                self._set(digest=digest)
                self._answer(None)
            case LoadFailed(digest, reason):
                self._log.event("error", "load_failed", worker=self.index, digest=digest, reason=reason)
                self._answer(f"worker {self.index}: {reason}")
            case Ready():
                self._set(ready=True, reason=None)
            case NotReady(reason):
                if not self._stopping.is_set():
                    self._log.event("warning", "not_ready", worker=self.index, reason=reason)
                self._set(ready=False, reason=reason)
            case Drained():
                self._set(ready=False, reason=DRAINED)
            case Report():
                self._set(report=message)
            case Heard():
                self._ears.news(message)
            case LimitsShown():
                self._ears.limits(message)
            case Forgot():
                self._ears.forgot(message)

    def _answer(self, failure: str | None) -> None:
        if self._answers and not (answer := self._answers.popleft()).done():
            answer.set_result(failure)

    def _forget_answers(self, failure: str) -> None:
        while self._answers:
            self._answer(failure)

    def _set(self, **fields: object) -> None:
        self.state = msgspec.structs.replace(self.state, **fields)
        self._ears.changed()

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True
