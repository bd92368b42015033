"""A real gateway under load: killed at random moments, reloaded all the time; nothing that was answered is lost."""

import hashlib
import http.client
import json
import os
import random
import signal
import threading
from collections import Counter, defaultdict
from pathlib import Path
from typing import Self

import pytest
from running_gateway import PATIENCE, SECRET, Gateway, gateway, write_configuration

from trunkline.audit.files.reader import read_body, read_records
from trunkline.audit.files.vault.opening import unlock
from trunkline.audit.files.vault.stored_keys import StoredKeys
from trunkline.audit.format.heads import decode_head
from trunkline.model.vault import KeySettings
from trunkline.simulator import Script, Simulator

pytestmark = pytest.mark.soak

CALLERS = 8
KILLS = 20
RELOADS = 20
CALLS_A_CONNECTION = 50
WORKERS = 4
ANSWERS_BETWEEN = (5, 120)  # answers between two kills: few enough to hit a start, enough to hit a full log


class Caller(threading.Thread):
    """Asks without a pause, JSON and streams in turn, and keeps what it was answered: call id, status, bytes."""

    def __init__(self, port: int, answered: threading.Semaphore) -> None:
        super().__init__(daemon=True)
        self.answers: list[tuple[str, int, str]] = []
        # For each connection that broke, the last call that was answered on it.
        self.broken: list[str | None] = []
        self._port, self._answered, self._over = port, answered, threading.Event()

    def run(self) -> None:
        connection, last, asked = None, None, 0
        while not self._over.is_set():
            asked += 1
            try:
                if connection is None:
                    connection, last = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE), None
                last = self._ask(connection, stream=asked % 3 == 0)
                if asked % CALLS_A_CONNECTION == 0:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException):
                self.broken.append(last)
                if connection is not None:
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def stop(self) -> None:
        self._over.set()

    def _ask(self, connection: http.client.HTTPConnection, *, stream: bool) -> str:
        body = {"model": "fast", "stream": stream, "messages": [{"role": "user", "content": "What do they hold?"}]}
        headers = {"authorization": f"Bearer {SECRET}", "content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        response = connection.getresponse()
        data = response.read()
        if stream and response.status == 200 and not data.endswith(b"data: [DONE]\n\n"):
            raise http.client.IncompleteRead(data)
        call = response.getheader("x-trunkline-call") or ""
        self.answers.append((call, response.status, hashlib.sha256(data).hexdigest()))
        self._answered.release()
        return call


class Load:
    """Several callers at once."""

    def __init__(self, running: Gateway, callers: int = CALLERS) -> None:
        self._answered = threading.Semaphore(0)
        self.callers = [Caller(running.port, self._answered) for _ in range(callers)]

    def __enter__(self) -> Self:
        for caller in self.callers:
            caller.start()
        return self

    def __exit__(self, *_: object) -> None:
        for caller in self.callers:
            caller.stop()
        for caller in self.callers:
            caller.join(PATIENCE)
        assert not any(caller.is_alive() for caller in self.callers)

    def wait_for(self, count: int) -> None:
        """Wait for so many answers from now on."""
        while self._answered.acquire(blocking=False):
            pass
        for _ in range(count):
            assert self._answered.acquire(timeout=PATIENCE), "nobody is answered any more"

    @property
    def answers(self) -> list[tuple[str, int, str]]:
        return [answer for caller in self.callers for answer in caller.answers]


def worker_of(running: Gateway, index: int = 0) -> int:
    return int(running.status()["workers"][index]["pid"])


def logs_of(directory: Path) -> list[Path]:
    return sorted((directory / "data" / "log" / "gw-1").glob("worker-*"))


def whole_in_the_log(directory: Path, answers: list[tuple[str, int, str]], about: str) -> int:
    """Check that each call has one end, and each that got its answer has that in the log; return how many did."""
    opened, ended, bodies = Counter(), defaultdict(list), {}
    keys = StoredKeys(directory / "data", lambda: unlock(directory / "data", KeySettings()))
    stored_in = [(path, stored) for path in logs_of(directory) for stored in read_records(path)]
    for log, stored in stored_in:
        record = json.loads(stored.bytes)
        if record["type"] == "call.opened":
            opened[record["call"]] += 1
        elif record["type"] in ("call.closed", "call.abandoned"):
            ended[record["call"]].append(record["outcome"])
        if record["type"] == "call.closed":
            released = b"".join(
                read_body(log, reference, stored.segment, keys).get("response", b"")
                for reference in decode_head(stored.bytes).bodies
            )
            bodies[record["call"]] = hashlib.sha256(released).hexdigest()
    assert set(opened.values()) == {1}
    assert {call: len(outcomes) for call, outcomes in ended.items()} == dict(opened), about
    whole = [(call, digest) for call, status, digest in answers if status == 200]
    for call, digest in whole:
        assert ended[call] == ["answered"], f"{call} was answered ({about})"
        assert bodies[call] == digest, f"{call} is in the log byte for byte ({about})"
    return len(whole)


def test_a_worker_killed_at_any_moment_loses_nothing_that_was_answered(tmp_path):
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    with Simulator.in_thread(openai=Script(tokens_per_second=400.0)) as simulator:
        write_configuration(tmp_path, provider=simulator.openai.port)
        with gateway(tmp_path) as running:
            with Load(running) as load:
                for _ in range(KILLS):
                    load.wait_for(chance.randint(*ANSWERS_BETWEEN))
                    os.kill(worker_of(running), signal.SIGKILL)
                    running.until("ready", "worker-0")
                load.wait_for(CALLERS)
            running.process.send_signal(signal.SIGTERM)
            assert running.ended() == 0, f"seed {seed}"
    assert whole_in_the_log(tmp_path, load.answers, f"seed {seed}") >= KILLS * ANSWERS_BETWEEN[0]


def test_a_worker_of_four_killed_at_any_moment_costs_no_call_of_the_others(tmp_path):
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    with Simulator.in_thread(openai=Script(tokens_per_second=400.0)) as simulator:
        write_configuration(tmp_path, provider=simulator.openai.port, more=f"workers: {WORKERS}\n")
        with gateway(tmp_path) as running:
            spared = worker_of(running)
            with Load(running) as load:
                for _ in range(KILLS):
                    load.wait_for(chance.randint(*ANSWERS_BETWEEN))
                    index = chance.randrange(1, WORKERS)
                    os.kill(worker_of(running, index), signal.SIGKILL)
                    running.until("ready", f"worker-{index}")
                load.wait_for(CALLERS)
            assert worker_of(running) == spared
            running.process.send_signal(signal.SIGTERM)
            assert running.ended() == 0, f"seed {seed}"
    assert whole_in_the_log(tmp_path, load.answers, f"seed {seed}") >= KILLS * ANSWERS_BETWEEN[0]
    assert {status for _, status, _ in load.answers} == {200}, f"seed {seed}"
    spared, *others = ([json.loads(stored.bytes) for stored in read_records(log)] for log in logs_of(tmp_path))
    closed = {record["call"]: record["outcome"] for record in spared if record["type"] == "call.closed"}
    assert set(closed.values()) == {"answered"}, f"seed {seed}"
    broken = [call for caller in load.callers for call in caller.broken]
    assert broken, "nobody was killed in the middle of anything"
    assert closed.keys().isdisjoint(broken), f"seed {seed}"
    assert all(any(record["type"] == "call.closed" for record in other) for other in others)


@pytest.mark.parametrize("workers", [1, 4])
def test_reloads_under_load_fail_no_call_and_a_bad_file_changes_nothing(tmp_path, workers):
    with Simulator.in_thread(openai=Script(tokens_per_second=400.0)) as simulator:
        path = write_configuration(tmp_path, provider=simulator.openai.port, more=f"workers: {workers}\n")
        good = path.read_text()
        other = good + "server: {drain: 20s}\n"
        with gateway(tmp_path) as running:
            with Load(running) as load:
                for turn in range(RELOADS):
                    bad = turn % 4 == 3
                    path.write_text("routes: [" if bad else (other if turn % 2 else good))
                    running.process.send_signal(signal.SIGHUP)
                    running.until("reload_failed" if bad else "reloaded", "control")
                    load.wait_for(CALLERS)
            assert [caller.broken for caller in load.callers] == [[]] * CALLERS
            assert {status for _, status, _ in load.answers} == {200}
