"""What of the gateway is measured, and how long."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Part(StrEnum):
    """What can be measured by itself."""

    startup = "startup"
    memory = "memory"
    latency = "latency"
    throughput = "throughput"
    streams = "streams"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One run. `seconds` is the time of each single measurement; `rate` is in deltas a second, of each stream.

    Memory is looked at after `first_calls` and after `calls` in all: caches and buffers are full by then, so that what
    comes on top is growth.
    """

    parts: frozenset[Part] = frozenset(Part)
    seconds: float = 5.0
    workers: int = 1
    callers: int = 64
    streams: tuple[int, ...] = (200, 500)
    rate: float = 50.0
    deltas: int = 64
    starts: int = 3
    first_calls: int = 10_000
    calls: int = 50_000
    directory: Path | None = None
