import json
import os
import socket
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.model.delta import Usage
from trunkline.model.records import Attempt, CallClosed, Cost, ErrorSummary, Timings
from trunkline.model.snapshot import Key, Route
from trunkline.operations import PENDING_BYTES, OperationalLog, neutral


@dataclass
class Plan:
    route: Route


@dataclass
class Call:
    key: Key | None = None
    plan: Plan | None = None


CALL = Call(Key("voice", "harbor", ("00",)), Plan(Route("advisor", ())))


def closed(**fields):
    attempts = (
        Attempt(provider="a", model="m", dialect="openai", outcome="skipped"),
        Attempt(provider="b", model="n", dialect="openai", outcome="answered"),
    )
    facts = {
        "call": "c1",
        "outcome": "answered",
        "status": 200,
        "attempts": attempts,
        "provider": "b",
        "model": "n",
        "usage": Usage(input=7, output=3),
        "cost": Cost("0.000120", estimated=False, price_version="v", price_source="s"),
        "timings": Timings(total_ms=12.5, overhead_ms=0.25),
    }
    return CallClosed(**(facts | fields))


class Pipe:
    """A log and what comes out of it."""

    def __init__(self, form="text", level="info"):
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        self.log = OperationalLog(self.writing, form, level, "worker-0")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.log.close()
        os.close(self.reading)
        os.close(self.writing)

    def read(self):
        pieces = []
        try:
            while piece := os.read(self.reading, 1 << 20):
                pieces.append(piece)
        except BlockingIOError:
            pass
        return b"".join(pieces)

    def lines(self):
        return self.read().decode().splitlines()


def test_an_event_is_a_line_with_its_time_process_and_facts():
    with Pipe() as pipe:
        pipe.log.event("warning", "breaker", target="openai/gpt", phase="open", reason=None, seconds=1.5)
        (line,) = pipe.lines()
        at, *words = line.split()
        assert at.endswith("Z")
        assert words == ["warning", "worker-0", "breaker", "target=openai/gpt", "phase=open", "seconds=1.5"]


def test_an_event_in_json_keeps_its_types():
    with Pipe("json") as pipe:
        pipe.log.event("error", "log_failed", reason="full\n", count=3, final=True)
        said = json.loads(pipe.read())
        assert said | {"at": ""} == {
            "at": "",
            "level": "error",
            "process": "worker-0",
            "event": "log_failed",
            "reason": "full\n",
            "count": 3,
            "final": True,
        }


def test_a_call_is_a_line_with_its_outcome_and_its_cost():
    with Pipe() as pipe:
        pipe.log.call_line(closed(), CALL)
        assert pipe.read() == b""  # gathered until somebody asks
        pipe.log.flush()
        assert pipe.read().decode().split(" ", 1)[1] == (
            "info    worker-0 call c1 answered status=200 tenant=harbor key=voice route=advisor target=b/n attempts=1"
            " prompt_tokens=7 completion_tokens=3 cost=0.000120 total_ms=12.5 overhead_ms=0.25\n"
        )


def test_a_call_in_json_has_the_same_facts():
    with Pipe("json") as pipe:
        error = ErrorSummary("providers_failed", "provider", "No provider answered.")
        pipe.log.call_line(closed(outcome="failed", status=502, error=error, cost=None, usage=None), Call())
        pipe.log.flush()
        said = json.loads(pipe.read())
        assert (said["event"], said["outcome"], said["error"], said["cost"]) == (
            "call",
            "failed",
            "providers_failed",
            "0",
        )
        assert (said["attempts"], said["tenant"], said["total_ms"]) == (1, None, 12.5)
        assert "No provider" not in json.dumps(said)


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_is_below_the_level_is_not_written(form):
    with Pipe(form, "warning") as pipe:
        pipe.log.event("info", "ready")
        pipe.log.call_line(closed(), CALL)
        pipe.log.flush()
        assert pipe.read() == b""
        pipe.log.configure(form, "info")
        pipe.log.event("info", "ready")
        assert b"ready" in pipe.read()


@settings(max_examples=200, deadline=None)
@given(st.text(), st.sampled_from(["text", "json"]))
def test_no_fact_can_forge_a_line_or_steer_a_terminal(text, form):
    with Pipe(form) as pipe:
        pipe.log.event("info", "said", text=text)
        key = Key("voice", text, ("00",))
        pipe.log.call_line(closed(error=ErrorSummary(text, "provider", "m")), Call(key))
        pipe.log.flush()
        written = pipe.read()
        assert written.count(b"\n") == 2
        assert written.endswith(b"\n")
        shown = written.decode()
        assert neutral(shown.replace("\n", "")) == shown.replace("\n", "")
        if form == "json" and len(text) <= 500:
            said = json.loads(shown.splitlines()[0])["text"]
            assert said == text.encode("utf-8", "replace").decode()


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "sign", "\x1b\x9b\u061c\u200e\u200f\u2028\u202a\u202e\u2066\u2069\U000e0000\U000e0041\U000e007f"
)
def test_what_turns_or_hides_text_is_an_escape_and_json_still_means_it(sign, form):
    assert neutral(f"a{sign}b").isprintable()
    with Pipe(form) as pipe:
        pipe.log.event("info", "said", text=f"a{sign}b")
        shown = pipe.read().decode()
    assert sign not in shown
    assert form == "text" or json.loads(shown)["text"] == f"a{sign}b"


def test_a_reader_that_is_slow_costs_lines_and_never_time():
    with Pipe() as pipe:
        count = 0
        while not pipe.log.dropped:  # nobody reads: this ends because nothing waits without bound
            for _ in range(500):
                pipe.log.call_line(closed(), CALL)
            count += 500
            pipe.log.flush()
        read = b""
        while piece := pipe.read():
            read += piece
            pipe.log.flush()
        lines = read.decode().splitlines()
        assert len(read) > PENDING_BYTES
        assert "log_lines_dropped" in lines[-1]
        assert f"count={pipe.log.dropped}" in lines[-1]
        assert len(lines) - 1 + pipe.log.dropped == count
        assert all(" call c1 " in line for line in lines[:-1])


def test_a_reader_that_has_gone_is_no_failure():
    with Pipe() as pipe:
        os.close(pipe.reading)
        pipe.log.event("info", "ready")
        pipe.reading = os.open(os.devnull, os.O_RDONLY)


def test_the_file_that_others_share_stays_as_blocking_as_it_was():
    with Pipe() as pipe:
        pipe.log.event("info", "ready")
        assert os.get_blocking(pipe.writing)


def test_it_writes_to_sockets_and_files(tmp_path):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        log = OperationalLog(ours.fileno(), "text", "info", "control")
        log.event("info", "ready")
        log.close()
        assert theirs.recv(100).endswith(b"control ready\n")
    path = tmp_path / "log"
    path.write_bytes(b"before\n")
    with path.open("ab") as file:
        for process in ("control", "worker-0"):
            log = OperationalLog(file.fileno(), "text", "info", process)
            log.event("info", "ready")
            log.close()
    before, first, second = path.read_text().splitlines()
    assert (before, first.split()[2], second.split()[2]) == ("before", "control", "worker-0")


def test_a_fault_is_its_kind_and_its_place_and_not_what_it_says():
    with Pipe() as pipe:
        try:
            int("sk-secret")
        except ValueError as error:
            pipe.log.fault(error)
        (line,) = pipe.lines()
        assert "fault kind=ValueError at=test_operations.py:" in line
        assert "secret" not in line
