"""Making the system calls of a real process fail, from outside, with strace."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

ATTACHED = re.compile(rb"Process \d+ attached")
INJECTED = b"(INJECTED)"


class Tracer:
    """An strace that is attached; `hits` is known when it has been detached."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.hits = 0

    def attached(self) -> None:
        assert self.process.stderr is not None
        lines = []
        for line in self.process.stderr:
            lines.append(line)
            if ATTACHED.search(line):
                return
        raise AssertionError(b"".join(lines).decode())

    def detach(self) -> None:
        self.process.terminate()
        _, rest = self.process.communicate(timeout=30)
        self.hits = rest.count(INJECTED)


@contextmanager
def failing(pid: int, call: str, error: str, when: str, *more: str) -> Iterator[Tracer]:
    """Have the system call fail in this process, its threads and children, at the moments that `when` says (strace)."""
    command = ["strace", "-f", "-p", str(pid), "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={when}"]
    with subprocess.Popen([*command, *more], stderr=subprocess.PIPE) as process:
        tracer = Tracer(process)
        try:
            tracer.attached()
            yield tracer
        finally:
            if process.returncode is None:
                tracer.detach()


@pytest.fixture(scope="session")
def _may_trace() -> None:
    """Skip where a process may not be traced, or there is nothing to do it with."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed; tools/setup.sh does that when it runs as root")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        try:
            tried = subprocess.run(
                ["strace", "-e", "trace=none", "-p", str(other.pid)], capture_output=True, timeout=1, check=False
            )
            refused = tried.returncode != 0
        except subprocess.TimeoutExpired:  # it is attached and would go on for ever
            refused = False
        finally:
            other.kill()
    if refused:
        pytest.skip(f"no process may be traced here: {tried.stderr.decode().strip()}")
