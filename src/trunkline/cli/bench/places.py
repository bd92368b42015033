"""Which cores belong to whom: the gateway has its own, one for each worker, and what measures it has another."""

import contextlib
import os
import resource
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """The cores of the gateway's processes, and the one of the fake provider and the load generator."""

    gateway: tuple[int, ...]
    load: int

    @property
    def shared(self) -> bool:
        """Whether there is but one core for all."""
        return self.load in self.gateway


def choose(cores: Collection[int], siblings: dict[int, frozenset[int]], workers: int = 1) -> Places:
    """Return a core for the load and one for each worker, as far as there are any.

    The load is on other hardware than the first worker where possible: a core's sibling is its other thread.
    """
    first, *others = sorted(cores)
    apart = [core for core in others if core not in siblings.get(first, frozenset())]
    load = (apart or others or [first])[0]
    rest = [core for core in others if core != load]
    return Places((first, *rest[: workers - 1]), load)


def here(workers: int = 1) -> Places:
    """Return the places on this machine, among the cores that this process may use."""
    cores = os.sched_getaffinity(0)
    return choose(cores, {core: _siblings(core) for core in cores}, workers)


@contextlib.contextmanager
def on_cores(*cores: int) -> Iterator[None]:
    """Whatever this thread starts meanwhile runs on these cores alone, and so does what is started by that."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def allow_many_connections() -> None:
    """Let this process have as many descriptors as it may: a shell's usual limit is below a thousand streams."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _siblings(core: int) -> frozenset[int]:
    listed = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    try:
        return parse_cores(listed.read_text())
    except OSError:
        return frozenset()


def parse_cores(text: str) -> frozenset[int]:
    """Read a list of cores as the kernel writes them: `0,4` or `0-3,8`."""
    cores: set[int] = set()
    for item in text.strip().split(","):
        first, _, last = item.partition("-")
        cores.update(range(int(first), int(last or first) + 1))
    return frozenset(cores)
