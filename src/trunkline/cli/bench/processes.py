"""Memory and CPU time of a process and all that it has started, as Linux tells them in /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

_TICKS = os.sysconf("SC_CLK_TCK")
_WORKER = "trunkline.gateway.worker"


@dataclass(frozen=True)
class Stat:
    """A line of /proc/PID/stat: the parent, and the CPU time used so far in seconds."""

    parent: int
    cpu: float


class Use(msgspec.Struct, frozen=True):
    """What the workers and all processes together use: proportional set size in bytes, CPU time in seconds.

    A proportional set size counts what is shared with others in equal parts, so that the sum over processes is true.
    """

    worker_bytes: int
    all_bytes: int
    worker_cpu: float
    all_cpu: float

    def cpu_since(self, before: "Use") -> tuple[float, float]:
        """Return the CPU time since then, of the workers and of all processes."""
        return self.worker_cpu - before.worker_cpu, self.all_cpu - before.all_cpu


def use_of(root: int) -> Use:
    """Return what a process and its descendants use; those that end meanwhile are left out."""
    worker_bytes = all_bytes = 0
    worker_cpu = all_cpu = 0.0
    for pid in family(root):
        directory = Path(f"/proc/{pid}")
        try:
            held = parse_pss((directory / "smaps_rollup").read_text())
            cpu = parse_stat((directory / "stat").read_text()).cpu
            is_worker = _WORKER in (directory / "cmdline").read_text().split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        all_bytes += held
        all_cpu += cpu
        if is_worker:
            worker_bytes += held
            worker_cpu += cpu
    return Use(worker_bytes, all_bytes, worker_cpu, all_cpu)


def family(root: int) -> list[int]:
    """Return a process and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = parse_stat((entry / "stat").read_text()).parent
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def parse_stat(text: str) -> Stat:
    """Read /proc/PID/stat (proc_pid_stat(5)); the name in it may hold spaces and parentheses."""
    fields = text[text.rindex(")") + 2 :].split()
    return Stat(int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICKS)


def parse_pss(text: str) -> int:
    """Read the proportional set size from /proc/PID/smaps_rollup, in bytes."""
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no Pss in smaps_rollup")
