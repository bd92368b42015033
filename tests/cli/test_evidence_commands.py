"""`trunkline replay`, `audit export`, and what is recorded of who looks, with a gateway that runs and without one."""

import fcntl
import hashlib
import http.client
import io
import json
import os
import signal
import stat
import subprocess
from contextlib import chdir, redirect_stderr, redirect_stdout

import pytest
from running_gateway import COMMAND, PATIENCE, SECRET, command, gateway, write_configuration

from trunkline.audit.files.reader import read_records
from trunkline.cli.command_line import run
from trunkline.cli.failure import Failed
from trunkline.cli.new_file import new_file
from trunkline.cli.playback import Written, play
from trunkline.control.users import user_name
from trunkline.simulator import Script, Simulator

TEXT = "The Henderson household holds \x9b31m three funds."


def asked(port: int, stream: bool) -> tuple[str, bytes]:
    """Make a call; return its id and the bytes of its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        body = {"model": "fast", "messages": [{"role": "user", "content": "Hello?"}], "stream": stream}
        headers = {"authorization": f"Bearer {SECRET}", "x-trunkline-session": "s-1"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        response = connection.getresponse()
        return response.headers["x-trunkline-call"], response.read()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    directory = tmp_path_factory.mktemp("place")
    with Simulator.in_thread(Script(text=TEXT, first_token=0.05)) as simulator:
        write_configuration(directory, provider=simulator.openai.port)
        with gateway(directory) as running:
            yield directory, [asked(running.port, stream) for stream in (False, True)], running


@pytest.fixture(scope="module", params=["while it runs", "in-process"])
def calls(request, place):
    directory, made, running = place
    if request.param == "in-process":
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(PATIENCE)
    return directory, made


def reads(directory) -> list[dict]:
    log = directory / "data" / "log" / "gw-1" / "control"
    return [json.loads(one.bytes) for one in read_records(log, upto="whole") if one.type == "audit.read"]


def replayed(directory, *words: str) -> tuple[int, bytes, str]:
    """Replay a call in this process, whose start alone takes longer; return the status, the bytes and what was said."""
    out, err = io.TextIOWrapper(io.BytesIO()), io.StringIO()
    with chdir(directory), redirect_stdout(out), redirect_stderr(err):
        status = run(("replay", *words))
    out.flush()
    return status, out.buffer.getvalue(), err.getvalue()


@pytest.mark.parametrize("words", [(), ("--fast",)])
def test_what_a_client_got_is_on_standard_output_to_the_byte_and_nothing_else(calls, words):
    directory, made = calls
    for prefix, (call, body) in zip(("", "chatcmpl-"), made, strict=True):
        assert replayed(directory, prefix + call, *words) == (0, body, "")


def test_a_replay_in_a_pipe_is_the_bytes_too(calls):
    directory, (_, (call, body)) = calls
    result = subprocess.run(
        [*COMMAND, "replay", call], cwd=directory, capture_output=True, timeout=4 * PATIENCE, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, body, b"")


def test_who_has_seen_what_is_in_control_s_log(calls):
    directory, ((call, _), _) = calls
    before = len(reads(directory))
    assert replayed(directory, call, "--fast")[0] == 0
    for words in (("calls", "show", call, "--bodies"), ("sessions", "show", "s-1")):
        assert command(directory, *words).returncode == 0
    for words in (("calls", "show", call), ("calls", "list"), ("sessions", "list")):
        assert command(directory, *words).returncode == 0
    found = reads(directory)[before:]
    assert all(read["at"].endswith("Z") and read["log"].endswith("/gw-1/control") for read in found)
    envelope = {"v", "type", "id", "at", "log", "index"}
    who = user_name(os.getuid())
    assert [{name: value for name, value in read.items() if name not in envelope} for read in found] == [
        {"who": who, "action": "replay", "calls": 1, "call": call},
        {"who": who, "action": "bodies", "calls": 1, "call": call},
        {"who": who, "action": "session", "calls": 2, "session": "s-1", "tenant": "acme"},
    ]


def test_a_scan_of_past_calls_is_a_look_at_what_they_said(calls):
    directory, _ = calls
    before = len(reads(directory))
    words = ("guardrails", "scan", "--since", "1h", "--tenant", "acme", "--policy", "builtin/pii")
    assert command(directory, *words).returncode == 0
    (read,) = reads(directory)[before:]
    assert (read["action"], read["calls"], read["filter"]["tenant"]) == ("scan", 2, "acme")
    assert read["filter"]["since"] < read["filter"]["until"] < read["at"]


@pytest.mark.parametrize(
    ("call", "status", "said"),
    [
        ("nothing", 64, "is no call id"),
        ("", 64, "a name has 1 to"),
        ("01a214f8-68c2-7ee4-baa0-000000000000", 1, "there is no call"),
    ],
)
def test_a_call_that_is_none_is_one_line_and_nothing_is_recorded(calls, call, status, said):
    directory, _ = calls
    before = reads(directory)
    result = command(directory, "replay", call)
    assert (result.returncode, result.stdout) == (status, "")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert reads(directory) == before


GUARDED = """guardrails:
  house-words: {check: patterns, action: block, on: [output], rules: [{name: household, words: [household]}]}
