"""What a call costs the worker by itself: `taskset -c 0 python benchmarks/call_path.py [--stream]`.

All of a worker runs, from the bytes of a request to the bytes of its answer: both ends of the wire, the exchange, two
records a call, the operational log, the thread that writes. Only the kernel's part is left out, which no change of
ours can make faster: connections are objects in memory, and the log lies in memory. So the figure is the processor
time of our own code, and moves little from run to run. `--profile` says which functions it goes to.
"""

import argparse
import asyncio
import cProfile
import gc
import os
import pstats
import shutil
import tempfile
import time
from pathlib import Path

import uvloop
from msgspec.structs import replace

from trunkline.audit.files.disk import Disk
from trunkline.audit.files.writer import LogSettings, LogWriter
from trunkline.cli.bench.gateway import CONFIG, ROUTE
from trunkline.cli.bench.transcript import MODEL, transcript
from trunkline.config.compile import load
from trunkline.config.sources import Sources
from trunkline.gateway.admission import Admission
from trunkline.gateway.budgets import Budgets
from trunkline.gateway.endpoints import Endpoints
from trunkline.gateway.exchange import Exchange
from trunkline.gateway.ids import IdSource
from trunkline.gateway.in_force import InForce
from trunkline.gateway.journal import Journal
from trunkline.gateway.refusals import Refusals
from trunkline.gateway.upstreams import Upstreams
from trunkline.model.snapshot import Capacity
from trunkline.operations import OperationalLog
from trunkline.policy.health import TargetHealth
from trunkline.wire.client_connection import Connection as ClientConnection
from trunkline.wire.server import Server, ServerLimits
from trunkline.wire.server_connection import Connection as ServerConnection

KEY = "tl-7kQ2vX9mZr4TbN8sWfY3hLcJ6pDgE1uA0xRiOeKtBvM"
TOKEN = "adm-9xWq3LmTz7RkPv2NcYb5HsJf8GdQe4AuVt6KoXiZrB1M"
DELTAS = 64
BODY = (
    b'{"messages": [{"role": "system", "content": "You are a helpful voice assistant for financial advisors. '
    b'Keep answers short."}, {"role": "user", "content": "What is the current allocation for the Henderson household '
    b'account, and how has it changed since last quarter?"}], "temperature": 0.2, "user": "advisor-117", '
    b'"model": "%b"}' % ROUTE.encode()
)
LIMITS = f"""\
    limits: {{requests_per_minute: 1000000000, tokens_per_minute: 1000000000, concurrent_requests: 10000}}
    user_limits: {{requests_per_minute: 1000000000}}
    team_limits: {{requests_per_minute: 1000000000}}
    route_limits: {{{ROUTE}: {{requests_per_minute: 1000000000}}}}
    budget: {{amount: 1000000, per: month}}
    user_budget: {{amount: 1000000, per: day}}
"""
SAID = transcript(DELTAS)
STREAM = (SAID.opening, *SAID.later, SAID.closing_with_usage)
RATES = (
    b"x-ratelimit-limit-requests: 30000\r\nx-ratelimit-limit-tokens: 150000000\r\n"
    b"x-ratelimit-remaining-requests: 29999\r\nx-ratelimit-remaining-tokens: 149999000\r\n"
    b"x-ratelimit-reset-requests: 2ms\r\nx-ratelimit-reset-tokens: 0s\r\n"
)
PLENTY = Capacity(10**12, 10**12)
STALLED = 10.0  # seconds without a call that ends


def request(body):
    """Return a call with this body as a client sends it."""
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:8080\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b" % (KEY.encode(), len(body), body)
    )


class Memory:
    """A transport whose other side answers what is written at the loop's next turn."""

    def __init__(self, loop, answered):
        self._loop, self._answered = loop, answered

    def write(self, data):
        self._loop.call_soon(self._answered, data)

    def get_extra_info(self, name):
        return ("127.0.0.1", 40000) if name == "peername" else None

    def get_write_buffer_size(self):
        return 0

    def set_write_buffer_limits(self, high, low):
        pass

    def resume_reading(self):
        pass

    def abort(self):
        pass


class InMemory(Disk):
    """A disk that flushes nothing: the directory is in memory."""

    def write_durably(self, fd, data, offset):
        self.write(fd, data, offset)


def provider(loop, pool, pieces):
    """Give the pool another connection, whose provider answers at once, a piece a turn of the loop."""
    connection = ClientConnection(pool, loop)

    def say(at):
        connection.data_received(pieces[at])
        if at + 1 < len(pieces):
            loop.call_soon(say, at + 1)

    connection.connection_made(Memory(loop, lambda _: say(0)))
    pool._open.add(connection)
    pool._idle.append(connection)


