"""What it costs a call that its first provider says 429: `python benchmarks/failover.py [CALLS]`.

A real `trunkline serve` in front of two simulated providers in a process of their own: OpenAI answers each call with
429, and Anthropic answers it. The extra time is that of the whole call less that of the attempt that succeeded, both
from the call's record: what passed before the second provider was asked, and after it had ended. What the client saw
has the flush of the closing record and the way there and back besides. The target is a median of at most 20 ms.
"""

import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trunkline.audit.files.reader import read_records

TARGET_MS = 20.0
PATIENCE = 30.0
# Without a wait of the provider's naming the target would rest, and the next call would not ask it at all.
SCRIPT = {
    "openai": {"fault": {"kind": "error_answer", "status": 429, "retry_after": 0}},
    "anthropic": {"text": "Sixty percent equities, thirty percent bonds, ten percent cash."},
}
CONFIG = """\
version: 1
data_dir: ./data
node: failover
listen: 127.0.0.1:{port}
log: {{format: json, level: error}}
providers:
  openai: {{dialect: openai, base_url: "{openai}", api_key: sk-bench, keep_warm: 1}}
  anthropic: {{dialect: anthropic, base_url: "{anthropic}", api_key: sk-ant-bench, keep_warm: 1}}
routes:
  voice:
    targets: [{{provider: openai, model: gpt-4o-mini}}, {{provider: anthropic, model: claude-haiku-4-5}}]
tenants:
  bench: {{keys: {{caller: {{secret: "${{BENCH_KEY}}"}}}}}}
"""


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    key = secrets.token_hex(32)
    with tempfile.TemporaryDirectory(prefix="trunkline-failover-") as name, providers(Path(name)) as urls:
        directory, port = Path(name), free_port()
        (directory / "trunkline.yaml").write_text(CONFIG.format(port=port, **urls))
        with gateway(directory, port, key):
            seen = {
                kind: [ask(port, key, stream=kind == "stream") for _ in range(calls)] for kind in ("JSON", "stream")
            }
        closed = {record["call"]: record for record in records(directory / "data" / "log" / "failover" / "worker-0")}
    for kind, answers in seen.items():
        own = [own_time(closed[call]) for call, _ in answers]
        report(kind, "extra, by the record", [closed[call]["timings"]["total_ms"] for call, _ in answers], own)
        report(kind, "extra, as the client saw it", [took for _, took in answers], own)


def own_time(record: dict[str, Any]) -> float:
    """The time of the attempt that succeeded, in a call whose first one met the 429."""
    first, second = record["attempts"]
    assert (first["status"], second["outcome"], record["outcome"]) == (429, "answered", "answered"), record
    return second["total_ms"] - second["started_ms"]


def report(kind: str, what: str, whole: list[float], own: list[float]) -> None:
    extra = [one - other for one, other in zip(whole, own, strict=True)]
    median = statistics.median(extra)
    verdict = "met" if median <= TARGET_MS else "missed"
    print(f"{kind:6} {what:27} median {median:7.3f} ms   most {max(extra):7.3f} ms   {len(extra)} calls   {verdict}")


def ask(port: int, key: str, *, stream: bool) -> tuple[str, float]:
    """Make a call on a connection of its own; returns its id and the time to its last byte in milliseconds."""
    body = {"model": "voice", "stream": stream, "messages": [{"role": "user", "content": "What do they hold?"}]}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.connect()
        began = time.perf_counter()
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        data = answer.read()
        took = (time.perf_counter() - began) * 1000
    assert answer.status == 200, data
    return answer.headers["x-trunkline-call"], took


def records(directory: Path) -> Iterator[dict[str, Any]]:
    return (json.loads(stored.bytes) for stored in read_records(directory) if stored.type == "call.closed")


@contextlib.contextmanager
def providers(directory: Path) -> Iterator[dict[str, str]]:
    script = directory / "script.json"
    script.write_text(json.dumps(SCRIPT))
    command = [sys.executable, "-m", "trunkline.simulator", "--script", str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield {name: found["url"] for name, found in json.loads(process.stdout.readline()).items()}
        finally:
            process.send_signal(signal.SIGTERM)


@contextlib.contextmanager
def gateway(directory: Path, port: int, key: str) -> Iterator[None]:
    command = [sys.executable, "-m", "trunkline", "serve"]
    with subprocess.Popen(command, cwd=directory, env=os.environ | {"BENCH_KEY": key}) as process:
        try:
            until_ready(process, port)
            yield
        finally:
            process.send_signal(signal.SIGTERM)


def until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0) as probe:
            probe.sendall(b"GET /readyz HTTP/1.1\r\nhost: gateway\r\n\r\n")
            if probe.recv(64).startswith(b"HTTP/1.1 200 "):
                return
        time.sleep(0.02)
    raise SystemExit("the gateway did not start")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
