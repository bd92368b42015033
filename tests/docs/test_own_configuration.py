"""The README's first five minutes with a real gateway, and what the other pages say of what is seen then."""

import contextlib
import http.client
import json
import os
import re
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pages import blocks, prose_of, quoted, rows, text_of

from trunkline.simulator import Script, Simulator

TRUNKLINE = str(Path(sys.executable).with_name("trunkline"))
DID_NOT_HANG = 60.0
ANSWER = "Sixty percent equities, thirty percent bonds, ten percent cash."


@dataclass
class Running:
    """A gateway on the README's configuration, with simulated providers behind it."""

    directory: Path
    port: int
    environment: dict[str, str]
    process: subprocess.Popen[str]
    said: list[str]

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [TRUNKLINE, *words],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=DID_NOT_HANG,
            check=False,
        )

    def ask(self, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=DID_NOT_HANG)) as connection:
            connection.request("POST", "/v1/chat/completions", body, headers)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def call(self, **fields: object) -> tuple[int, dict[str, str], bytes]:
        key = self.environment["HARBOR_VOICE_KEY"]
        question = {"model": "advisor-voice", "messages": [{"role": "user", "content": "Hello"}]}
        headers = {"authorization": f"Bearer {key}", "x-trunkline-user": "advisor-117"}
        return self.ask(json.dumps(question | fields).encode(), headers)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory, port = tmp_path_factory.mktemp("own"), free_port()
    with Simulator.in_thread(openai=Script(text=ANSWER), anthropic=Script(text=ANSWER)) as simulator:
        text = text_of("examples/trunkline.yaml")
        for before, after in {
            "127.0.0.1:8080": f"127.0.0.1:{port}",
            "127.0.0.1:8081": f"127.0.0.1:{free_port()}",
            "https://api.openai.com/v1": simulator.openai.url,
            "https://api.anthropic.com": simulator.anthropic.url,
        }.items():
            assert before in text
            text = text.replace(before, after)
        (directory / "trunkline.yaml").write_text(text)
        environment = os.environ | {name: secrets.token_hex(32) for name in exported()}
        running = started(directory, port, environment)
        try:
            yield running
        finally:
            stop(running)


def exported() -> set[str]:
    return set(re.findall(r"\b([A-Z_]+)=", "\n".join(blocks("README.md", "sh"))))


def started(directory: Path, port: int, environment: dict[str, str]) -> Running:
    process = subprocess.Popen([TRUNKLINE, "serve"], cwd=directory, env=environment, stderr=subprocess.PIPE, text=True)
    running = Running(directory, port, environment, process, [])
    watchdog = threading.Timer(DID_NOT_HANG, process.kill)
    watchdog.start()
    assert process.stderr is not None
    for line in process.stderr:
        running.said.append(line)
        if " supervisor ready " in line:
            break
    watchdog.cancel()
    assert process.poll() is None, running.said
    return running


def stop(running: Running) -> None:
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
        _, rest = running.process.communicate(timeout=DID_NOT_HANG)
        running.said += rest.splitlines(keepends=True)


def test_the_readme_sets_what_the_file_refers_to():
    assert set(re.findall(r"\$\{([A-Z_]+)\}", text_of("examples/trunkline.yaml"))) == exported()


def test_the_file_is_good(gateway):
    checked = gateway.command("check")
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_curl_line_is_answered(gateway):
    shell = "\n".join(blocks("README.md", "sh")).replace("\\\n", " ")
    (line,) = re.findall(r"^curl .+$", shell, re.MULTILINE)
    words = shlex.split(line)
    assert words[1] == "http://127.0.0.1:8080/v1/chat/completions"
    headers = dict(words[i + 1].split(": ", 1) for i, word in enumerate(words) if word == "-H")
    headers["authorization"] = headers["authorization"].replace(
        "$HARBOR_VOICE_KEY", gateway.environment["HARBOR_VOICE_KEY"]
    )
    status, _, body = gateway.ask(words[words.index("-d") + 1].encode(), headers)
    assert status == 200
    assert json.loads(body)["choices"][0]["message"]["content"] == ANSWER


