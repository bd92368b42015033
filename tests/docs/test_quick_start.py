"""docs/quick-start.md, followed line by line by a shell, with simulated providers behind it."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pages import blocks

from trunkline.simulator import Script, Simulator

PAGE = "docs/quick-start.md"
BIN = Path(sys.executable).parent
PATIENCE = 60.0
ANSWER = "Hello there."


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Terminal:
    """One shell, which does what is typed; each piece ends with its status."""

    def __init__(self, directory: Path) -> None:
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        environment = {"PATH": path, "HOME": str(directory), "LANG": "C.UTF-8"}
        self.shell = subprocess.Popen(
            ["/bin/sh"], cwd=directory, env=environment, text=True, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def type(self, text: str) -> None:
        assert self.shell.stdin is not None
        self.shell.stdin.write(text + "\n")
        self.shell.stdin.flush()

    def run(self, text: str) -> str:
        self.type(f"{text}\necho end:$?")
        said = self.until("end:")
        assert said.endswith("end:0"), said
        return said.removesuffix("end:0").strip()

    def until(self, mark: str) -> str:
        assert self.shell.stdout is not None
        said = ""
        while mark not in said.rpartition("\n")[2]:
            line = self.shell.stdout.readline()
            assert line, said
            said = said + "\n" + line.rstrip("\n")
        return said

    def close(self) -> None:
        os.killpg(self.shell.pid, signal.SIGTERM)
        self.shell.communicate(timeout=PATIENCE)


@pytest.fixture
def terminals(tmp_path):
    opened = [Terminal(tmp_path), Terminal(tmp_path)]
    yield opened
    for terminal in opened:
        terminal.close()


def test_a_newcomer_who_types_what_the_page_says_gets_an_answer(tmp_path, terminals):
    install, start, ask, report, change, key = blocks(PAGE, "sh")
    (code,) = blocks(PAGE, "python")
    first, second = terminals
    port = free_port()
    with Simulator.in_thread(openai=Script(text=ANSWER)) as simulator:
        lines = install.splitlines()
        assert lines[0] == "pip install ."
        printed = first.run("\n".join(lines[1:]).replace("=...", "=sk-mine"))
        # What `init` says to do next is what the page says.
        for line in (start + ask).splitlines():
            assert line in printed, line
        path = tmp_path / "trunkline.yaml"
        text = path.read_text().replace(":8081", ":0").replace(":8080", f":{port}")
        path.write_text(text.replace("dialect: openai,", f"dialect: openai, base_url: '{simulator.openai.url}',"))
        first.type(start)
        first.until(" supervisor ready ")
        answer = json.loads(second.run(ask.replace(":8080", f":{port}").replace("curl ", "curl -sS ")))
        assert answer["choices"][0]["message"]["content"] == ANSWER
        assert answer["usage"]["cost"] > 0
        assert answer["trunkline"]["outcome"] == "answered"
        second.run("export OPENAI_API_KEY=sk-mine; set -a; . ./.env; set +a")
        assert second.run(f"python -c {shlex.quote(code.replace(':8080', f':{port}'))}") == ANSWER
        found = second.run(report)
        assert re.search(r"^ann +1 ", found, re.MULTILINE)
        assert re.search(r"^\(none\) +1 ", found, re.MULTILINE)
        assert "is good" in second.run(change)
        assert re.search(r"tl-[A-Za-z0-9_-]{43}", second.run(key))
