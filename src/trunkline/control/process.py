"""Control from its start to its end: the place that builds its objects and hands them to each other."""

import asyncio
import contextlib
import importlib
import os
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from trunkline import __version__
from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.files.vault.opening import open_vault
from trunkline.audit.format.sealing import Unopened
from trunkline.channel.link import Link
from trunkline.channel.messages import (
    Begin,
    Begun,
    ForgetAsked,
    ForgotBy,
    LimitsAsked,
    LimitsOf,
    OpenVault,
    Published,
    PublishFailed,
    ReloadRequested,
    StopRequested,
    ToControl,
    VaultOpened,
    WorkerChanged,
    WorkerState,
)
from trunkline.config.compiled import Compiled
from trunkline.config.problems import ConfigInvalid
from trunkline.control.configuration import Configuration
from trunkline.control.forgetting import ForgettingDesk
from trunkline.control.journal import Journal, Unrecorded
from trunkline.control.ledger_desk import LedgerDesk
from trunkline.control.limits_desk import LimitsDesk
from trunkline.control.proof_desk import ProofDesk
from trunkline.control.publisher import ChannelPublisher, logging_of
from trunkline.control.registry import NotPublished, Registry
from trunkline.control.snapshots import SnapshotStore
from trunkline.control.sockets import AdminSockets, admin_sockets
from trunkline.control.vault_desk import VaultDesk
from trunkline.control.vault_keeper import VaultKeeper, nothing_held
from trunkline.model.vault import Vault
from trunkline.operations import OperationalLog

# Calls have the processor first; whoever waits for control waits for a file or a person.
NICENESS = 19
# Until the commands can be answered; at 19 beside busy workers the imports alone would take a minute.
NICENESS_AT_FIRST = 10
AUTOGROUP = "/proc/self/autogroup"
TICK = 1.0


@dataclass(frozen=True)
class Resumption:
    """What a control process takes over from one that has died: directory, snapshot in force, console's address."""

    data_dir: Path
    snapshot: Path
    console: str | None


class SupervisorGone(Exception):
    """The channel has closed before there was anything to do."""


