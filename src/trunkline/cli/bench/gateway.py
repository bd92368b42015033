"""The gateway under test, as a user would run it: `trunkline serve` with everything on, in a directory of its own."""

import contextlib
import http.client
import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trunkline.cli.bench.places import on_cores
from trunkline.cli.bench.transcript import MODEL
from trunkline.cli.failure import Failed

START_SECONDS = 30.0
STOP_SECONDS = 20.0
# How often a starting gateway is asked whether it is ready: what a figure may be too high by.
ASK_EVERY = 0.005
ROUTE = "advisor-voice"
MOST_COMPLAINTS = 3

# The standby is there to be kept warm; a call that reached it would fail, for the fake provider is no Anthropic.
CONFIG = """\
version: 1
data_dir: {directory}/data
node: bench
listen: 127.0.0.1:{port}
console: {{listen: "127.0.0.1:{console}", admin_token: "${{BENCH_ADMIN_TOKEN}}"}}
workers: {workers}
log: {{format: text, level: info}}
providers:
  openai:
    {{dialect: openai, base_url: "http://127.0.0.1:{provider}/v1", api_key: sk-bench, region: us, data_retention: 30d,
      keep_warm: 2}}
  anthropic:
    {{dialect: anthropic, base_url: "http://127.0.0.1:{provider}", api_key: sk-ant-bench, region: us,
      data_retention: zero, keep_warm: 2}}
routes:
  {route}:
    strategy: priority
    targets:
      - {{provider: openai, model: {model}, first_token: 2s, params: {{default: {{temperature: 0.2}}}}}}
      - {{provider: anthropic, model: claude-haiku-4-5, max_output_tokens: 1024}}
    timeouts: {{connect: 1s, first_token: 2s, gap: 5s, total: 60s}}
    breaker: {{failures: 5, within: 30s, open_for: 15s}}
tenants:
  harbor-wealth:
    regulated: true
    require: [user]
    allow: {{providers: [openai, anthropic], regions: [us], data_retention: 30d}}
    keys:
      voice-agent: {{secret: "${{BENCH_KEY}}", routes: [{route}], team: wealth-desk}}
audit: {{durability: before_response}}
server: {{drain: 5s}}
"""


@dataclass(frozen=True)
class Gateway:
    """A running gateway; `ready_after` is from the start of the command until it took calls, in seconds."""

    process: subprocess.Popen[bytes]
    port: int
    ready_after: float
    log: Path
    key: str = field(repr=False)


@contextlib.contextmanager
def running(cores: Sequence[int], provider: int, parent: Path | None, workers: int = 1) -> Iterator[Gateway]:
    """Run a gateway on these cores, in a new directory below `parent`, in front of the provider on that port.

    Raises Failed with the gateway's own words if it does not come up.
    """
    key, token = f"tl-{secrets.token_urlsafe(32)}", secrets.token_urlsafe(32)
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-", dir=parent) as name:
        directory = Path(name)
        port, console = _free_ports(2)
        config = directory / "trunkline.yaml"
        config.write_text(
            CONFIG.format(
                directory=directory,
                port=port,
                console=console,
                workers=workers,
                provider=provider,
                route=ROUTE,
                model=MODEL,
            )
        )
        log = directory / "gateway.log"
        began = time.monotonic()
        with log.open("wb") as lines, on_cores(*cores):
            process = subprocess.Popen(  # noqa: S603 - our own command
                [*_trunkline(), "serve", "--config", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=lines,
                stderr=lines,
                env=os.environ | {"BENCH_KEY": key, "BENCH_ADMIN_TOKEN": token},
                start_new_session=True,
            )
        try:
            yield Gateway(process, port, _ready(process, port, log) - began, log, key)
        finally:
            _stop(process)


def complaints(log: Path) -> list[str]:
    """Return the first warnings and errors of an operational log."""
    with log.open(errors="replace") as lines:
        return list(itertools.islice(filter(_complains, (line.rstrip() for line in lines)), MOST_COMPLAINTS))


def _complains(line: str) -> bool:
    """Say whether a line of the log, `time level process event ...`, is of a level that is out of the ordinary."""
    return line.split(maxsplit=2)[1:2] in (["warning"], ["error"])


def _trunkline() -> list[str]:
    """Return the command of the same installation, which need not be the one on the path."""
    command = shutil.which("trunkline", path=str(Path(sys.executable).parent))
    return [command] if command else [sys.executable, "-P", "-m", "trunkline"]


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _ready(process: subprocess.Popen[bytes], port: int, log: Path) -> float:
    """Ask `/readyz` until it says yes; returns when it did (`time.monotonic`)."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1.0)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return time.monotonic()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(ASK_EVERY)
    said = log.read_text(errors="replace").strip().splitlines()
    raise Failed(f"the gateway did not start; its last words: {' | '.join(said[-5:]) or 'none'}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
