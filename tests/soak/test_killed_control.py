"""Control and workers are killed under load: the index in the end is that of a rebuild, and has every call."""

import os
import random
import signal
import sys
from pathlib import Path

import pytest
from running_gateway import Gateway, gateway, write_configuration
from test_kills_and_reloads import Load, worker_of

from trunkline.cli.control_client import NobodyAnswers
from trunkline.cli.failure import Failed
from trunkline.ledger.follow import rebuild
from trunkline.simulator import Script, Simulator

sys.path.insert(0, str(Path(__file__).parent.parent))
from ledger.logs import follow, open_index, tables

pytestmark = pytest.mark.soak

KILLS = 12
ANSWERS_BETWEEN = (5, 400)


def control_of(running: Gateway) -> int:
    """The process that answers; asked again while there is none."""
    while True:
        try:
            return int(running.status()["control"]["pid"])
        except (NobodyAnswers, Failed):
            pass


@pytest.mark.parametrize("workers", [1, 3])
def test_an_index_whose_control_was_killed_again_and_again_is_that_of_a_rebuild(tmp_path, workers):
    chance = random.Random(5)
    with Simulator.in_thread(openai=Script(tokens_per_second=400.0)) as simulator:
        write_configuration(tmp_path, provider=simulator.openai.port, more=f"workers: {workers}\n")
        with gateway(tmp_path) as running:
            with Load(running) as load:
                for number in range(KILLS):
                    load.wait_for(chance.randint(*ANSWERS_BETWEEN))
                    control = control_of(running)
                    if number % 4 == 3:
                        index = chance.randrange(workers)
                        os.kill(worker_of(running, index), signal.SIGKILL)
                        running.until("ready", f"worker-{index}")
                    os.kill(control, signal.SIGKILL)
            answered = {call for call, status, _ in load.answers if status == 200}
            control_of(running)
    index = open_index(tmp_path / "data")
    try:
        follow(index, tmp_path / "data")
        found = tables(index)
        calls = {str(row[1]) for row in found["calls"]}
        assert answered <= calls
        assert len(calls) == len(found["calls"])
        assert (found["running"], found["unreadable"]) == ([], [])
        assert rebuild(index, tmp_path / "data", lambda *_: None) == []
        assert tables(index) == found
    finally:
        index.close()
