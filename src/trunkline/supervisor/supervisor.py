"""The supervisor itself: begin, publish to all or none, drain."""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from trunkline.audit.files.data_dir import DataDirError, Lock, open_data_dir
from trunkline.channel.messages import (
    Begin,
    Begun,
    Forget,
    ForgetAsked,
    Forgot,
    ForgotBy,
    FromControl,
    Hear,
    Heard,
    LimitsAsked,
    LimitsOf,
    LimitsShown,
    Load,
    Logging,
    OpenVault,
    Publish,
    Published,
    PublishFailed,
    ReloadRequested,
    ShowLimits,
    VaultOpened,
    WorkerChanged,
)
from trunkline.model.snapshot import Secrets
from trunkline.operations import OperationalLog
from trunkline.supervisor.child import python
from trunkline.supervisor.control import ControlPlace
from trunkline.supervisor.lease_desk import LeaseDesk
from trunkline.supervisor.listener import CannotListen, listen, name_of
from trunkline.supervisor.slot import DRAINING, START_WITHIN, Ears, Given, Slot

# A snapshot is in force on every worker within this, or on none. Seconds.
PUBLISH_WITHIN = 1.0
# What a worker gets on top of a drain's deadline to write its last records.
DRAIN_GRACE = 5.0
LAST_WORDS = 2.0


@dataclass(frozen=True)
class Commands:
    """The beginnings of the command lines of the children."""

    control: Sequence[str] = field(default_factory=lambda: python("trunkline.control"))
    worker: Sequence[str] = field(default_factory=lambda: python("trunkline.gateway.worker"))