"""


def test_guardrails_of_now_are_tried_on_a_call_of_then(calls):
    directory, made = calls
    text = (directory / "trunkline.yaml").read_text()
    (directory / "guarded.yaml").write_text(GUARDED + text.replace("acme: {", "acme: {guardrails: [house-words], "))
    before = len(reads(directory))
    for call, _ in made:
        same = command(directory, "replay", call, "--pipeline")
        assert (same.returncode, same.stderr) == (0, "")
        assert "0 findings as then, 0 only then, 0 only now" in same.stdout
        other = command(directory, "replay", call, "--pipeline", "-c", "guarded.yaml")
        assert (other.returncode, other.stderr) == (1, "trunkline: the guardrails decide otherwise now\n")
        for said in ("then: let through", "now: block by house-words", "house-words (new)", "only now", "household"):
            assert said in other.stdout
    assert [read["action"] for read in reads(directory)[before:]] == ["bodies"] * 4
    for words in ((made[0][0], "-c", "none.yaml"), ("nothing",)):
        assert command(directory, "replay", "--pipeline", *words).returncode == 64


def test_an_export_is_a_file_of_all_that_was_asked_for(calls):
    directory, made = calls
    before = len(reads(directory))
    out = directory / f"out-{before}"
    out.mkdir()
    result = command(directory, "audit", "export", "--since", "1h", "--session", "s-1", "--out", str(out))
    assert (result.returncode, result.stderr) == (0, "")
    (file,) = out.iterdir()
    data = file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    assert result.stdout == f"{file}: 2 calls, {len(data):,} bytes, SHA-256 {digest}\n"
    assert file.suffix == ".jsonl"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = {line["call"]: line["bodies"]["response"].encode() for line in map(json.loads, data.splitlines())}
    assert found == dict(made)
    page = out / "page.html"
    words = ("--since", "2020-01-01", "--until", "2100-01-01", "--outcome", "answered", "--format", "html")
    assert command(directory, "audit", "export", *words, "--out", str(page)).returncode == 0
    assert page.read_text().count("<section>") == 2
    assert "holds \\x9b31m three" in page.read_text()
    first, second = reads(directory)[before:]
    who = user_name(os.getuid())
    assert f"<dd>{who}</dd>" in page.read_text()
    assert (first["who"], first["action"], first["calls"], first["format"]) == (who, "export", 2, "jsonl")
    assert list(first["filter"]) == ["since", "session"]
    assert second["filter"] == {
        "since": "2020-01-01T00:00:00.000Z", "until": "2100-01-01T00:00:00.000Z", "outcome": "answered"
    }  # fmt: skip


def test_no_file_is_overwritten_and_none_is_left_half_made(calls):
    directory, _ = calls
    out = directory / "there.jsonl"
    out.write_text("mine")
    before = reads(directory)
    for words, status, said in (
        (("--out", str(out)), 1, "is there already"),
        (("--out", str(directory / "none" / "x")), 1, "No such file"),
        (("--out", str(directory / "x"), "--outcome", "splendid"), 64, "there is no outcome"),
        (("--out", str(directory / "x"), "--format", "parquet"), 64, "parquet"),
        (("--out", str(directory / "x"), "--tenant", ""), 64, "a name has"),
        (("--out", str(directory / "x"), "--until", "soon"), 64, "is no time"),
        ((), 64, "--out"),
    ):
        result = command(directory, "audit", "export", "--since", "1d", *words)
        assert (result.returncode, result.stdout) == (status, "")
        assert said in result.stderr
        assert result.stderr.count("\n") == 1
    assert out.read_text() == "mine"
    assert not [path for path in directory.iterdir() if path.name.endswith(".part") or path.name == "x"]
    assert reads(directory) == before


def test_an_export_that_fails_midway_leaves_nothing(tmp_path):
    path = tmp_path / "x"
    with pytest.raises(ZeroDivisionError), new_file(path) as file:
        file.write(b"%d" % (len(list(tmp_path.iterdir())) // 0))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Failed, match="is there already"), new_file(path):
        path.write_bytes(b"another's")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("x", b"another's")]


def test_a_look_that_cannot_be_recorded_shows_nothing(place):
    directory, ((call, body), _), running = place
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(PATIENCE)
    with open(directory / "data" / "log" / "gw-1" / "control" / "lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        export = ("audit", "export", "--since", "1h", "--out", "unseen.jsonl")
        for words in (("replay", call), ("calls", "show", call, "--bodies"), ("sessions", "show", "s-1"), export):
            result = command(directory, *words)
            assert (result.returncode, result.stdout) == (1, "")
            assert "record log" in result.stderr
    assert not (directory / "unseen.jsonl").exists()
    assert replayed(directory, call) == (0, body, "")


def test_who_looks_into_a_directory_without_a_good_configuration_is_recorded_too(place):
    directory, ((call, body), _), running = place
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(PATIENCE)
    bad = directory / "bad.yaml"
    bad.write_text("data_dir: ./data\nnonsense: true\n")
    before = len(reads(directory))
    assert replayed(directory, call, "-c", "bad.yaml") == (0, body, "")
    assert len(reads(directory)) == before + 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_not_steered_by_what_was_said():
    out = Terminal()
    write = Written(out)
    for data in (b"one\x1b[31m\n\xc2", b"\x9b31m \xe2\x80", b"\xae two \xff"):
        write(data)
    assert out.getvalue() == "one\\x1b[31m\n\\x9b31m \\u202e two \\xff"


class Clock:
    """A clock that goes on when somebody sleeps, and by what each write takes."""

    def __init__(self, takes: float) -> None:
        self.now, self.takes = 100.0, takes
        self.written: list[tuple[float, bytes]] = []

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds

    def write(self, data: bytes) -> None:
        self.written.append((round(self.now - 100.0, 6), data))
        self.now += self.takes


CHUNKS = [(40.0, b"a"), (40.0, b"b"), (65.5, b"c"), (1000.0, b"d")]


def test_chunks_come_when_they_came_and_a_slow_reader_delays_none_that_is_late_already():
    clock = Clock(takes=0.01)
    play(CHUNKS, clock.write, fast=False, clock=lambda: clock.now, sleep=clock.sleep)
    assert clock.written == [(0.04, b"a"), (0.05, b"b"), (0.0655, b"c"), (1.0, b"d")]


def test_fast_waits_for_nothing():
    clock = Clock(takes=0.0)
    play(CHUNKS, clock.write, fast=True, clock=lambda: clock.now, sleep=clock.sleep)
    assert [at for at, _ in clock.written] == [0.0] * 4
