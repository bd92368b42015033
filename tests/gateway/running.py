"""A real worker in the test's own event loop: real sockets, a real log, simulated providers.

`play` runs a story against it, and then looks at what must hold after any story: no fault in the gateway or in the
simulator, no connection to a provider still taken, and exactly one closed (or abandoned) record for each opened one.
"""

import asyncio
import contextlib
import dataclasses
import functools
import json
import os
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import openai
import uvloop

from trunkline.audit.files.data_dir import open_data_dir
from trunkline.audit.files.disk import Disk
from trunkline.audit.files.reader import read_body, read_records, read_whole
from trunkline.audit.files.vault.log_vault import log_vault
from trunkline.audit.files.vault.opening import open_vault, unlock
from trunkline.audit.files.vault.stored_keys import StoredKeys
from trunkline.audit.files.writer import LogSettings, LogWriter
from trunkline.audit.format.references import BodyRef
from trunkline.audit.format.timing import decode_timing
from trunkline.channel.link import Link
from trunkline.channel.messages import Drain, FromWorker, Load, Loaded, LoadFailed, ToWorker
from trunkline.config.canonical import digest_of, encode_snapshot
from trunkline.config.compile import load
from trunkline.config.compiled import Compiled
from trunkline.config.sources import Sources
from trunkline.gateway.clock import moment
from trunkline.gateway.left_logs import left_logs
from trunkline.gateway.membership import WorkerPlace
from trunkline.gateway.worker import Worker
from trunkline.model.vault import KeySettings
from trunkline.operations import OperationalLog
from trunkline.policy.budgets.account import Account
from trunkline.policy.limits.gauge import Gauge
from trunkline.simulator import Simulator
from trunkline.simulator.script import Behaviour

SECRET = "tl-7kQ2vX9mZr4TbN8sWfY3hLcJ6pDgE1uA0xRiOeKtBvM"
FIRST_KEY = "sk-first-Qm3vXz81LwPd"
SECOND_KEY = "sk-ant-second-Rt6yBn40KcHs"
HELLO = [{"role": "user", "content": "How is the Henderson household allocated?"}]
SOMEWHERE = "http://127.0.0.1:9"  # stands for an address of the simulator's
PATIENCE = 20.0  # seconds until a story that hangs fails

SMALL_LOG = LogSettings(segment_bytes=512 << 10, min_free_bytes=1 << 20)

CONFIG = """
version: 1
node: gw-test
listen: 127.0.0.1:0
providers:
  first: {{dialect: openai, base_url: "{openai}", api_key: {first_key}, region: us, data_retention: 30d,
           models: [gpt-4o-mini]{first_account}}}
  second: {{dialect: anthropic, base_url: "{anthropic}", api_key: {second_key}, region: eu, data_retention: zero
            {second_account}}}
prices:
  first/gpt-4o-mini: {{{price}}}
  second/claude-haiku-4-5: {{input_per_million: 1, cached_input_per_million: 0.1, output_per_million: 5}}
routes:
  voice:
    targets:
      - {{provider: first, model: gpt-4o-mini{first}}}
      - {{provider: second, model: claude-haiku-4-5{second}}}
    {route}
  reversed:
    targets:
      - {{provider: second, model: claude-haiku-4-5{second}}}
      - {{provider: first, model: gpt-4o-mini{first}}}
    {route}
  only-first:
    targets: [{{provider: first, model: gpt-4o-mini{first}}}]
    {route}
  only-second:
    targets: [{{provider: second, model: claude-haiku-4-5{second}}}]
    {route}
tenants:
  harbor:
    {tenant}
    keys:
      voice-agent: {{secret: {secret}, team: wealth-desk}}
      {keys}
{more}
"""


@functools.cache
def compile_once(configured: tuple[tuple[str, str], ...]) -> Compiled:
    """Compile a configuration for all tests that use it: reading YAML takes longer than most of them."""
    sources = Sources(environment={}, read_file=lambda path: Path(path).read_text(), host_name="h", now=time.time())
    return load(written(**dict(configured)), "trunkline.yaml", sources)


