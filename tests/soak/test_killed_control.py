"""Control and workers are killed under load: the index is that of a rebuild and has every call; the logs are signed."""

import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from running_gateway import Gateway, gateway, gone, write_configuration
from test_kills_and_reloads import Load

from trunkline.audit.files.key_file import read_public_key
from trunkline.audit.files.verification import Verification
from trunkline.ledger.follow import rebuild
from trunkline.ledger.index import DIRECTORY, FILE
from trunkline.simulator import Script, Simulator

sys.path.insert(0, str(Path(__file__).parent.parent))
from ledger.logs import follow, open_index, tables

pytestmark = pytest.mark.soak

# Control is started again ever later, up to 5 s, the quicker it dies: a hundred kills of one gateway would be ten
# minutes of waiting. One that begins anew, with the logs and the index of the last, starts it again at once.
GATEWAYS, KILLS_OF_ONE = 20, 5
CALLERS = 6
# What a kill hits. Answers until it, from when the process is there and from when it has the index open.
STARTING, FOLLOWING, ADDING = "starting", "following", "adding"
MOMENTS = (STARTING, FOLLOWING, ADDING)
OF_A_START, OF_FOLLOWING = (0, 50), (0, 80)
# Control lets all others go first: a busy machine makes it wait. Seconds.
WITHIN = 300.0
CONTROL, WORKER = b"trunkline.control", b"trunkline.gateway.worker"


class Target:
    """The control process of a running gateway, seen from outside: it is not asked, at no moment of its life."""

    def __init__(self, running: Gateway, load: Load) -> None:
        self._supervisor, self._load = running.process.pid, load
        self._index = running.directory / "data" / DIRECTORY / FILE
        self.pid = self.child(CONTROL)

    def child(self, module: bytes) -> int:
        """Return the process that runs a module, when there is one."""
        while not (found := [pid for pid in self._children() if module in _read(f"/proc/{pid}/cmdline")]):
            self._load.wait_for(1)
        return found[0]

    def has_index(self) -> bool:
        """Whether it has opened the index, and so reads the logs into it."""
        try:
            return any(_link(file) == str(self._index) for file in Path(f"/proc/{self.pid}/fd").iterdir())
        except FileNotFoundError:
            return False

    def until_it_has_the_index(self) -> None:
        self._until(self.has_index)

    def until_it_adds(self) -> None:
        """Wait until the index's own log grows: a transaction is being written, or was a moment ago."""
        before = self._written()
        self._until(lambda: self._written() not in {before, 0})

    def _until(self, happened: Callable[[], bool]) -> None:
        give_up = time.monotonic() + WITHIN
        while not happened():
            assert time.monotonic() < give_up, "control does not get there"
            self._load.wait_for(1)

    def _written(self) -> int:
        try:
            return self._index.with_name(FILE + ".wal").stat().st_size
        except FileNotFoundError:
            return 0

    def _children(self) -> list[int]:
        return [int(pid) for pid in _read(f"/proc/{self._supervisor}/task/{self._supervisor}/children").split()]


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return ""


def kill(target: Target, load: Load, chance: random.Random) -> str:
    """Kill control at a moment that is drawn; return what it was at."""
    moment = chance.choice(MOMENTS)
    if moment == STARTING:
        load.wait_for(chance.randint(*OF_A_START))
        moment = FOLLOWING if target.has_index() else STARTING
    else:
        target.until_it_has_the_index()
        if moment == FOLLOWING:
            load.wait_for(chance.randint(*OF_FOLLOWING))
        else:
            target.until_it_adds()
    os.kill(target.pid, signal.SIGKILL)
    assert gone(target.pid)
    return moment


def killed_again_and_again(directory: Path, chance: random.Random) -> tuple[Counter[str], set[str]]:
    """Kill control of one gateway after the other, and a worker of each; return what was hit, and who was answered."""
    moments: Counter[str] = Counter()
    answered: set[str] = set()
    for _ in range(GATEWAYS):
        with gateway(directory) as running:
            with Load(running, CALLERS) as load:
                for _ in range(KILLS_OF_ONE):
                    moments[kill(Target(running, load), load, chance)] += 1
                os.kill(Target(running, load).child(WORKER), signal.SIGKILL)
                running.until("ready", "worker-0")
            answered |= {call for call, status, _ in load.answers if status == 200}
    return moments, answered


def test_an_index_whose_control_was_killed_a_hundred_times_is_that_of_a_rebuild(tmp_path):
    seed = random.randrange(1 << 32)
    with Simulator.in_thread(openai=Script(tokens_per_second=400.0)) as simulator:
        write_configuration(tmp_path, provider=simulator.openai.port)
        moments, answered = killed_again_and_again(tmp_path, random.Random(seed))
    assert sum(moments.values()) == GATEWAYS * KILLS_OF_ONE
    assert all(moments[moment] >= GATEWAYS * KILLS_OF_ONE // 10 for moment in MOMENTS), moments
    index = open_index(tmp_path / "data")
    try:
        follow(index, tmp_path / "data")
        found = tables(index)
        calls = {str(row[1]) for row in found["calls"]}
        assert answered <= calls, f"seed {seed}"
        assert len(calls) == len(found["calls"])
        assert (found["running"], found["unreadable"]) == ([], [])
        assert rebuild(index, tmp_path / "data", lambda *_: None) == []
        assert tables(index) == found, f"seed {seed}"
    finally:
        index.close()
    report = Verification(tmp_path / "data", read_public_key(tmp_path / "data"), time.time_ns(), lambda _: None).run()
    assert [found for found in report.findings if found.kind == "damage"] == [], f"seed {seed}"
    assert report.checkpoints > GATEWAYS