class Supervisor:
    """Runs one gateway from its start to its end; `run` once, within an event loop of its own."""

    def __init__(self, config: str, log: OperationalLog, commands: Commands) -> None:
        self._config, self._log, self._commands = config, log, commands
        self._began_at = time.monotonic()
        self._begun: Begin | None = None
        self._lock: Lock | None = None
        self._sockets: list[socket.socket] = []
        self._slots: list[Slot] = []
        self._desk = LeaseDesk()
        self._in_force: Load | None = None
        self._vault: OpenVault | None = None
        self._logging: Logging | None = None
        self._drain_seconds = 0.0
        self._publishing = asyncio.Lock()
        self._tasks: set[asyncio.Task[object]] = set()
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._changed = asyncio.Event()
        self._announced = self._cut = False
        self._control = ControlPlace(self._control_command, self._take, self._tell_workers, self._needs_control, log)

    async def run(self) -> int:
        """Run until a signal or a failed start ends it; returns the exit status."""
        asyncio.get_running_loop().set_exception_handler(self._fault)
        with self._signals():
            control = self._spawn(self._control.keep())
            control.add_done_callback(self._control_ended)
            await asyncio.wait([self._ended])
            await self._wind_down()
            status = self._ended.result() or int(self._cut)
            self._log.event("info", "stopped", status=status)
            return status

    # Beginning

    def _take(self, message: FromControl) -> None:
        match message:
            case Begin():
                self._begin(message)
            case Publish():
                self._spawn(self._publish(message))
            case ShowLimits():
                self._ask_for_limits(message)
            case OpenVault():
                self._open_vault(message)
            case Forget():
                self._have_forgotten(message)

    def _begin(self, begin: Begin) -> None:
        if self._begun is not None or self._ended.done():
            return
        self._speak(begin.logging)
        try:
            self._lock = open_data_dir(Path(begin.data_dir)).lock()
            self._sockets = listen(begin.listen, begin.workers)
        except (DataDirError, CannotListen, OSError) as error:
            self._end(1, "start_failed", reason=str(error))
            return
        self._begun = begin
        for index, sock in enumerate(self._sockets):
            slot = Slot(
                index,
                partial(self._worker_command, index, sock.fileno()),
                [sock.fileno()],
                Given(lambda: self._vault, lambda: self._in_force),
                Ears(
                    partial(self._worker_changed, index),
                    partial(self._pass_on, index),
                    partial(self._limits_shown, index),
                    partial(self._forgot, index),
                ),
                self._desk,
                self._log,
            )
            self._slots.append(slot)
            self._spawn(slot.keep()).add_done_callback(partial(self._slot_ended, sock))
        self._control.send(Begun(os.getpid()))

    def _worker_command(self, index: int, listener: int, channel: int) -> Sequence[str]:
        begun = self._begun
        if begun is None:
            raise ValueError("a worker is started after control has said how")
        options: dict[str, object] = {"index": index, "workers": begun.workers, "node": begun.node}
        options |= {"data-dir": begun.data_dir, "listen-fd": listener}
        options["restarts"] = self._slots[index].state.restarts
        if self._in_force is not None:
            # A start without a log fails. Later there are callers, who had better hear a refusal than wait.
            options["without-log"] = "refuse"
        return [*self._commands.worker, *_options(options | {"channel": channel} | self._spoken())]

    def _control_command(self, channel: int) -> Sequence[str]:
        options: dict[str, object] = {"config": self._config, "channel": channel}
        if self._begun is not None and self._in_force is not None:
            options |= {"data-dir": self._begun.data_dir, "resume": self._in_force.snapshot}
            if self._begun.console is not None:
                options["console"] = self._begun.console
        return [*self._commands.control, *_options(options | self._spoken())]

    def _speak(self, logging: Logging) -> None:
        self._logging = logging
        self._log.configure(logging.form, logging.level)

    def _spoken(self) -> dict[str, object]:
        """Return the options by which a child's first lines are such as are configured: it knows of no file yet."""
        return {} if self._logging is None else {"log-format": self._logging.form, "log-level": self._logging.level}

    def _needs_control(self) -> bool:
        """Whether a control process that died is replaced: before anything is in force the start has failed."""
        return self._in_force is not None and not self._ended.done()

    # Publishing

    async def _publish(self, publish: Publish) -> None:
        """Put a snapshot in force on every worker that takes calls, or leave all with the one they have."""
        async with self._publishing:
            if self._ended.done():  # nothing may come between the calls in flight and their end
                self._control.send(PublishFailed(publish.digest, DRAINING))
                return
            before = self._in_force
            secrets = (
                publish.secrets if publish.secrets is not None else before.secrets if before is not None else Secrets()
            )
            load = Load(publish.snapshot, publish.digest, secrets)
            within = PUBLISH_WITHIN if before is not None else START_WITHIN
            # One that has none in force yet takes no calls, so nobody waits for it: it gets this one next.
            asked = [slot for slot in self._slots if before is None or slot.carrying]
            failures = [why for why in await asyncio.gather(*(slot.load(load, within) for slot in asked)) if why]
            if not failures:
                self._in_force = load
                self._drain_seconds = publish.drain
                self._speak(publish.logging)
            for slot in self._slots:
                slot.follow()
            if not failures:
                self._control.send(Published(publish.digest))
                self._announce()
                return
            reason = "; ".join(failures)
            self._control.send(PublishFailed(publish.digest, reason))
            if before is None:
                self._end(1, "start_failed", reason=reason)

    def _worker_changed(self, index: int) -> None:
        self._changed.set()
        self._tell_worker(self._slots[index])
        self._announce()

    def _tell_workers(self) -> None:
        """Tell a new control process how things stand: the vault first, with which it opens its log."""
        if self._vault is not None:
            self._control.send(VaultOpened(self._vault.vault))
        for slot in self._slots:
            self._tell_worker(slot)

    def _tell_worker(self, slot: Slot) -> None:
        self._control.send(WorkerChanged(slot.state))

    def _pass_on(self, index: int, heard: Heard) -> None:
        """Tell the other workers what one has learnt."""
        for slot in self._slots:
            if slot.index != index:
                slot.tell(Hear(heard.digest, heard.news))

    def _ask_for_limits(self, order: ShowLimits) -> None:
        """Have every worker that carries calls say how its limits are used; each answers control by itself."""
        asked = [slot for slot in self._slots if slot.carrying]
        self._control.send(LimitsAsked(order.number, tuple(slot.index for slot in asked)))
        for slot in asked:
            slot.tell(order)

    def _limits_shown(self, index: int, shown: LimitsShown) -> None:
        self._control.send(LimitsOf(index, shown))

    def _open_vault(self, order: OpenVault) -> None:
        """Give every worker, also one that starts, the vault to open its log with or to go on with."""
        self._vault = order
        for slot in self._slots:
            slot.tell_running(order)

    def _have_forgotten(self, order: Forget) -> None:
        """Have every worker that runs let go of keys; each answers control by itself."""
        asked = [slot for slot in self._slots if slot.running]
        self._control.send(ForgetAsked(order.number, tuple(slot.index for slot in asked)))
        for slot in asked:
            slot.tell_running(order)

    def _forgot(self, index: int, forgot: Forgot) -> None:
        self._control.send(ForgotBy(index, forgot))

    def _announce(self) -> None:
        """Say once that the gateway is ready."""
        if self._announced or self._in_force is None or self._begun is None:
            return
        if all(slot.state.ready for slot in self._slots):
            self._announced = True
            self._log.event(
                "info",
                "ready",
                listen=name_of(self._sockets[0]),
                workers=len(self._slots),
                pid=os.getpid(),
                data_dir=self._begun.data_dir,
                snapshot=self._in_force.digest,
                seconds=round(time.monotonic() - self._began_at, 3),
            )

    # Ending

    def _end(self, status: int, event: str, **facts: object) -> None:
        if not self._ended.done():
            self._ended.set_result(status)
            self._log.event("error" if status else "info", event, **facts)

    def _control_ended(self, task: asyncio.Task[object]) -> None:
        """Control has said on standard error why it could not begin."""
        bad = self._result(task) == os.EX_CONFIG
        reason = "the configuration is not good; mend what is named above" if bad else "control has ended"
        self._end(1, "start_failed", reason=reason)

    def _slot_ended(self, sock: socket.socket, task: asyncio.Task[object]) -> None:
        """Nobody will accept here any more: close, so that the kernel hands new connections to those who still do."""
        sock.close()
        self._changed.set()
        self._result(task)
        self._end(1, "start_failed", reason="a worker has ended before it took a call")

    def _result(self, task: asyncio.Task[object]) -> object:
        if task.cancelled():
            return None
        error = task.exception()
        if error is not None:
            self._log.fault(error)
            return None
        return task.result()

    def _fault(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take what a task or callback raised and nobody looked at."""
        self._log.fault(context.get("exception") or RuntimeError())

    async def _wind_down(self) -> None:
        """Drain the workers, then let control write its last records; bounded."""
        for slot in self._slots:
            slot.drain(self._drain_seconds)
        patience = asyncio.get_running_loop().time() + self._drain_seconds + DRAIN_GRACE
        await self._until(patience, lambda: not any(slot.running for slot in self._slots))
        self._cut_workers("the workers took too long to drain")
        await self._control.stop()
        if self._tasks:  # they end by themselves, now that their processes have
            await asyncio.wait(self._tasks, timeout=LAST_WORDS)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for sock in self._sockets:
            sock.close()
        if self._lock is not None:
            self._lock.release()

    def _signal(self, number: signal.Signals) -> None:
        if self._ended.done():
            self._cut_workers(f"a second signal, {number.name}")
            self._control.kill()
        else:
            self._end(0, "draining", signal=number.name, seconds=self._drain_seconds)

    def _cut_workers(self, reason: str) -> None:
        """End the workers at once, and say so if that may cut calls."""
        busy = [slot.index for slot in self._slots if not slot.drained]
        if busy:
            self._cut = True
            self._log.event("warning", "cut", reason=reason, workers=len(busy))
        for slot in self._slots:
            slot.kill()

    def _reload(self) -> None:
        self._log.event("info", "reload_requested", signal="SIGHUP")
        self._control.send(ReloadRequested())

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signal, number)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def _spawn(self, work: Coroutine[object, object, object]) -> asyncio.Task[object]:
        task: asyncio.Task[object] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _until(self, deadline: float, done: Callable[[], bool]) -> None:
        """Wait until a worker's change has made `done` true; at the deadline (loop time) give up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                while not done():
                    self._changed.clear()
                    await self._changed.wait()


def _options(options: Mapping[str, object]) -> list[str]:
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]
