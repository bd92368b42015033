"""From measurements to figures, each with its target. Pure.

The targets are what Trunkline promises with one worker and all of the gateway on one core; with more workers there are
none, and what is a worker's is the mean of them.
"""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from trunkline.cli.bench.measure import Measurements, Memory, Pair

MEGABYTE = 1_000_000
# The load that the targets for streams speak of; above it they promise nothing.
PROMISED_RATE = 50.0
FIRST_TOKEN_STREAMS = 200
WHOLE_STREAMS = 500


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the report. `met` is None where there is no target or nothing was measured."""

    part: str
    name: str
    unit: str
    direct: float | None = None
    gateway: float | None = None
    added: float | None = None
    target: str | None = None
    met: bool | None = None


@dataclass(frozen=True)
class Target:
    """What a figure is to be; `below` excludes the limit itself."""

    words: str
    limit: float
    kind: str  # at_least | at_most | below

    def met(self, value: float | None) -> bool | None:
        """Say whether a figure is what it is to be."""
        if value is None:
            return None
        if self.kind == "at_least":
            return value >= self.limit
        return value < self.limit if self.kind == "below" else value <= self.limit


READY = Target("at most 1.5 s", 1.5, "at_most")
CALLS = Target("at least 10,000", 10_000, "at_least")
ADDED = Target("at most 1 ms added", 1.0, "at_most")
FIRST_P50 = Target("at most 1 ms added", 1.0, "at_most")
FIRST_P99 = Target("at most 5 ms added", 5.0, "at_most")
GAP = Target("below 30 ms", 30.0, "below")
LOST = Target("none", 0, "at_most")
WORKER = Target("at most 80 MB", 80.0, "at_most")
PROCESSES = Target("at most 200 MB", 200.0, "at_most")
GROWTH = Target("below 2 MB", 2.0, "below")


def figures(found: Measurements) -> list[Figure]:
    """Return the lines of the report, in the order in which a reader wants them."""
    lines: list[Figure] = []
    if found.startup:
        lines.append(_gateway("Start-up", f"ready, median of {len(found.startup)}", "s", _ready(found), READY))
    if found.latency is not None:
        lines += _latency(found.latency)
    if found.throughput is not None:
        lines += _throughput(found.throughput)
    for pair in found.streams:
        lines += _streams(pair, found.rate, found.workers)
    if found.memory is not None:
        lines += _memory(found.memory, found.workers)
    return lines if found.workers == 1 else [msgspec.structs.replace(line, target=None, met=None) for line in lines]


def _ready(found: Measurements) -> float:
    return statistics.median(found.startup)


def _latency(pair: Pair) -> Iterator[Figure]:
    part = "JSON, 1 caller"
    yield _both(part, "p50", "ms", (pair.direct.took.p50, pair.gateway.took.p50), ADDED)
    yield _both(part, "p99", "ms", (pair.direct.took.p99, pair.gateway.took.p99))


def _throughput(pair: Pair) -> Iterator[Figure]:
    part = f"JSON, {pair.callers} callers"
    direct, gateway = pair.direct, pair.gateway
    yield Figure(
        part=part,
        name="calls a second",
        unit="",
        direct=round(direct.per_second),
        gateway=round(gateway.per_second),
        target=CALLS.words,
        met=CALLS.met(gateway.per_second),
    )
    yield _both(part, "p50", "ms", (direct.took.p50, gateway.took.p50))
    yield _both(part, "p99", "ms", (direct.took.p99, gateway.took.p99))
    if gateway.answered:
        yield _gateway(part, "worker's CPU time a call", "µs", pair.cpu.worker / gateway.answered * 1e6)
        yield _gateway(part, "all processes' CPU time a call", "µs", pair.cpu.all / gateway.answered * 1e6)


def _streams(pair: Pair, rate: float, workers: int) -> Iterator[Figure]:
    part = f"{pair.callers} streams, {rate:g} deltas/s"
    direct, gateway = pair.direct, pair.gateway
    slow_enough = rate <= PROMISED_RATE
    quick = slow_enough and pair.callers <= FIRST_TOKEN_STREAMS
    whole = slow_enough and pair.callers <= WHOLE_STREAMS
    p50, p99 = (direct.first.p50, gateway.first.p50), (direct.first.p99, gateway.first.p99)
    yield _both(part, "first token p50", "ms", p50, FIRST_P50 if quick else None)
    yield _both(part, "first token p99", "ms", p99, FIRST_P99 if quick else None)
    yield Figure(
        part=part,
        name="gap p99",
        unit="ms",
        direct=direct.gaps.p99,
        gateway=gateway.gaps.p99,
        target=GAP.words if whole else None,
        met=GAP.met(gateway.gaps.p99) if whole else None,
    )
    yield Figure(
        part=part,
        name="lost",
        unit="streams",
        direct=direct.lost,
        gateway=gateway.lost,
        target=LOST.words if whole else None,
        met=LOST.met(gateway.lost) if whole else None,
    )
    yield _gateway(part, "worker's share of its core", "%", pair.cpu.worker / workers / gateway.seconds * 100)


def _memory(memory: Memory, workers: int) -> Iterator[Figure]:
    part = "Memory (PSS)"
    unit = MEGABYTE * workers
    grown = (memory.at_calls.worker_bytes - memory.at_first_calls.worker_bytes) / unit
    between = f"worker's growth, calls {memory.first_calls:,} to {memory.calls:,}"
    yield _gateway(part, "worker when ready", "MB", memory.ready.worker_bytes / unit)
    yield _gateway(part, "worker at the end", "MB", memory.at_end.worker_bytes / unit, WORKER)
    yield _gateway(part, "all processes at the end", "MB", memory.at_end.all_bytes / MEGABYTE, PROCESSES)
    yield _gateway(part, between, "MB", grown, GROWTH)


def _both(
    part: str, name: str, unit: str, values: tuple[float | None, float | None], target: Target | None = None
) -> Figure:
    """Return a figure that is judged by what the gateway adds."""
    direct, gateway = values
    added = None if direct is None or gateway is None else round(gateway - direct, 3)
    return Figure(
        part=part,
        name=name,
        unit=unit,
        direct=direct,
        gateway=gateway,
        added=added,
        target=target.words if target else None,
        met=target.met(added) if target else None,
    )


def _gateway(part: str, name: str, unit: str, value: float, target: Target | None = None) -> Figure:
    """Return a figure that the gateway alone has."""
    return Figure(
        part=part,
        name=name,
        unit=unit,
        gateway=round(value, 3),
        target=target.words if target else None,
        met=target.met(value) if target else None,
    )
