"""The machine that a run was made on, and who else used its cores meanwhile."""

import os
import platform
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from trunkline import __version__
from trunkline.cli.bench.disk import durable_writes
from trunkline.cli.bench.places import Places
from trunkline.cli.bench.plan import Spread
from trunkline.gateway.machine_code import compiled

_TICKS = os.sysconf("SC_CLK_TCK")
# File systems in memory: what is written to them is not durable and costs nothing.
IN_MEMORY = frozenset({"tmpfs", "ramfs"})


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What figures depend on. `load_core` is among `gateway_cores` where there is but one.

    `compiled` says whether the path of a call is machine code. `durable_write` is how long the disk itself takes for
    4 KB, in milliseconds.
    """

    trunkline: str
    python: str
    compiled: bool
    kernel: str
    processor: str
    cores: int
    gateway_cores: tuple[int, ...]
    load_core: int
    file_system: str
    durable_write: Spread


class Elsewhere(msgspec.Struct, frozen=True):
    """Shares of the cores' time, 0 to 1: used by processes that are none of ours, and withheld by the hypervisor."""

    others: float
    stolen: float


def machine(places: Places, directory: Path | None) -> Machine:
    """Return the facts of this machine; the disk is asked for what a run will ask of it."""
    log = Path(directory or tempfile.gettempdir())
    return Machine(
        trunkline=__version__,
        python=platform.python_version(),
        compiled=compiled(),
        kernel=platform.release(),
        processor=_processor(Path("/proc/cpuinfo").read_text()),
        cores=len(os.sched_getaffinity(0)),
        gateway_cores=places.gateway,
        load_core=places.load,
        file_system=file_system(log, Path("/proc/self/mountinfo").read_text()),
        durable_write=durable_writes(log),
    )


@dataclass(frozen=True)
class Moment:
    """The cores' time in seconds, and ours, at one moment."""

    wall: float
    busy: float
    stolen: float
    ours: float
    cores: int

    def until(self, later: "Moment") -> Elsewhere:
        """Return what others had of the cores between two moments."""
        available = max((later.wall - self.wall) * self.cores, 1e-9)
        stolen = later.stolen - self.stolen
        others = later.busy - self.busy - (later.ours - self.ours)
        return Elsewhere(*(round(min(max(part / available, 0.0), 1.0), 3) for part in (others, stolen)))


def now(places: Places) -> Moment:
    """Look at the clock of the cores that are measured on.

    What our processes have used is known once they have ended: take the second moment then.
    """
    cores = {*places.gateway, places.load}
    busy, stolen = parse_cores_time(Path("/proc/stat").read_text(), cores)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    ours = sum(one.ru_utime + one.ru_stime for one in used)
    return Moment(time.monotonic(), busy, stolen, ours, len(cores))


def parse_cores_time(text: str, cores: set[int]) -> tuple[float, float]:
    """Read from /proc/stat (proc_stat(5)) for how long these cores were busy and stolen, in seconds.

    Interrupts count as busy: a loopback connection's work is done in them, and charged to whoever runs.
    """
    busy = stolen = 0
    for line in text.splitlines():
        name, *fields = line.split()
        if name.removeprefix("cpu").isdigit() and int(name.removeprefix("cpu")) in cores:
            user, nice, system, _, _, irq, softirq, steal = (int(field) for field in fields[:8])
            busy += user + nice + system + irq + softirq
            stolen += steal
    return busy / _TICKS, stolen / _TICKS


def file_system(directory: Path, mounts: str) -> str:
    """Return the type of the file system that holds a directory, from the text of /proc/self/mountinfo."""
    best, kind = 0, "unknown"
    for line in mounts.splitlines():
        fields = line.split()
        mount = Path(fields[4].replace("\\040", " "))
        if directory.resolve().is_relative_to(mount) and len(mount.parts) >= best:
            best, kind = len(mount.parts), fields[fields.index("-") + 1]
    return kind


def _processor(text: str) -> str:
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()
