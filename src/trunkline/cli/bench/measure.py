"""One run: the parts that are asked for, the provider directly and through the gateway, one after the other."""

from collections.abc import Callable

import msgspec

from trunkline.cli.bench.gateway import ROUTE, Gateway, complaints, running
from trunkline.cli.bench.loading import generate
from trunkline.cli.bench.places import Places
from trunkline.cli.bench.plan import LoadPlan, LoadResult
from trunkline.cli.bench.processes import Use, use_of
from trunkline.cli.bench.settings import Part, Settings
from trunkline.cli.bench.transcript import MODEL
from trunkline.cli.bench.upstream import provider

HOST = "127.0.0.1"
# Enough for connections to be open and for the interpreter to have specialised what is called often.
WARM_UP_CALLS = 1_000
SPREAD = 1.3

Tell = Callable[[str], None]


class Cpu(msgspec.Struct, frozen=True):
    """CPU time during a measurement, in seconds: of the worker, and of all the gateway's processes."""

    worker: float
    all: float


class Pair(msgspec.Struct, frozen=True):
    """The same load upon the provider and upon the gateway before it."""

    callers: int
    direct: LoadResult
    gateway: LoadResult
    cpu: Cpu


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Proportional set sizes in bytes: before the first call, after so many calls, and at the end of the run."""

    first_calls: int
    calls: int
    ready: Use
    at_first_calls: Use
    at_calls: Use
    at_end: Use


class Measurements(msgspec.Struct, kw_only=True):
    """What a run has measured; a part that was not asked for is empty. `startup` in seconds.

    `complaints` are of the gateway's log, where calls have failed.
    """

    rate: float
    workers: int = 1
    startup: list[float] = []
    memory: Memory | None = None
    latency: Pair | None = None
    throughput: Pair | None = None
    streams: list[Pair] = []
    other_loads: list[LoadResult] = []
    complaints: list[str] = []

    def loads(self) -> list[tuple[str, LoadResult]]:
        """Return every load with a name for it."""
        named = [("warming up", load) for load in self.other_loads]
        pairs = [("calls", pair) for pair in (self.latency, self.throughput) if pair is not None]
        for kind, pair in [*pairs, *(("streams", pair) for pair in self.streams)]:
            named.append((f"{pair.callers} callers, {kind}, direct", pair.direct))
            named.append((f"{pair.callers} callers, {kind}, through the gateway", pair.gateway))
        return named


def measure(settings: Settings, places: Places, tell: Tell) -> Measurements:
    """Carry out a run; `tell` hears what is being measured. Raises Failed if something does not come up."""
    run = _Run(settings, places, tell)
    with provider(places.load, settings.deltas, settings.rate) as run.provider:
        if Part.startup in settings.parts:
            run.starts()
        if settings.parts - {Part.startup}:
            tell("starting the gateway")
            with running(places.gateway, run.provider, settings.directory, settings.workers) as gateway:
                run.loads(gateway)
    return run.found


class _Run:
    def __init__(self, settings: Settings, places: Places, tell: Tell) -> None:
        self._settings, self._places, self._tell = settings, places, tell
        self.provider = 0
        self.found = Measurements(rate=settings.rate, workers=settings.workers)

    def starts(self) -> None:
        """Start the gateway as often as asked for."""
        for number in range(self._settings.starts):
            self._tell(f"start {number + 1} of {self._settings.starts}")
            where, settings = self._places.gateway, self._settings
            with running(where, self.provider, settings.directory, settings.workers) as gateway:
                self.found.startup.append(round(gateway.ready_after, 3))

    def loads(self, gateway: Gateway) -> None:
        """Measure all that needs a running gateway. Memory comes first, for it counts calls from the beginning."""
        parts = self._settings.parts
        memory = None
        if Part.memory in parts:
            memory = self._growth(gateway)
        else:
            self._warm_up(gateway)
        if Part.latency in parts:
            self.found.latency = self._pair(gateway, self._plan(1))
        if Part.throughput in parts:
            self.found.throughput = self._pair(gateway, self._plan(self._settings.callers))
        if Part.streams in parts:
            for count in self._settings.streams:
                plan = msgspec.structs.replace(self._plan(count), stream=True, spread=SPREAD)
                self.found.streams.append(self._pair(gateway, plan))
        if any(load.amiss for _, load in self.found.loads()):
            self.found.complaints = complaints(gateway.log)
        if memory is not None:
            self.found.memory = msgspec.structs.replace(memory, at_end=use_of(gateway.process.pid))

    def _growth(self, gateway: Gateway) -> Memory:
        first, calls, pid = self._settings.first_calls, self._settings.calls, gateway.process.pid
        ready = use_of(pid)
        self._tell(f"memory after {first} calls, and after {calls}")
        plan = self._to(gateway, self._plan(self._settings.callers))
        self._other(msgspec.structs.replace(plan, calls=first))
        at_first_calls = use_of(pid)
        self._other(msgspec.structs.replace(plan, calls=calls - first))
        at_calls = use_of(pid)
        return Memory(
            first_calls=first,
            calls=calls,
            ready=ready,
            at_first_calls=at_first_calls,
            at_calls=at_calls,
            at_end=at_calls,
        )

    def _warm_up(self, gateway: Gateway) -> None:
        self._tell("warming up")
        self._other(msgspec.structs.replace(self._to(gateway, self._plan(self._settings.callers)), calls=WARM_UP_CALLS))

    def _other(self, plan: LoadPlan) -> None:
        self.found.other_loads.append(generate(plan, self._places.load))

    def _pair(self, gateway: Gateway, plan: LoadPlan) -> Pair:
        kind = "stream" if plan.stream else "caller"
        what = f"{plan.callers} {kind}{'s' if plan.callers > 1 else ''}"
        self._tell(f"{what}, direct, {plan.seconds:g} s")
        direct = generate(plan, self._places.load)
        self._tell(f"{what}, through the gateway, {plan.seconds:g} s")
        before = use_of(gateway.process.pid)
        through = generate(self._to(gateway, plan), self._places.load)
        worker, everyone = use_of(gateway.process.pid).cpu_since(before)
        return Pair(plan.callers, direct, through, Cpu(worker, everyone))

    def _plan(self, callers: int) -> LoadPlan:
        """Return the plan of a load upon the provider itself."""
        return LoadPlan(
            host=HOST,
            port=self.provider,
            key="sk-bench",
            model=MODEL,
            callers=callers,
            deltas=self._settings.deltas,
            seconds=self._settings.seconds,
        )

    def _to(self, gateway: Gateway, plan: LoadPlan) -> LoadPlan:
        return msgspec.structs.replace(plan, port=gateway.port, key=gateway.key, model=ROUTE)