class ControlProcess:
    """Builds control and runs it until the supervisor stops it or has gone."""

    def __init__(self, configuration: Configuration, link: Link[ToControl], log: OperationalLog) -> None:
        self._configuration, self._link, self._log = configuration, link, log
        self._publisher = ChannelPublisher(link)
        self._limits = LimitsDesk(link)
        self._forgetting = ForgettingDesk(link)
        self._workers: dict[int, WorkerState] = {}
        self._started_at = time.time()
        self._supervisor = os.getppid()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin a gateway: read the file, have the directory locked, put the snapshot in force; then serve.

        Raises ConfigInvalid, NotPublished, Unrecorded, LogFailed, CorruptLog, VaultUnusable, OSError or SupervisorGone.
        """
        compiled = self._configuration.compile()
        data_dir = compiled.data_dir.resolve()
        snapshot = compiled.snapshot
        logging = logging_of(snapshot)
        self._log.configure(logging.form, logging.level)
        for note in compiled.notes:
            self._log.event("warning", "without_effect", note=note)
        console = compiled.console.listen if compiled.console is not None else None
        begin = Begin(str(data_dir), snapshot.listen, snapshot.node, snapshot.workers, console, logging)
        self._link.send(begin)
        await self._until_begun()
        vault = open_vault(data_dir, compiled.vault)
        self._link.send(OpenVault(vault))  # which the workers wait for: their logs are opened with it
        journal = Journal.open(data_dir, snapshot.node, self._of_log, vault)
        if journal.state.valid_keys() or journal.state.imported:
            compiled = self._configuration.compile(journal.state)
        registry = self._registry(journal, data_dir, console)
        await self._run(journal, registry, data_dir, console, registry.adopt(compiled, "supervisor", "started"))

    async def resume(self, taken: Resumption) -> None:
        """Go on where a control process died; a bad file is reported and changes nothing. Raises like `start`."""
        _be_nice(NICENESS_AT_FIRST)
        store = SnapshotStore(taken.data_dir)
        snapshot = store.load(taken.snapshot)
        if snapshot is None:
            raise Unrecorded(f"{taken.snapshot} is missing or damaged")
        logging = logging_of(snapshot)
        self._log.configure(logging.form, logging.level)
        journal = Journal.open(taken.data_dir, snapshot.node, self._of_log, await self._vault())
        compiled, problems = self._compile(journal)
        registry = self._registry(journal, taken.data_dir, taken.console)
        registry.resume(snapshot)
        first = self._take_up(registry, compiled, problems)
        await self._run(journal, registry, taken.data_dir, taken.console, first)

    async def _vault(self) -> Vault:
        """Return the vault, which the supervisor says first; other news comes again."""
        while (message := await self._link.receive()) is not None:
            if isinstance(message, VaultOpened):
                return message.vault
        raise SupervisorGone

    async def _take_up(self, registry: Registry, compiled: Compiled | None, problems: ConfigInvalid | None) -> None:
        if compiled is not None:
            try:
                await registry.adopt(compiled, "supervisor", "resumed")
                return
            except ConfigInvalid as error:
                problems = error
        if problems is not None:
            self._report(problems)
        await registry.rebuild("supervisor", "resumed")

    def _compile(self, journal: Journal) -> tuple[Compiled | None, ConfigInvalid | None]:
        try:
            return self._configuration.compile(journal.state), None
        except ConfigInvalid as error:
            return None, error

    def _registry(self, journal: Journal, data_dir: Path, console: str | None) -> Registry:
        return Registry(self._configuration, journal, SnapshotStore(data_dir), self._publisher, data_dir, console)

    async def _run(
        self,
        journal: Journal,
        registry: Registry,
        data_dir: Path,
        console: str | None,
        first: Coroutine[None, None, object],
    ) -> None:
        """Put the first snapshot in force, then serve until the channel ends."""
        listening = asyncio.create_task(self._listen(registry))
        proof: ProofDesk | None = None
        try:
            sockets = admin_sockets(data_dir, console)
            await first
            _be_nice(NICENESS_AT_FIRST)
            proof = self._proof(registry, journal, data_dir)
            self._spawn(self._serve(registry, journal, sockets, proof))
            self._spawn(proof.run())
            self._spawn(self._tick(journal))
            await listening
        finally:
            listening.cancel()
            for task in list(self._tasks):
                task.cancel()
            if proof is not None:
                await proof.finish()  # before the rest, which may take longer than the supervisor waits
            await asyncio.gather(listening, *self._tasks, return_exceptions=True)
            await journal.close()

    def _proof(self, registry: Registry, journal: Journal, data_dir: Path) -> ProofDesk:
        in_force = registry.snapshot
        key_file = in_force.audit.key_file if in_force is not None else None
        named = Path(key_file) if isinstance(key_file, str) else None
        return ProofDesk(data_dir, journal.directory, named, journal, self._log)

    async def _until_begun(self) -> None:
        while True:
            match await self._link.receive():
                case None | StopRequested():
                    raise SupervisorGone
                case Begun(supervisor):
                    self._supervisor = supervisor
                    return

    async def _listen(self, registry: Registry) -> None:
        """Take the supervisor's messages until it stops us or has gone."""
        while (message := await self._link.receive()) is not None:
            match message:
                case Published() | PublishFailed():
                    self._publisher.answered(message)
                case WorkerChanged(worker):
                    self._workers[worker.index] = worker
                case LimitsAsked() | LimitsOf():
                    self._limits.take(message)
                case ForgetAsked() | ForgotBy():
                    self._forgetting.take(message)
                case ReloadRequested():
                    self._spawn(self._reload(registry))
                case StopRequested():
                    break
        else:
            self._log.event("warning", "supervisor_gone")
        self._publisher.lost()

    async def _reload(self, registry: Registry) -> None:
        try:
            applied = await registry.apply("signal", "reloaded")
        except ConfigInvalid as error:
            self._report(error)
        except (NotPublished, Unrecorded, OSError) as error:
            self._log.event("error", "reload_failed", reason=str(error))
        else:
            self._log.event("info", "reloaded", snapshot=applied.digest, changes=len(applied.lines))

    def _report(self, invalid: ConfigInvalid) -> None:
        for problem in invalid.problems:
            self._log.event("error", "configuration_problem", problem=str(problem))
        self._log.event("error", "reload_failed", problems=len(invalid.problems), reason="the old one stays in force")

    def _of_log(self, name: str, /, **facts: object) -> None:
        self._log.event("error" if name == "log_failed" else "warning", name, **facts)

    # The admin API

    async def _serve(self, registry: Registry, journal: Journal, sockets: AdminSockets, proof: ProofDesk) -> None:
        """Serve the admin API; who connects before it is imported waits in the socket's backlog."""
        serve_admin = await asyncio.to_thread(_import_admin)
        _be_nice(NICENESS)
        desk = LedgerDesk(registry.data_dir, self._log, journal.opening)
        self._spawn(desk.run())
        keeper = VaultKeeper(registry.data_dir, journal, self._forgetting, nothing_held)
        self._spawn(self._finish_erasures(keeper))
        registry.vault = VaultDesk(keeper, self._configuration, self._link)
        status = partial(self._status, registry, journal, proof)
        await serve_admin(registry, status, sockets, self._log, desk, self._known_workers, self._limits)

    async def _finish_erasures(self, keeper: VaultKeeper) -> None:
        """Destroy what an erasure that was cut off has left."""
        try:
            if left := await keeper.finish():
                self._log.event("warning", "erasure_finished", entries=left)
        except (CorruptLog, OSError, Unopened) as error:
            self._log.event("error", "erasure_unfinished", reason=" ".join(str(error).split()))

    def _known_workers(self) -> list[WorkerState]:
        return [self._workers[index] for index in sorted(self._workers)]

    def _status(self, registry: Registry, journal: Journal, proof: ProofDesk) -> dict[str, Any]:
        return {
            "version": __version__,
            "configuration": self._configuration.path,
            "data_dir": str(registry.data_dir),
            "snapshot": registry.digest,
            "supervisor": {"pid": self._supervisor},
            "control": {"pid": os.getpid(), "started_at": self._started_at, "log_failure": journal.failure},
            "proof": {"lag_seconds": proof.lag_seconds},
            # What they measure of themselves is on the page of metrics.
            "workers": [_without_report(worker) for worker in self._known_workers()],
        }

    async def _tick(self, journal: Journal) -> None:
        while True:
            journal.look()
            self._log.flush()
            await asyncio.sleep(TICK)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _without_report(worker: WorkerState) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(worker)
    del fields["report"]
    return fields


def _be_nice(niceness: int) -> None:
    """Let others go first, at least so much; nobody can take it back.

    Where the kernel groups processes by session (sched(7), "The autogroup feature", on by default), niceness counts
    only within ours, in which there is nobody else: the group has a niceness of its own.
    """
    os.nice(max(0, niceness - os.nice(0)))
    with contextlib.suppress(OSError):  # not every kernel has it, and it takes one change in a tenth of a second
        Path(AUTOGROUP).write_text(str(niceness))


def _import_admin() -> Callable[..., Coroutine[None, None, None]]:
    """Import web framework and database late, and in a thread: that takes longer than a whole start may."""
    from trunkline.control.app import serve_admin  # noqa: PLC0415

    importlib.import_module("trunkline.ledger.ledger")  # before control is so nice that it would take a minute

    return serve_admin
