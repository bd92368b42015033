"""A real worker in the test's own event loop: real sockets, a real log, simulated providers."""

import asyncio
import contextlib
import json
import os
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import openai

from trunkline.audit.files.data_dir import open_data_dir
from trunkline.audit.files.reader import read_body, read_records
from trunkline.audit.files.writer import LogSettings, LogWriter
from trunkline.config.compile import load
from trunkline.config.sources import Sources
from trunkline.gateway.channel import Channel
from trunkline.gateway.worker import Worker
from trunkline.operations import OperationalLog
from trunkline.simulator import Simulator

SECRET = "tl-7kQ2vX9mZr4TbN8sWfY3hLcJ6pDgE1uA0xRiOeKtBvM"
SMALL_SEGMENT = 4 << 20

CONFIG = """
version: 1
data_dir: {data_dir}
node: gw-test
listen: 127.0.0.1:0
providers:
  first: {{dialect: openai, base_url: "{openai}", api_key: sk-first, region: us, data_retention: 30d}}
  second: {{dialect: anthropic, base_url: "{anthropic}", api_key: sk-ant-second, region: us, data_retention: zero}}
routes:
  voice:
    targets:
      - {{provider: first, model: gpt-4o-mini}}
      - {{provider: second, model: claude-haiku-4-5}}
    timeouts: {{connect: 1s, first_token: 2s, gap: 2s, total: 10s}}
    {route}
  only-first: {{targets: [{{provider: first, model: gpt-4o-mini}}]}}
  only-second: {{targets: [{{provider: second, model: claude-haiku-4-5}}]}}
tenants:
  harbor:
    {tenant}
    keys:
      voice-agent: {{secret: {secret}, team: wealth-desk}}
{more}
"""


class Gateway:
    """What a test needs of a running worker."""

    def __init__(self, port: int, directory: Path, worker: Worker, log: LogWriter) -> None:
        self.port, self.directory, self.worker, self.log = port, directory, worker, log
        self.url = f"http://127.0.0.1:{port}/v1"
        self.order: socket.socket | None = None

    def client(self, secret: str = SECRET, **options: object) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(base_url=self.url, api_key=secret, **({"max_retries": 0, "timeout": 10.0} | options))

    def records(self, kind: str = "call.") -> list[dict]:
        """Return the records that are in the log's files, as another process would read them."""
        found = [json.loads(stored.data) for stored in read_records(self.log.directory)]
        return [record for record in found if record["type"].startswith(kind)]

    def body(self, record: dict) -> dict[str, bytes]:
        """Return the parts of a record's bodies, those of several frames joined."""
        parts: dict[str, bytes] = {}
        for reference in record["bodies"]:
            for name, data in read_body(self.log.directory, reference).items():
                parts[name] = parts.get(name, b"") + data
        return parts


def configuration(simulator: Simulator, data_dir: Path, route: str = "", tenant: str = "{}", more: str = "") -> str:
    return CONFIG.format(
        data_dir=data_dir,
        openai=simulator.openai.url,
        anthropic=simulator.anthropic.url,
        secret=SECRET,
        route=route,
        tenant="regulated: false" if tenant == "{}" else tenant,
        more=more,
    )


@contextlib.asynccontextmanager
async def running(simulator: Simulator, directory: Path, **configured: str) -> AsyncIterator[Gateway]:
    """Run a worker on the configuration for as long as the context lasts, then drain it."""
    sources = Sources(environment={}, read_file=lambda path: Path(path).read_text(), host_name="h", now=time.time())
    compiled = load(configuration(simulator, directory, **configured), "trunkline.yaml", sources)
    snapshot = directory / "snapshot.json"
    snapshot.write_bytes(compiled.canonical)
    data_dir = open_data_dir(directory / "data")
    quiet = os.open(directory / "operations.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    operations = OperationalLog(quiet, "text", "debug", "worker-0")
    log, recovery = LogWriter.open(
        data_dir.path / "log", f"{data_dir.deployment}/gw-test/0", LogSettings(segment_bytes=SMALL_SEGMENT),
        clock=time.time_ns, on_event=lambda name, **facts: operations.event("info", name, **facts),
    )
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    worker = Worker(log, operations, listener, await Channel.on(theirs.detach()))
    running_worker = asyncio.create_task(worker.run(recovery))
    secrets = {name: {"api_keys": s.api_keys, "headers": s.headers, "proxy": s.proxy} for name, s in compiled.secrets.items()}
    order = {"do": "load", "snapshot": str(snapshot), "digest": compiled.digest, "secrets": secrets}
    writer.write(json.dumps(order).encode() + b"\n")
    while json.loads(await reader.readline())["event"] != "ready":
        pass
    try:
        yield Gateway(port, directory, worker, log)
    finally:
        writer.write(b'{"do":"drain","deadline":5.0}\n')
        async with asyncio.timeout(20):
            await running_worker
        writer.close()
        operations.close()
        os.close(quiet)
