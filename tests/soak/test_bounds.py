"""What a real gateway takes of the machine is bounded: by calls not at all, by connections little."""

import asyncio
import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from running_gateway import PATIENCE, SECRET, Gateway, gateway, write_configuration

from trunkline.cli.bench.plan import LoadPlan, LoadResult
from trunkline.cli.bench.processes import Use, use_of
from trunkline.cli.bench.transcript import text

pytestmark = pytest.mark.soak

MB = 1_000_000
CONNECTIONS = 8
DELTAS = 64
FIRST_CALLS, SOME_CALLS, ALL_CALLS = 10_000, 20_000, 50_000
IDLE = 10_000
OPENING = 100  # at once, well below the backlog of the listening socket
SPARE_DESCRIPTORS = 500
# What an idle connection may hold in the worker: its socket's transport, the protocol, the parser.
BYTES_PER_CONNECTION = 4_000


@contextlib.contextmanager
def simulator(directory: Path) -> Iterator[int]:
    """Run the simulated providers as a process of their own; yields OpenAI's port."""
    script = directory / "script.json"
    script.write_text(json.dumps({"openai": {"text": text(DELTAS).decode()}}))
    command = [sys.executable, "-m", "trunkline.simulator", "--script", str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["openai"]["port"]
        finally:
            process.send_signal(signal.SIGTERM)


@contextlib.contextmanager
def running(directory: Path) -> Iterator[Gateway]:
    """Run a gateway whose log somebody reads, before the simulator; at the end it has to stop by itself."""
    with simulator(directory) as provider:
        write_configuration(directory, provider=provider)
        with gateway(directory) as started:
            reader = threading.Thread(target=read_to_the_end, args=[started.process.stderr.fileno()])
            reader.start()
            try:
                yield started
            finally:
                started.process.send_signal(signal.SIGTERM)
                status = started.process.wait(PATIENCE)
                reader.join(PATIENCE)
            assert status == 0


def read_to_the_end(descriptor: int) -> None:
    while os.read(descriptor, 65536):
        pass


def carry(started: Gateway, calls: int) -> Use:
    """Have so many identical calls answered, each with the whole text; returns what the gateway uses then."""
    plan = LoadPlan(
        host="127.0.0.1",
        port=started.port,
        key=SECRET,
        model="fast",
        callers=CONNECTIONS,
        deltas=DELTAS,
        calls=calls,
    )
    load = subprocess.run(
        [sys.executable, "-m", "trunkline.cli.bench.load"],
        input=msgspec.json.encode(plan),
        stdout=subprocess.PIPE,
        check=True,
    )
    result = msgspec.json.decode(load.stdout, type=LoadResult)
    assert (result.answered, result.failed) == (calls, {}), result.sample
    return use_of(started.process.pid)


def test_memory_is_small_and_does_not_grow_with_calls(tmp_path):
    with running(tmp_path) as started:
        first = carry(started, FIRST_CALLS)
        some = carry(started, SOME_CALLS - FIRST_CALLS)
        last = carry(started, ALL_CALLS - SOME_CALLS)
    assert 0 < some.worker_bytes <= 80 * MB
    assert some.all_bytes <= 200 * MB
    assert last.worker_bytes - first.worker_bytes < 2 * MB


async def connect(port: int, opening: asyncio.Semaphore) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection and make it idle: one that has asked something may stay."""
    async with opening:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2_048)
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        (length,) = [line.split(b":")[1] for line in head.splitlines() if line.lower().startswith(b"content-length:")]
        await reader.readexactly(int(length))
        return reader, writer


async def hold(started: Gateway) -> Use:
    """Hold idle connections while calls go through; returns what the gateway uses with them."""
    opening = asyncio.Semaphore(OPENING)
    connections = await asyncio.gather(*(connect(started.port, opening) for _ in range(IDLE)))
    await asyncio.to_thread(carry, started, CONNECTIONS)
    held = use_of(started.process.pid)
    assert not any(reader.at_eof() for reader, _ in connections)
    for _, writer in connections:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for _, writer in connections))
    return held


@pytest.fixture
def _many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < IDLE + SPARE_DESCRIPTORS:
        pytest.skip(f"a process may open only {hard} files here; {IDLE} connections need more")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, IDLE + SPARE_DESCRIPTORS), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_many_descriptors")
def test_ten_thousand_idle_connections_cost_little_and_are_in_nobodys_way(tmp_path):
    with running(tmp_path) as started:
        before = carry(started, CONNECTIONS)
        held = asyncio.run(hold(started))
        again = asyncio.run(hold(started))
    assert held.worker_bytes - before.worker_bytes <= IDLE * BYTES_PER_CONNECTION
    assert again.worker_bytes - held.worker_bytes < 2 * MB
