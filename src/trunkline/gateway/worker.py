"""A worker: the process that carries calls. The supervisor starts it, owns its socket and tells it what to do.

    python -m trunkline.gateway.worker --index 0 --workers 1 --data-dir DIR --node NODE --listen-fd FD --channel FD

The channel (`trunkline.channel`) brings snapshots to put in force and the order to drain. One that closes means that
the supervisor has gone: the worker drains and ends. With `--without-log refuse` a worker that cannot open its log
answers all the same: every call with 503, until the log is open.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import socket
import ssl
import sys
import time
import traceback
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec
import uvloop

from trunkline.audit.files.data_dir import open_data_dir
from trunkline.audit.files.vault.log_vault import log_vault
from trunkline.audit.files.writer import LogFailed, LogSettings, LogWriter, OnEvent, Recovery
from trunkline.channel.link import Link, LinkBroken
from trunkline.channel.messages import (
    CapacityHeard,
    Drain,
    Drained,
    Forget,
    Forgot,
    Hear,
    Heard,
    Load,
    Loaded,
    LoadFailed,
    NotReady,
    OpenVault,
    Ready,
    Report,
    ShowLimits,
    ToWorker,
    UserAsked,
)
from trunkline.config.canonical import decode_snapshot, digest_of
from trunkline.errors import AuditUnavailable, CallError
from trunkline.gateway.admission import Admission
from trunkline.gateway.budgets import Budgets
from trunkline.gateway.clock import moment
from trunkline.gateway.counted import Counts
from trunkline.gateway.endpoints import Endpoints
from trunkline.gateway.exchange import Exchange
from trunkline.gateway.ids import IdSource
from trunkline.gateway.in_force import InForce, make_policies
from trunkline.gateway.journal import Journal
from trunkline.gateway.leases import AuthorityState
from trunkline.gateway.left_logs import end_left_calls, index_of, left_logs, log_of
from trunkline.gateway.limits_shown import limits_shown
from trunkline.gateway.log_opening import LogOpening, Opened
from trunkline.gateway.machine_code import compiled
from trunkline.gateway.membership import WorkerPlace, joined
from trunkline.gateway.provider_news import take, take_of_share
from trunkline.gateway.record_log import RecordLog, UnopenedLog
from trunkline.gateway.recovery import abandoned_record
from trunkline.gateway.refusals import Refusals, refused_record
from trunkline.gateway.rosters import read_rosters
from trunkline.gateway.upstreams import Upstream, Upstreams
from trunkline.guardrails.policies import Policy
from trunkline.model.records import LimitsAuthority
from trunkline.model.snapshot import Secrets, Snapshot
from trunkline.model.snapshot import Server as ServerSection
from trunkline.model.vault import Vault
from trunkline.operations import LEVELS, OperationalLog
from trunkline.policy.health import TargetHealth
from trunkline.policy.limits.limiter import Limiter
from trunkline.policy.limits.tenant_rules import TenantRules
from trunkline.policy.teams import Roster
from trunkline.wire.server import Server, ServerLimits
from trunkline.wire.tls import UnusableCertificate, reload, server_context

TICK = 0.1  # seconds between looks at what is to be flushed
REFUSALS_EVERY = 1.0  # seconds; what one record of refusals covers
REPORT_EVERY = 5.0  # seconds
DRAIN_WITHOUT_ORDERS = 10.0  # seconds for calls in flight when the supervisor has vanished
YOUNG_OBJECTS = 50_000  # a collection a second instead of hundreds: nothing on the path of a call makes cycles
MAX_PIPELINED = 16
FIRST = 0  # the worker that also looks after what is left of others, that there are no longer


class Worker:
    """Builds the data plane of one process and runs it until it is told to drain."""

    def __init__(
        self,
        log: RecordLog,
        operations: OperationalLog,
        listener: socket.socket,
        link: Link[ToWorker],
        place: WorkerPlace | None = None,
        left: Sequence[Path] = (),
    ) -> None:
        new_id = IdSource()
        self._place = place
        self._first = place is None or place.number == FIRST
        self._log, self._operations, self._listener, self._link = log, operations, listener, link
        self._journal = Journal(log, new_id)
        self._refusals = Refusals(self._journal.refused, operations)
        self._budgets = Budgets(self._journal, operations)
        self._admission = Admission(self._budgets.changed)
        self._counts = Counts(self._journal, self._admission.limiter, operations, left)
        self._exchange = Exchange(self._journal, self._refusals, self._admission, operations, new_id, self._tell_others)
        self._endpoints = Endpoints(self._exchange, self._journal, self._refusals)
        self._upstreams = Upstreams()
        self._health: dict[str, TargetHealth] = {}
        self._server: Server | None = None
        self._tls: ssl.SSLContext | None = None
        self._said_ready: bool | None = None
        self._secrets = Secrets()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, recovery: Recovery) -> None:
        """Take orders until the drain is over."""
        self._close_abandoned(recovery)
        ticking = asyncio.create_task(self._tick())
        await self._drain(await self._follow_orders())
        ticking.cancel()

    async def run_without_log(self, opening: LogOpening) -> None:
        """Take orders as `run` does, and refuse every call until the log, which is not open, has been opened."""
        waiting = asyncio.create_task(self._adopt_log(opening))
        waiting.add_done_callback(self._end_on_fault)
        await self.run(Recovery([], 0))
        waiting.cancel()

    def _end_on_fault(self, waiting: asyncio.Task[None]) -> None:
        """A fault while the log is adopted leaves nobody who would: the supervisor starts another worker."""
        fault = None if waiting.cancelled() else waiting.exception()
        if fault is not None:
            self._operations.fault(fault)
            self._operations.flush()
            os._exit(1)

    async def _adopt_log(self, opening: LogOpening) -> None:
        opened = await opening.in_time()
        if opened is None:
            return
        if self._exchange.draining:
            await opened[0].close()
            return
        self._log, recovery = opened
        in_force = self._endpoints.in_force
        if in_force is not None:
            await self._count(in_force.snapshot, self._secrets)  # while the journal still takes no call
        self._journal.adopt(self._log)
        self._close_abandoned(recovery)
        self._say_ready()

    def _close_abandoned(self, recovery: Recovery) -> None:
        for call in recovery.open_calls:
            self._journal.abandoned(abandoned_record(call), call.bodies)
        if recovery.open_calls:
            self._operations.event("warning", "recovered", calls=len(recovery.open_calls))

    async def _follow_orders(self) -> float:
        """Do what the supervisor says until it says to drain, or goes; return the seconds that a drain may take."""
        try:
            while (order := await self._link.receive()) is not None:
                if isinstance(order, Drain):
                    return order.deadline
                if isinstance(order, Load):
                    await self._load(order)
                elif isinstance(order, ShowLimits):
                    self._spawn(self._show_limits(order))
                elif isinstance(order, OpenVault):
                    self._open_vault(order.vault)
                elif isinstance(order, Forget):
                    self._spawn(self._forget(order))
                else:
                    self._hear(order)
            self._operations.event("warning", "supervisor_gone")
        except LinkBroken as error:
            self._operations.event("error", "channel_broken", reason=str(error))
        return DRAIN_WITHOUT_ORDERS

    def _hear(self, order: Hear) -> None:
        """Believe another worker, unless it speaks of a snapshot that is not ours."""
        in_force = self._endpoints.in_force
        if in_force is not None and order.digest == in_force.digest:
            now = asyncio.get_running_loop().time()
            upstreams = {up.provider.name: up for up in self._upstreams.all()}
            if isinstance(order.news, (UserAsked, CapacityHeard)):
                share = take_of_share(order.news, upstreams, moment())
                if share is not None:
                    self._exchange.places.charge_unclaimed(share, moment())
            else:
                take(order.news, self._health_of, upstreams, now)

    def _open_vault(self, vault: Vault) -> None:
        if vault.keys is not None:
            self._log.adopt_keys(vault.keys)

    async def _forget(self, order: Forget) -> None:
        """Let go of keys, and say how far the file goes that may have them."""
        try:
            forgot = Forgot(order.number, await self._log.forget(frozenset(order.persons)))
        except LogFailed as error:
            forgot = Forgot(order.number, None, str(error))
        with contextlib.suppress(LinkBroken):  # the supervisor does not read; it has other ways to notice
            self._link.send(forgot)

    async def _show_limits(self, order: ShowLimits) -> None:
        in_force = self._endpoints.in_force
        rules = [] if in_force is None else list(in_force.rules.values())
        own, held = self._admission.limiter, self._admission.held
        if in_force is None or in_force.snapshot.limits.backend == "local":
            shown = await limits_shown(order, rules, own, held)
        else:
            of_all = await self._counted_by_all(order, rules, in_force.snapshot.limits.redis_ca_bundle)
            shown = await limits_shown(order, rules, own if of_all is None else of_all, held)
            counted_by: Literal["redis", "this_gateway"] = "this_gateway" if of_all is None else "redis"
            shown = msgspec.structs.replace(shown, counted_by=counted_by)
        with contextlib.suppress(LinkBroken):  # the supervisor does not read; it has other ways to notice
            self._link.send(shown)

    async def _counted_by_all(
        self, order: ShowLimits, rules: list[TenantRules], ca_bundle: str | None
    ) -> Limiter | None:
        """Return what all gateways count together, None where Redis does not say; one worker of each asks it."""
        url = self._secrets.redis_url
        if not self._first or url is None:
            return None
        # Only here: the library takes ten megabytes of every process that loads it, and a tenth of a second.
        from trunkline.gateway.redis_uses import counted_in_redis  # noqa: PLC0415

        return await counted_in_redis(url, ca_bundle, rules, order.asked)

    def _tell_others(self, heard: Heard) -> None:
        with contextlib.suppress(LinkBroken):  # the supervisor does not read; it has other ways to notice
            self._link.send(heard)

    async def _load(self, order: Load) -> None:
        """Put a snapshot in force, whole or not at all."""
        try:
            in_force = self._endpoints.in_force
            known = in_force.rosters if in_force is not None else {}
            made = in_force.guardrails if in_force is not None else {}
            snapshot, rosters, policies = await asyncio.to_thread(_read, order, known, made)
            prepared = self._upstreams.prepare(snapshot, order.secrets.providers)
            await self._count(snapshot, order.secrets)
            await self._serve(snapshot)
        except (OSError, ValueError, UnusableCertificate) as error:
            self._operations.event("error", "load_failed", digest=order.digest, reason=str(error))
            self._link.send(LoadFailed(order.digest, str(error)))
            return
        self._operations.configure(snapshot.log.format, snapshot.log.level)
        in_force = InForce(snapshot, order.digest, prepared, self._health_of, rosters, policies)
        self._counts.go_on_with(in_force.rules)
        retired = self._upstreams.adopt(prepared)
        self._endpoints.in_force = in_force
        self._forgive_unauthorized(retired, prepared)
        self._operations.event("info", "loaded", snapshot=order.digest[:12], routes=len(snapshot.routes))
        self._link.send(Loaded(order.digest))
        self._say_ready()
        for upstream in retired:
            upstream.pool.retire()
        for upstream in prepared.values():
            self._spawn(upstream.pool.warm())

    async def _count(self, snapshot: Snapshot, secrets: Secrets) -> None:
        """Take up what was counted before, then count with the other workers: an authority is told of it first."""
        self._secrets = secrets
        await self._counts.restore(snapshot, self._log)
        place = self._place
        if place is not None and self._log.healthy:
            self._place = None
            admission = self._admission
            own, crossed = admission.limiter, self._budgets.crossed
            admission.leases = await joined(place, snapshot, secrets, own, self._authority_changed, crossed)

    def _authority_changed(self, state: AuthorityState, reason: str) -> None:
        """Say and record how limits are counted from now on."""
        lost = state.phase != "in_touch"
        self._operations.event("error" if lost else "info", "limits_authority", state=state.phase, reason=reason)
        with contextlib.suppress(AuditUnavailable):
            self._journal.limits_authority(LimitsAuthority(state=state.phase, reason=reason))
        self._say_ready()

    def _health_of(self, target: str) -> TargetHealth:
        return self._health.setdefault(target, TargetHealth())

    def _forgive_unauthorized(self, retired: list[Upstream], prepared: dict[str, Upstream]) -> None:
        """A reload may have brought new keys: targets that were out for theirs are asked again.

        Only those of providers that have changed: others have the keys that were refused. An account's several keys
        are tried again all the same, for whoever reloads may have mended one at the provider.
        """
        changed = {upstream.provider.name for upstream in retired}
        for target, health in self._health.items():
            if health.rest_reason == "unauthorized" and target.partition("/")[0] in changed:
                health.resting_until = 0.0
        for upstream in prepared.values():
            upstream.restore_keys()

    async def _serve(self, snapshot: Snapshot) -> None:
        """Start the server, or give the running one what a reload changed."""
        limits = _limits(snapshot.server, snapshot.workers)
        tls = snapshot.tls
        if self._server is not None:
            if self._tls is not None and tls is not None:
                reload(self._tls, tls.cert, tls.key)  # first, for it may fail, and then nothing may have changed
            self._server.limits = limits
            return
        self._tls = server_context(tls.cert, tls.key) if tls is not None else None
        self._server = Server(self._endpoints.handle, limits, on_refused=self._wire_refused, on_fault=self._fault)
        await self._server.serve(self._listener, self._tls)

    def _wire_refused(self, error: CallError, peer: str) -> None:
        in_force = self._endpoints.in_force
        digest = in_force.digest if in_force is not None else ""
        self._refusals.add(error, refused_record(error, digest), said=True)
        self._operations.event("info", "request_refused", peer=peer, status=error.status, code=error.code)

    def _fault(self, error: Exception) -> None:
        where = traceback.extract_tb(error.__traceback__)[-1]
        self._operations.event(
            "error", "fault", kind=type(error).__name__, at=f"{Path(where.filename).name}:{where.lineno}"
        )

    async def _tick(self) -> None:
        """Flush what waits, and say when readiness changes."""
        counted = reported = time.monotonic()
        while True:
            await asyncio.sleep(TICK)
            self._operations.flush()
            self._say_ready()
            if time.monotonic() - counted >= REFUSALS_EVERY:
                counted = time.monotonic()
                self._log.heartbeat()
                self._flush_refusals()
                if self._endpoints.in_force is not None:
                    self._counts.keep(self._endpoints.in_force.rules)
            if time.monotonic() - reported >= REPORT_EVERY:
                reported = time.monotonic()
                self._report()

    def _report(self) -> None:
        """Say what nobody else can see: breakers, rests, flushes, calls in flight."""
        now, times = asyncio.get_running_loop().time(), self._log.flush_times
        report = Report(
            breakers={target: health.breaker.phase for target, health in self._health.items()},
            resting=tuple(target for target, health in self._health.items() if now < health.resting_until),
            flushes=tuple(times.counts),
            flush_seconds=times.total_seconds,
            in_flight=self._server.in_flight if self._server is not None else 0,
            log_waiting_bytes=self._log.backlog,
            limits_authority=self._admission.leases.state.phase if self._admission.leases is not None else "in_touch",
        )
        with contextlib.suppress(LinkBroken):  # the supervisor does not read; it has other ways to notice
            self._link.send(report)

    def _flush_refusals(self) -> None:
        try:
            self._refusals.flush()
        except CallError as error:
            self._operations.event("error", "refusals_unrecorded", reason=error.message)

    def _say_ready(self) -> None:
        reason = self._endpoints.why_not_ready()
        if (reason is None) == self._said_ready:
            return
        self._said_ready = reason is None
        if reason is None:
            gc.collect()
            gc.freeze()
            gc.set_threshold(YOUNG_OBJECTS)
            self._operations.event("info", "ready", compiled="yes" if compiled() else "no")
            self._link.send(Ready())
        else:
            self._operations.event("warning", "not_ready", reason=reason)
            self._link.send(NotReady(reason))
        self._operations.flush()

    async def _drain(self, deadline: float) -> None:
        """Take no more calls, let those in flight finish, close the log."""
        loop = asyncio.get_running_loop()
        self._exchange.draining = True
        self._say_ready()
        self._operations.event("info", "drain", calls=self._server.in_flight if self._server else 0)
        until = loop.time() + deadline
        if self._server is not None:
            await self._server.closed(until, self._exchange.cut)
        await self._exchange.judged(until)
        for upstream in self._upstreams.all():
            await upstream.pool.close()
        await self._exchange.close()
        self._flush_refusals()
        if self._admission.leases is not None:
            await self._admission.leases.close()
        await self._log.close()
        self._operations.event("info", "drained")
        self._operations.flush()
        self._link.send(Drained())
        await self._link.close()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _read(
    order: Load, known: Mapping[str, Roster], policies: Mapping[str, Policy]
) -> tuple[Snapshot, dict[str, Roster], dict[str, Policy]]:
    """Return the snapshot that an order names, with its directories and its policies.

    Raises OSError, or ValueError if a file is not the one that it should be, or a policy cannot be made.
    """
    data = Path(order.snapshot).read_bytes()
    if digest_of(data) != order.digest:
        raise ValueError(f"{order.snapshot} is not the snapshot {order.digest}")
    snapshot = decode_snapshot(data)
    rosters = read_rosters(snapshot, Path(order.snapshot).parent, known)
    return snapshot, rosters, make_policies(snapshot.guardrails, policies, order.secrets.guardrails)


def _limits(section: ServerSection, workers: int) -> ServerLimits:
    """Return a worker's share: what the file grants is for all of them together."""
    return ServerLimits(
        max_body=section.max_body,
        max_headers=section.max_headers,
        header_timeout=section.header_timeout,
        idle_timeout=section.idle_timeout,
        max_connections=-(-section.max_connections // workers),
        max_in_flight_bytes=section.max_in_flight_bytes // workers,
        max_pipelined=MAX_PIPELINED,
    )


def main() -> int:
    """Run a worker until it has drained; the exit code is 0, or 1 where its log cannot be used."""
    options = _options()
    operations = OperationalLog(sys.stderr.fileno(), options.log_format, options.log_level, f"worker-{options.index}")
    try:
        return uvloop.run(_run(options, operations))
    finally:
        operations.close()


async def _run(options: argparse.Namespace, operations: OperationalLog) -> int:
    link: Link[ToWorker] = await Link.open(socket.socket(fileno=options.channel), ToWorker)
    order = await link.receive()
    if not isinstance(order, OpenVault):  # told to end, or nobody is there to tell more
        await link.close()
        return 0
    vault = order.vault
    opening = LogOpening(partial(_open_log, options, vault), operations)
    opened = opening.now()
    if opened is None and options.without_log == "end":
        return 1
    listener = socket.socket(fileno=options.listen_fd)
    left = _left_logs(options)
    after = tuple([f"{log.parent.name}/{index_of(log.name)}" for log in left])
    place = WorkerPlace(options.index, options.restarts, socket.socket(fileno=options.leases), after)
    if opened is None:
        await Worker(UnopenedLog(), operations, listener, link, place, left).run_without_log(opening)
        return 0
    if options.index == FIRST:
        data_dir = open_data_dir(Path(options.data_dir))
        await end_left_calls(data_dir, options.node, options.workers, vault, operations)
    log, recovery = opened
    await Worker(log, operations, listener, link, place, left).run(recovery)
    return 0


def _left_logs(options: argparse.Namespace) -> list[Path]:
    """Return the directories of the logs that nobody goes on with, for the one worker that counts them."""
    return left_logs(Path(options.data_dir), options.node, options.workers) if options.index == FIRST else []


def _open_log(options: argparse.Namespace, vault: Vault, on_event: OnEvent) -> Opened:
    data_dir, name = open_data_dir(Path(options.data_dir)), log_of(options.index)
    directory, origin = data_dir.log_directory(options.node, name), data_dir.origin(options.node, name)
    keys = log_vault(data_dir.path, options.node, name, vault)
    return LogWriter.open(directory, origin, LogSettings(), on_event=on_event, vault=keys)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--listen-fd", type=int, required=True)
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--leases", type=int, required=True)
    parser.add_argument("--restarts", type=int, required=True)
    parser.add_argument("--without-log", choices=("end", "refuse"), default="end")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    parser.add_argument("--log-level", choices=tuple(LEVELS), default="info")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
