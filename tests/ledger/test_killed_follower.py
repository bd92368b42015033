"""Whoever follows the logs is killed at any moment, again and again: the index in the end is that of a rebuild."""

import random
import subprocess
import sys
import threading

import pytest

from ledger.logs import Machine, abandoned, closed, follow, open_index, opened, refused, tables
from trunkline.ledger.follow import rebuild

# Small steps: as many transactions as can be, so that many kills hit one.
FOLLOWER = """
import sys
from pathlib import Path
from trunkline.ledger.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]), print)
ledger.open()
print(flush=True)
while True:
    ledger.step(int(sys.argv[2]))
"""


class Writing(threading.Thread):
    """Opens, closes, abandons and refuses calls in two logs until it is told to end."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(daemon=True)
        self._machine, self.over, self.calls = machine, threading.Event(), 0

    def run(self) -> None:
        draw = random.Random(7)
        running: list[tuple[int, str]] = []
        while not self.over.is_set():
            self.calls += 1
            log = draw.choice(["worker-0", "worker-1"])
            self._machine.write(opened(self.calls, tags={"n": "1"}), log, {"request": b"x" * draw.randrange(3000)})
            running.append((self.calls, log))
            if len(running) > draw.randrange(30):
                number, of_log = running.pop(draw.randrange(len(running)))
                self._machine.write(draw.choice([closed, closed, closed, abandoned])(number), of_log)
            if draw.random() < 0.1:
                self._machine.write(refused(self.calls), log)
            if draw.random() < 0.2:
                self._machine.flush()


def kill_again_and_again(machine: Machine, times: int) -> None:
    draw = random.Random(11)
    for _ in range(times):
        arguments = [sys.executable, "-c", FOLLOWER, str(machine.path), str(draw.choice([1, 20, 500]))]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            try:
                child.wait(draw.random() * 0.5)
            except subprocess.TimeoutExpired:
                child.kill()
            else:
                pytest.fail("the follower ended by itself")


@pytest.mark.parametrize("times", [3, pytest.param(100, marks=pytest.mark.soak)])
def test_no_record_is_missed_or_doubled_whenever_it_was_killed(tmp_path, times):
    machine = Machine(tmp_path)
    machine.log("worker-0")
    writing = Writing(machine)
    writing.start()
    try:
        kill_again_and_again(machine, times)
    finally:
        writing.over.set()
        writing.join()
        machine.stop()
    index = open_index(machine.path)
    try:
        follow(index, machine.path)
        found = tables(index)
        assert found["unreadable"] == []
        assert len(found["calls"]) + len(found["running"]) == writing.calls
        assert rebuild(index, machine.path, lambda *_: None) == []
        assert tables(index) == found
    finally:
        index.close()