def written(**configured: str) -> str:
    """Return the text of a configuration."""
    names = dict.fromkeys(("route", "first", "second", "first_account", "second_account", "keys", "more"), "")
    names |= {"first_key": FIRST_KEY, "second_key": SECOND_KEY, "secret": SECRET, "tenant": "regulated: false"}
    names["price"] = "input_per_million: 0.15, cached_input_per_million: 0.075, output_per_million: 0.60"
    names |= {"openai": SOMEWHERE, "anthropic": SOMEWHERE}
    return CONFIG.format(**(names | configured))


class Gateway:
    """What a test needs of a running worker."""

    def __init__(self, simulator: Simulator, directory: Path) -> None:
        self.simulator, self.directory = simulator, directory
        self.worker: Worker
        self.log: LogWriter
        self.log_directory: Path
        self.port = 0
        self._clients: list[openai.AsyncOpenAI] = []
        self.link: Link[FromWorker]
        self._loads = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def client(self, secret: str = SECRET, **options) -> openai.AsyncOpenAI:
        """Return the real SDK, closed when the story ends; it does not try again unless told to."""
        settings = {"max_retries": 0, "timeout": PATIENCE} | options
        self._clients.append(openai.AsyncOpenAI(base_url=self.url, api_key=secret, **settings))
        return self._clients[-1]

    async def ask(self, model: str = "voice", *, secret: str = SECRET, **fields):
        """Make one call with the SDK."""
        return await self.client(secret).chat.completions.create(model=model, messages=HELLO, **fields)

    def compile(self, **configured: str) -> Compiled:
        """Return what the configuration says, its providers at the simulator's addresses."""
        compiled = compile_once(tuple(sorted(configured.items())))
        providers = {
            name: msgspec.structs.replace(provider, base_url=getattr(self.simulator, provider.dialect).url)
            if provider.base_url == SOMEWHERE
            else provider
            for name, provider in compiled.snapshot.providers.items()
        }
        return self.changed(compiled, providers=providers)

    def changed(self, compiled: Compiled, **sections) -> Compiled:
        """Return a configuration with other sections in its snapshot."""
        snapshot = msgspec.structs.replace(compiled.snapshot, **sections)
        canonical = encode_snapshot(snapshot)
        return dataclasses.replace(compiled, snapshot=snapshot, canonical=canonical, digest=digest_of(canonical))

    async def load(self, compiled: Compiled, snapshot: bytes | None = None) -> FromWorker:
        """Order a load as the supervisor does, and return what the worker says of it."""
        self._loads += 1
        path = self.directory / f"snapshot-{self._loads}.json"
        path.write_bytes(compiled.canonical if snapshot is None else snapshot)
        self.link.send(Load(str(path), compiled.digest, compiled.secrets))
        return await self.told(Loaded, LoadFailed)

    async def told(self, *kinds: type) -> FromWorker:
        """Return the next message of these kinds that the worker sends to its supervisor."""
        while True:
            message = await self.link.receive()
            assert message is not None, "the worker has closed its channel"
            if isinstance(message, kinds):
                return message

    def records(self, kind: str = "call.") -> list[dict]:
        """Return what the log's files hold, as another process would read them."""
        self.log.flush()
        return [
            json.loads(read_whole(self.log_directory, stored, self.log.opening)) | {"segment": stored.segment}
            for stored in read_records(self.log_directory, upto="whole")
            if stored.type.startswith(kind)
        ]

    def record(self, kind: str) -> dict:
        """Return the only record of this kind."""
        (record,) = self.records(kind)
        return record

    def frames(self, record: dict) -> list[dict[str, bytes]]:
        """Return the parts of a record's bodies, frame by frame."""
        references = msgspec.convert(record.get("bodies", []), list[BodyRef])
        return [
            read_body(self.log_directory, reference, record["segment"], self.log.opening) for reference in references
        ]

    def parts(self, record: dict) -> dict[str, bytes]:
        """Return the parts of a record's bodies, those of several frames joined; timings must add up."""
        parts: dict[str, bytes] = {}
        for frame in self.frames(record):
            for name, data in frame.items():
                if name.endswith("_timing"):
                    timed = frame[name.removesuffix("_timing")]
                    assert sum(size for _, size in decode_timing(data)) == len(timed)
                else:
                    parts[name] = parts.get(name, b"") + data
        return parts

    def operations(self) -> str:
        """Return the operational log so far."""
        self.worker._operations.flush()
        return (self.directory / "operations.log").read_text()

    def upstream(self, provider: str):
        return self.worker._endpoints.in_force._upstreams[provider]

    def health(self, target: str):
        """Return what the worker knows of a target's health."""
        return self.worker._health_of(target)

    async def at_rest(self) -> None:
        """Wait until the providers have seen the end of every call that they got, and the pools too."""
        for provider in (self.simulator.openai, self.simulator.anthropic):
            await provider.wait_until_ended(provider.call_count)
        await until(lambda: not any(upstream.pool.busy for upstream in self.worker._upstreams.all()))

    async def close_clients(self) -> None:
        for client in self._clients:
            await client.close()


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop turn until the condition holds."""
    while not condition():  # noqa: ASYNC110 - what is waited for is not always an event, and never a time
        await asyncio.sleep(0)


def keys_of(data_dir: Path) -> StoredKeys:
    """Return what opens the bodies in the logs of a data directory whose key is in it."""
    return StoredKeys(data_dir, lambda: unlock(data_dir, KeySettings()))


@contextlib.asynccontextmanager
async def running(
    simulator: Simulator,
    directory: Path,
    disk: Disk | None = None,
    settings: LogSettings | None = None,
    place: WorkerPlace | None = None,
    **configured,
) -> AsyncIterator[Gateway]:
    """Run a worker on the configuration for as long as the context lasts, then drain it."""
    gateway = Gateway(simulator, directory)
    data_dir = open_data_dir(directory / "data")
    gateway.log_directory = data_dir.log_directory("gw-test", "worker-0")
    quiet = os.open(directory / "operations.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    operations = OperationalLog(quiet, "text", "info", "worker-0")
    gateway.log, recovery = LogWriter.open(
        gateway.log_directory,
        data_dir.origin("gw-test", "worker-0"),
        settings or SMALL_LOG,
        on_event=lambda name, /, **facts: operations.event("error", name, **facts),
        disk=disk,
        vault=log_vault(data_dir.path, "gw-test", "worker-0", open_vault(data_dir.path, KeySettings())),
    )
    listener = socket.create_server(("127.0.0.1", 0))
    gateway.port = listener.getsockname()[1]
    ours, theirs = socket.socketpair()
    gateway.link = await Link.open(ours, FromWorker)
    link = await Link.open(theirs, ToWorker)
    gateway.worker = Worker(gateway.log, operations, listener, link, place, left_logs(data_dir.path, "gw-test", 1))
    working = asyncio.create_task(gateway.worker.run(recovery))
    try:
        assert isinstance(await gateway.load(gateway.compile(**configured)), Loaded)
        yield gateway
    finally:
        await gateway.close_clients()
        gateway.link.send(Drain(5.0))
        await working
        await link.close()
        await gateway.link.close()
        listener.close()
        operations.close()
        os.close(quiet)


Story = Callable[[Gateway, Simulator], Awaitable[None]]


def play(
    directory: Path, story: Story, openai: Behaviour | None = None, anthropic: Behaviour | None = None, **options
) -> None:
    """Run a story against a gateway, then check what must hold after any."""

    async def main() -> None:
        async with (
            asyncio.timeout(PATIENCE),
            Simulator(openai, anthropic) as simulator,
            running(simulator, directory, **options) as gateway,
        ):
            await story(gateway, simulator)
            await gateway.at_rest()
            check(gateway)

    uvloop.run(main())


def check(gateway: Gateway) -> None:
    """Look at what must hold once no call is in flight."""
    assert gateway.simulator.openai.faults == []
    assert gateway.simulator.anthropic.faults == []
    assert " fault " not in gateway.operations()
    assert gateway.worker._server.in_flight == 0
    limiter = gateway.worker._admission.limiter
    counters = [limiter.find(*place) for place in limiter.places()]
    held = [place for place in limiter.places() if limiter.find(*place).holders]
    assert held == [], held
    assert all(counter.used(moment()) == 0 for counter in counters if isinstance(counter, Gauge))
    assert all(
        counter.used(moment()) == counter.spent(moment()) for counter in counters if isinstance(counter, Account)
    )
    if gateway.log.failure is None:
        calls = gateway.records()
        opened = Counter(record["call"] for record in calls if record["type"] == "call.opened")
        closed = Counter(record["call"] for record in calls if record["type"] in ("call.closed", "call.abandoned"))
        assert set(opened.values()) <= {1}
        assert opened == closed