def caller(server, loop, calls, asked, last):
    """Connect a caller that asks again as soon as it has an answer that ends with `last`; return what begins it."""
    connection = ServerConnection(server)

    def answered(data):
        if data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(data.decode())
        if data.endswith(last):
            calls.append(None)
            connection.data_received(asked)

    connection.connection_made(Memory(loop, answered))
    return lambda: connection.data_received(asked)


def limited(piece, rates):
    """Return the beginning of an answer, with what a provider says of its rate limits if it shall."""
    status, separator, rest = piece.partition(b"\r\n")
    return status + separator + RATES.replace(b"30000", b"%d" % rates).replace(b"29999", b"%d" % rates) + rest


def worker(directory, operations, options):
    """Return the endpoints of a worker, and its providers."""
    text = CONFIG.format(directory=directory, port=1, console=2, provider=9, route=ROUTE, model=MODEL, workers=1)
    sources = Sources({"BENCH_KEY": KEY, "BENCH_ADMIN_TOKEN": TOKEN}, lambda path: Path(path).read_text(), "h", 0.0)
    if options.limits:
        text = text.replace("    keys:\n", LIMITS + "    keys:\n")
    compiled = load(text, "trunkline.yaml", sources)
    snapshot = compiled.snapshot
    if options.capacity:
        shared = {name: replace(provider, capacity=PLENTY) for name, provider in snapshot.providers.items()}
        snapshot = replace(snapshot, providers=shared)
    log, _ = LogWriter.open(
        directory / "log",
        "bench/h/worker-0",
        LogSettings(min_free_bytes=1 << 20),
        on_event=lambda *_, **facts: print(facts),
        disk=InMemory(),
    )
    new_id = IdSource()
    journal = Journal(log, new_id)
    refusals = Refusals(journal.refused, operations)
    admission = Admission(Budgets(journal, operations).changed)
    exchange = Exchange(journal, refusals, admission, operations, new_id, lambda _heard: None)
    endpoints = Endpoints(exchange, journal, refusals)
    upstreams = Upstreams()
    prepared = upstreams.prepare(snapshot, compiled.secrets.providers)
    health = {}
    endpoints.in_force = InForce(
        snapshot, compiled.digest, prepared, lambda target: health.setdefault(target, TargetHealth())
    )
    return endpoints, prepared


async def measure(directory, options):
    """Print the processor time of a call."""
    loop = asyncio.get_running_loop()
    with (directory / "operations.log").open("wb") as lines:
        operations = OperationalLog(lines.fileno(), "text", "info", "worker-0")
        endpoints, prepared = worker(directory, operations, options)
        server = Server(endpoints.handle, ServerLimits(), on_fault=lambda error: print(repr(error)))
        pieces = STREAM if options.stream else (SAID.answer,)
        if options.rates:
            pieces = (limited(pieces[0], options.rates), *pieces[1:])
        for _ in range(options.callers):
            provider(loop, prepared["openai"].pool, pieces)
        calls = []
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000)
        asked = request(BODY[:-1] + b', "stream": true}' if options.stream else BODY)
        last = b"0\r\n\r\n" if options.stream else b"}"
        for begin in [caller(server, loop, calls, asked, last) for _ in range(options.callers)]:
            begin()
        profile = cProfile.Profile() if options.profile else None
        best = float("inf")
        for _ in range(options.rounds):
            calls.clear()
            began, cpu = time.monotonic(), time.process_time()
            if profile:
                profile.enable()
            seen = 0
            while len(calls) < options.calls:
                await asyncio.sleep(0)
                if time.monotonic() - began > STALLED:
                    if len(calls) == seen:
                        raise RuntimeError("no call ends any more")
                    began, seen = time.monotonic(), len(calls)
            if profile:
                profile.disable()
            taken = (time.process_time() - cpu) / len(calls) * 1e6
            best = min(best, taken)
            print(f"{taken:.1f} us of processor time a call", flush=True)
        print(f"best {best:.1f}")
        if profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(70)
    shutil.rmtree(directory)
    os._exit(0)  # the callers go on for ever


def main():
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stream", action="store_true", help=f"streams of {DELTAS} deltas")
    parser.add_argument("--rates", type=int, default=0, help="answers say that so many requests a minute are allowed")
    parser.add_argument("--capacity", action="store_true", help="the provider's capacity is configured, beyond all use")
    parser.add_argument("--limits", action="store_true", help="the tenant has limits and budgets, beyond all use")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="trunkline-", dir="/dev/shm"))
    try:
        uvloop.run(measure(directory, options))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
