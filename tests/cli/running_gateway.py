"""A real `trunkline serve` on free ports, its log, and the commands against it."""

import http.client
import io
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from trunkline.cli.command_line import run
from trunkline.cli.control_client import Live

PATIENCE = 30.0
SECRET = "9f3c5a7be1d24860c7f2a9d83b6e4f10"
TOKEN = "b7c0d9f02a1e4c83956bd2f1a7e4c0d3"
COMMAND = [sys.executable, "-m", "trunkline"]

CONFIGURATION = """\
version: 1
data_dir: ./data
node: gw-1
listen: 127.0.0.1:{port}
log: {{format: json}}
providers:
  openai: {{dialect: openai, base_url: "http://127.0.0.1:{provider}/v1", api_key: "sk-one", models: [gpt-4o-mini]}}
routes:
  fast: {{targets: [{{provider: openai, model: gpt-4o-mini}}]}}
tenants:
  acme: {{keys: {{app: {{secret: "{secret}"}}}}}}
"""


def write_configuration(directory: Path, *, port: int = 0, provider: int = 9, more: str = "") -> Path:
    path = directory / "trunkline.yaml"
    path.write_text(CONFIGURATION.format(port=port, provider=provider, secret=SECRET) + more)
    return path


class Gateway:
    """A running gateway; `ready` is what it said when it was."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lines: list[str] = []
        self._rest = b""
        self.process = subprocess.Popen([*COMMAND, "serve"], cwd=directory, stderr=subprocess.PIPE)
        self.ready: dict[str, Any] = {}

    @property
    def port(self) -> int:
        return int(self.ready["listen"].rpartition(":")[2])

    def until(self, event: str, process: str | None = None) -> dict[str, Any]:
        """Read the log until this event comes; what came before it counts too, once."""
        for line in self._read():
            if line.startswith("{"):
                said = json.loads(line)
                if said["event"] == event and process in {None, said["process"]}:
                    return said
        raise AssertionError(f"the gateway ended without {event}:\n" + "\n".join(self.lines))

    def ended(self) -> int:
        """Read the log to its end and return the exit status."""
        for _ in self._read():
            pass
        return self.process.wait(PATIENCE)

    def _read(self) -> Iterator[str]:
        assert self.process.stderr is not None
        descriptor, deadline = self.process.stderr.fileno(), time.monotonic() + PATIENCE
        while True:
            line, found, rest = self._rest.partition(b"\n")
            if found:
                self._rest = rest
                self.lines.append(line.decode())
                yield self.lines[-1]
                continue
            readable, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            assert readable, "nothing happens any more:\n" + "\n".join(self.lines)
            piece = os.read(descriptor, 65536)
            if not piece:
                return
            self._rest += piece

    def get(self, path: str, secret: str = SECRET) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path, headers={"authorization": f"Bearer {secret}"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return command(self.directory, *words)

    def keys(self) -> dict[str, dict[str, Any]]:
        listed = self.command("keys", "list", "--format", "json")
        assert listed.returncode == 0, listed.stderr
        return {key["id"]: key for key in json.loads(listed.stdout)}

    def status(self) -> dict[str, Any]:
        return Live(self.directory / "data", str(self.directory / "trunkline.yaml")).status()


def command(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in this process: its imports, once made, are shared by all."""
    out, err = io.StringIO(), io.StringIO()
    with chdir(directory), redirect_stdout(out), redirect_stderr(err):
        status = run(words)
    return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())


def command_process(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end as a shell would."""
    return subprocess.run(
        [*COMMAND, *words], cwd=directory, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@contextmanager
def gateway(directory: Path) -> Iterator[Gateway]:
    """Run a gateway that is ready; it is stopped at the end, if it has not ended."""
    running = Gateway(directory)
    try:
        running.ready = running.until("ready", "supervisor")
        yield running
    finally:
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGTERM)
            try:
                running.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                running.process.kill()
                running.process.wait()
        assert running.process.stderr is not None
        running.process.stderr.close()


def gone(pid: int) -> bool:
    """Wait until a process that is not our child has ended; False if it does not."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], PATIENCE)[0])
    finally:
        os.close(descriptor)
