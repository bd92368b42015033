import os
import signal

import pytest

from trunkline.cli.bench.gateway import complaints, running
from trunkline.cli.bench.loading import generate
from trunkline.cli.bench.places import here
from trunkline.cli.bench.plan import LoadPlan
from trunkline.cli.failure import Failed
from trunkline.operations import OperationalLog

PLACES = here()


def test_a_gateway_that_loses_its_provider_fails_its_calls_and_its_log_says_so(tmp_path):
    """Port 9 is nobody's."""
    with running(PLACES.gateway, 9, tmp_path) as gateway:
        assert gateway.key not in repr(gateway)
        assert os.sched_getaffinity(gateway.process.pid) == set(PLACES.gateway)
        plan = LoadPlan(
            host="127.0.0.1", port=gateway.port, key=gateway.key, model="advisor-voice", callers=1, deltas=3, calls=8
        )
        result = generate(plan, PLACES.load)
        assert result.answered == 0
        assert sum(result.failed.values()) == 8
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(30) == 0
        assert any("breaker" in line for line in complaints(gateway.log))
    assert list(tmp_path.iterdir()) == []


def test_complaints_are_the_first_lines_that_are_out_of_the_ordinary(tmp_path):
    path = tmp_path / "gateway.log"
    with path.open("wb") as file:
        log = OperationalLog(file.fileno(), "text", "info", "worker-0")
        for number in range(9):
            log.event("info", "ready", warning="error")
            log.event("warning" if number % 2 else "error", "odd", number=number)
        log.close()
    assert [line.split()[-1] for line in complaints(path)] == ["number=0", "number=1", "number=2"]


def test_a_gateway_that_does_not_start_says_why(tmp_path):
    with (
        pytest.raises(Failed, match=r"did not start; its last words: .*base_url"),
        running(PLACES.gateway, 99999, tmp_path),
    ):
        pytest.fail("it has started")
    assert list(tmp_path.iterdir()) == []
