"""What the demo runs on: two simulated providers and a gateway, in a directory of their own."""

import contextlib
import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trunkline.cli.demo import advice
from trunkline.cli.demo.advisors import directory_file
from trunkline.simulator import Script, Simulator, ThreadedSimulator

START_SECONDS = 20.0
STOP_SECONDS = 15.0
DIRECTORY_FILE = "advisors.csv"
LIMITED = "One moment, I am being asked too much at once."
USER_LIMIT = 12  # calls a minute
# As quick as a small model: the first word after a quarter of a second, then eighty words a second.
VOICE_PACE = Script(first_token=0.25, tokens_per_second=80.0)

CONFIG = """\
version: 1
data_dir: {directory}/data
node: demo
listen: 127.0.0.1:{port}
providers:
  openai:
    {{dialect: openai, base_url: "{openai}", api_key: "{openai_key}", region: us, data_retention: 30d, keep_warm: 1}}
  anthropic:
    {{dialect: anthropic, base_url: "{anthropic}", api_key: "{anthropic_key}", region: us, data_retention: zero,
      keep_warm: 1}}
routes:
  advisor-voice:
    targets:
      - {{provider: openai, model: gpt-4o-mini}}
      - {{provider: anthropic, model: claude-haiku-4-5, max_output_tokens: 1024}}
    timeouts: {{connect: 1s, first_token: 5s, gap: 5s, total: 30s}}
    instead_of_error:
      unavailable: "I can't reach my assistant right now. Please hold on."
      limited: "{limited}"
  advisor-chat:
    targets:
      - {{provider: openai, model: gpt-4o-mini}}
      - {{provider: anthropic, model: claude-haiku-4-5, max_output_tokens: 1024}}
  {guarded}:
    targets:
      - {{provider: openai, model: gpt-4o-mini}}
      - {{provider: anthropic, model: claude-haiku-4-5, max_output_tokens: 1024}}
    guardrails: [{policy}]
{guardrails}\
tenants:
  harbor-wealth:
    require: [user]
    directory: {directory}/{file}
    limits: {{requests_per_minute: 600}}
    user_limits: {{requests_per_minute: {user_limit}}}
    budget: {{amount: 25, per: day}}
    keys:
      voice-agent: {{secret: "${{DEMO_KEY}}", routes: [advisor-voice, advisor-chat, {guarded}], team: wealth}}
server: {{drain: 5s}}
"""


class StageFailed(Exception):
    """The demo's gateway did not come up or went down; the message says what it said."""


@dataclass(frozen=True)
class Stage:
    """A running gateway, how to reach it, and the simulated providers behind it (None with real ones)."""

    url: str
    key: str
    directory: Path
    simulator: ThreadedSimulator | None
    gateway: subprocess.Popen[bytes]


@contextlib.contextmanager
def simulated() -> Iterator[Stage]:
    """Run the gateway in front of two simulated providers."""
    with Simulator.in_thread(openai=VOICE_PACE, anthropic=VOICE_PACE) as simulator:
        addresses = {
            "openai": simulator.openai.url,
            "anthropic": simulator.anthropic.url,
            "openai_key": "sk-demo",
            "anthropic_key": "sk-ant-demo",
        }
        with _gateway(addresses, simulator) as stage:
            yield stage


@contextlib.contextmanager
def real() -> Iterator[Stage]:
    """Run the gateway in front of the real providers, with the keys of the environment."""
    missing = [name for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY") if not os.environ.get(name)]
    if missing:
        raise StageFailed(f"--real needs {' and '.join(missing)} in the environment.")
    addresses = {
        "openai": "https://api.openai.com/v1",
        "anthropic": "https://api.anthropic.com",
        "openai_key": "${OPENAI_API_KEY}",
        "anthropic_key": "${ANTHROPIC_API_KEY}",
    }
    with _gateway(addresses, None) as stage:
        yield stage


@contextlib.contextmanager
def _gateway(addresses: dict[str, str], simulator: ThreadedSimulator | None) -> Iterator[Stage]:
    key = f"tl-{secrets.token_urlsafe(32)}"
    with tempfile.TemporaryDirectory(prefix="trunkline-demo-") as name:
        directory = Path(name)
        port = _free_port()
        config = directory / "trunkline.yaml"
        (directory / DIRECTORY_FILE).write_text(directory_file())
        of_ours = {"file": DIRECTORY_FILE, "port": port, "limited": LIMITED, "user_limit": USER_LIMIT}
        of_ours |= {"guarded": advice.ROUTE, "policy": advice.POLICY, "guardrails": advice.GUARDRAILS}
        config.write_text(CONFIG.format(directory=directory, **of_ours, **addresses))
        log = directory / "gateway.log"
        with log.open("wb") as stderr:
            gateway = subprocess.Popen(  # noqa: S603 - our own command line
                [sys.executable, "-m", "trunkline", "serve", "--config", str(config)],
                stderr=stderr,
                stdout=stderr,
                env=os.environ | {"DEMO_KEY": key},
            )
        try:
            _await_ready(gateway, port, log)
            yield Stage(f"http://127.0.0.1:{port}/v1", key, directory, simulator, gateway)
        finally:
            stop(gateway)


def stop(gateway: subprocess.Popen[bytes]) -> int:
    """Ask the gateway to drain and wait for its end; returns its exit status."""
    if gateway.poll() is None:
        gateway.send_signal(signal.SIGTERM)
    try:
        return gateway.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        gateway.kill()
        return gateway.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_ready(gateway: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Ask `/readyz` until it says yes; the gateway's own words are the error if it does not come up."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and gateway.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1.0)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.02)
    raise StageFailed(f"The demo's gateway did not start:\n{log.read_text(errors='replace')}")
