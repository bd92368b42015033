"""Each system call by which a log is written, failed in turn in the real process: nothing acknowledged is lost."""

import base64
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from running_gateway import PATIENCE, SECRET, Gateway, gateway, gone, write_configuration
from test_kills_and_reloads import CALLERS, Load, whole_in_the_log, worker_of
from tracing import _may_trace, failing

from audit.logs import bodies, closed, open_log, records, request_of
from trunkline.simulator import Script, Simulator

__all__ = ["_may_trace"]

pytestmark = [pytest.mark.soak, pytest.mark.usefixtures("_may_trace")]

CALLS = ("pwritev2", "fsync", "openat", "rename", "ftruncate", "fchmod", "fallocate", "statfs")
WHOLE_STORY = 60.0  # seconds after which a writer hangs

WRITER = """
import asyncio, os, sys
from pathlib import Path
from audit.logs import closed, open_log, opened
from trunkline.audit.files.writer import LogFailed

def say(line):
    os.write(1, line.encode() + b"\\n")

async def caller(log, name):
    for number in range(12):
        call = f"{name}-{number}"
        await log.wait(opened(log, call, size=3000))
        say(f"call.opened {call}")
        await log.wait(closed(log, call, bodies={"response": b"answer to " + call.encode()}))
        say(f"call.closed {call}")

async def main():
    log, _ = open_log(Path(sys.argv[1]))
    say("ready -")
    sys.stdin.readline()
    ends = await asyncio.gather(*(caller(log, name) for name in "abcd"), return_exceptions=True)
    strange = [end for end in ends if end is not None and not isinstance(end, LogFailed)]
    assert not strange, strange
    assert all(ends) or not any(ends), ends
    await log.close()
    say(f"failed {log.failure}" if log.failure else "whole -")

asyncio.run(main())
"""


def turns() -> Iterator[int]:
    """Yield the first few numbers and ever fewer of those after them: a story has hundreds of writes."""
    number = step = 1
    while True:
        yield number
        number += step
        step += number // 8


@pytest.mark.parametrize("call", CALLS)
def test_a_writer_whose_system_call_fails_says_so_and_has_all_that_it_acknowledged(tmp_path, call):
    for turn in turns():
        failed, acknowledged = write_until(tmp_path / f"{turn}", call, turn)
        check(tmp_path / f"{turn}", acknowledged)
        if not failed:  # no thread of the writer makes so many
            assert turn > 1, "nothing was made to fail"
            return


def write_until(directory: Path, call: str, turn: int) -> tuple[bool, list[list[str]]]:
    """Run a writer whose `turn`-th call of this kind fails; returns whether it noticed, and what it acknowledged."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready -\n"
        with failing(writer.pid, call, "EIO", f"{turn}") as tracer:
            said, _ = writer.communicate(b"\n", timeout=WHOLE_STORY)
    assert writer.returncode == 0, said
    *acknowledged, last = [line.split(" ", 1) for line in said.decode().splitlines()]
    assert (last[0] == "failed") == (tracer.hits > 0), last
    return last[0] == "failed", acknowledged


def check(directory: Path, acknowledged: list[list[str]]) -> None:
    """Open the log as the next writer does; everything that was acknowledged is there, whole."""
    log, found = open_log(directory)
    for call in found.open_calls:
        closed(log, call.call, kind="call.abandoned", frames=call.bodies)
    log.close_sync()
    stored = records(directory)
    assert [record.index for record in stored] == list(range(len(stored)))
    by_name = {(record.type, record.id.removeprefix("end-of-")): record for record in stored}
    for kind, call in acknowledged:
        (body,) = bodies(directory, by_name[kind, call])
        assert body in ({"request": request_of(call, 3000)}, {"response": b"answer to " + call.encode()})
    ended = [record.id.removeprefix("end-of-") for record in stored if record.type in ("call.closed", "call.abandoned")]
    assert sorted(ended) == sorted(record.id for record in stored if record.type == "call.opened")


# The same with a whole gateway, whose callers must hear of it.

LARGE = 6_000_000  # bytes of a request's random text: a dozen of them fill a segment


def ask(running: Gateway, text: str) -> tuple[int, str]:
    """Make a call on a connection of its own; returns the status and the error's code."""
    body = json.dumps({"model": "fast", "messages": [{"role": "user", "content": text}]})
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE)
    try:
        connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {SECRET}"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()).get("error", {}).get("code", "")
    finally:
        connection.close()


@contextmanager
def filling(running: Gateway) -> Iterator[None]:
    """Fill segments for as long as calls are carried."""

    def fill() -> None:
        while ask(running, base64.b64encode(os.urandom(LARGE)).decode())[0] == 200:
            pass

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    yield
    thread.join(PATIENCE)
    assert not thread.is_alive(), "a call hangs"


def check_refusing(running: Gateway) -> None:
    assert running.get("/healthz")[0] == 200
    assert running.get("/readyz")[0] == 503
    assert ask(running, "Anybody there?") == (503, "audit_unavailable")


@pytest.mark.parametrize(
    ("call", "error", "when"),
    [
        ("pwritev2", "EIO", 20),
        ("pwritev2", "ENOSPC", 200),
        ("fsync", "EIO", 1),
        ("openat", "EMFILE", 1),
        ("rename", "EIO", 1),
        ("rename", "ENOSPC", 2),
    ],
)
def test_a_gateway_whose_log_fails_refuses_calls_and_has_all_that_it_answered(tmp_path, call, error, when):
    with Simulator.in_thread(openai=Script(tokens_per_second=2000.0)) as simulator:
        write_configuration(tmp_path, provider=simulator.openai.port)
        with gateway(tmp_path) as running:
            worker = worker_of(running)
            with Load(running) as load:
                load.wait_for(CALLERS)
                with failing(worker, call, error, f"{when}"), filling(running):
                    running.until("log_failed", "worker-0")
                    load.wait_for(2 * CALLERS)  # nobody hangs
            check_refusing(running)
            refused = {status for _, status, _ in load.answers} - {200}
            assert refused <= {503}
            os.kill(worker, signal.SIGKILL)  # as an operator would who has mended the disk
            running.until("ready", "worker-0")
            assert ask(running, "And now?")[0] == 200
            running.process.send_signal(signal.SIGTERM)
            assert running.ended() == 0
    assert whole_in_the_log(tmp_path, load.answers, call) >= CALLERS


@pytest.mark.parametrize("call", ["openat", "fsync", "pwritev2", "statfs"])
def test_a_worker_that_cannot_open_its_log_refuses_calls_until_it_can(tmp_path, call):
    segment = tmp_path / "data" / "log" / "gw-1" / "worker-0" / f"{0:020d}.seg"
    with Simulator.in_thread(openai=Script(tokens_per_second=2000.0)) as simulator:
        write_configuration(tmp_path, provider=simulator.openai.port)
        with gateway(tmp_path) as running:
            with Load(running) as load:
                load.wait_for(CALLERS)
            worker = worker_of(running)
            # From the supervisor's child on, so from the worker's first step; of its files this one and its directory.
            paths = ["-P", str(segment), "-P", str(segment.parent)]
            with failing(running.process.pid, call, "EIO", "1+", *paths):
                os.kill(worker, signal.SIGKILL)
                assert gone(worker)
                running.until("not_ready", "supervisor")
                check_refusing(running)
            running.until("ready", "worker-0")  # without another restart
            assert ask(running, "And now?")[0] == 200
            running.process.send_signal(signal.SIGTERM)
            assert running.ended() == 0
    assert whole_in_the_log(tmp_path, load.answers, call) >= CALLERS