def test_the_python_prints_answer_cost_and_outcome(gateway):
    (code,) = blocks("README.md", "python")
    assert "127.0.0.1:8080" in code
    ran = subprocess.run(
        [sys.executable, "-c", code.replace("127.0.0.1:8080", f"127.0.0.1:{gateway.port}")],
        env=gateway.environment,
        capture_output=True,
        text=True,
        timeout=DID_NOT_HANG,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    answer, facts = ran.stdout.splitlines()
    call, cost, outcome = facts.split()
    assert answer == ANSWER
    assert re.fullmatch(r"chatcmpl-[0-9a-f-]{36}", call)
    assert float(cost) > 0
    assert outcome == "answered"


def test_answers_have_the_headers_of_the_interface_page(gateway):
    whole = gateway.call()
    streamed = gateway.call(stream=True, store=True)
    unknown = gateway.call(model="gpt-9")
    assert (whole[0], streamed[0], unknown[0]) == (200, 200, 404)
    told = {
        name: on for names, on, _ in rows("docs/interface.md", "header", "on", "what it says") for name in quoted(names)
    }
    for name, on in told.items():
        if on == "every call":
            assert name in whole[1].keys() & streamed[1].keys() & unknown[1].keys(), name
        if on in ("answers of a provider", "answers with 200", "streams"):
            assert name in streamed[1], name
            assert name not in unknown[1], name
    sent = {name for _, headers, _ in (whole, streamed, unknown) for name in headers}
    assert {name for name in sent if name.startswith(("x-", "retry-"))} <= set(told)


def test_a_change_is_applied_and_shown(gateway):
    file = gateway.directory / "trunkline.yaml"
    before = file.read_text()
    assert "total: 60s" in before
    file.write_text(before.replace("total: 60s", "total: 50s"))
    applied = gateway.command("apply")
    assert applied.returncode == 0, applied.stderr
    assert [line for line in applied.stdout.splitlines() if line.startswith(("+", "-", "~"))] == [
        "~ routes.advisor-voice.timeouts.total: 60.0 -> 50.0"
    ]


def test_the_data_directory_has_what_the_operations_page_lists(gateway):
    listed = {quoted(path)[0].removesuffix("/") for path, _ in rows("docs/operations.md", "path", "what")}
    assert gateway.command("calls", "list").returncode == 0  # the index is made when control gets to it
    data = gateway.directory / "trunkline-data"
    found = {path.name for path in data.iterdir() if path.name != "log"}
    found |= {f"log/<node>/{path.name}" for path in (data / "log" / "gw-1").iterdir()}
    assert found == listed


def test_at_the_end_it_drains_and_has_logged_each_call_as_the_operations_page_shows(gateway):
    calls = {gateway.call()[1]["x-trunkline-call"], gateway.call(stream=True)[1]["x-trunkline-call"]}
    stop(gateway)
    assert gateway.process.returncode == 0
    (sample,) = [line for line in "".join(blocks("docs/operations.md", "text")).splitlines() if " call " in line]
    shown = [word.partition("=")[0] for word in sample.split() if "=" in word]
    lines = [line for line in gateway.said if re.search(r" worker-0 call .+ answered ", line)]
    assert calls <= {call for line in lines for call in re.findall(r" call ([0-9a-f-]{36}) answered ", line)}
    for line in lines:
        assert [word.partition("=")[0] for word in shlex.split(line) if "=" in word] == shown
        assert ANSWER not in line
    events = [line.split()[3] for line in gateway.said]
    assert events.count("draining") == events.count("stopped") == 1


def test_the_readme_has_a_place_for_the_figures():
    assert re.search(r"<!-- figures -->.*<!-- /figures -->", prose_of("README.md"), re.DOTALL)
