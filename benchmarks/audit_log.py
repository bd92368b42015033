"""How much a record log costs a gateway: `taskset -c 0 python benchmarks/audit_log.py [DIRECTORY] [CALLS] [CALLERS]`.

Each caller appends an opened record with a request, waits for it, appends a closed record with a provider's request
and response, and waits for that: what a JSON call does. CPU is that of both threads, so that on one core it is what
a call pays, whatever the disk does meanwhile.
"""

import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import uvloop

from trunkline.audit.files.flush_times import BOUNDS, FlushTimes
from trunkline.audit.files.writer import LogSettings, LogWriter

REQUEST = msgspec.json.encode(
    {
        "model": "advisor-voice",
        "messages": [
            {"role": "system", "content": "You help a wealth manager's advisors. Answer in one or two sentences. " * 6},
            {"role": "user", "content": "What is the allocation of the Hendricks portfolio, and how far off target?"},
        ],
        "temperature": 0.2,
        "user": "advisor-17",
        "metadata": {"session": "s-1891", "subject": "client-332", "channel": "phone", "env": "prod"},
        "tools": [{"type": "function", "function": {"name": "get_portfolio", "parameters": {"type": "object"}}}],
    }
)
ANSWER = msgspec.json.encode(
    {
        "id": "chatcmpl-0192f0c1",
        "object": "chat.completion",
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "61 percent equities, 34 bonds. " * 16}}],
        "usage": {"prompt_tokens": 92, "completion_tokens": 48, "total_tokens": 140},
    }
)
OPENED = msgspec.json.encode(
    {
        "call": "0192f0c1-1111-7abc-8def-001122334455",
        **dict.fromkeys(("tenant", "key_id", "team", "user", "subject", "session"), "some-value-of-usual-length"),
        "endpoint": "/v1/chat/completions",
        "route": "advisor-voice",
        "prompt_fingerprint": "a" * 64,
        "parameters": {"temperature": 0.2},
        "snapshot": "b" * 64,
        "build": "0.1.0",
    }
)
CLOSED = msgspec.json.encode(
    {
        "call": "0192f0c1-1111-7abc-8def-001122334455",
        "outcome": "answered",
        "status": 200,
        "finish_reason": "stop",
        "attempts": [{"provider": "openai", "model": "gpt-4o-mini", "dialect": "openai", "outcome": "answered"}],
        "usage": {"input": 92, "output": 48},
        "cost": {"amount": "0.0000426", "lines": [{"token_class": "input", "tokens": 92, "unit_price": "0.15"}] * 2},
        "timings": {"total_ms": 412.113, "overhead_ms": 0.412, "first_token_ms": 398.1, "first_byte_ms": 400.5},
    }
)
PARTS = {"1.provider_request": REQUEST, "1.provider_response": ANSWER, "response": ANSWER}


async def caller(log: LogWriter, calls: int) -> None:
    for _ in range(calls):
        opened = log.append("call.opened", "0192f0c1-1111-7abc-8def-001122334455", OPENED, {"request": REQUEST})
        await log.wait(opened)
        closed = log.append("call.closed", "0192f0c1-2222-7abc-8def-001122334455", CLOSED, PARTS)
        await log.wait(closed)


async def run(directory: Path, calls: int, callers: int) -> None:
    log, _ = LogWriter.open(directory, "bench/here/worker-0", LogSettings(), on_event=print)
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(caller(log, calls // callers) for _ in range(callers)))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    times = log.flush_times
    stored = sum(map(len, PARTS.values())) + len(REQUEST)
    print(f"{calls / wall:9.0f} calls/s at {callers} callers, {stored} bytes of bodies a call")
    print(f"{cpu / calls * 1e6:9.1f} us of CPU a call, both threads")
    print(f"{2 * calls / times.total:9.1f} records a flush; flushes p50 {at(times, 0.5)}, p99 {at(times, 0.99)}")
    await log.close()


def at(times: FlushTimes, share: float) -> str:
    """Return the bound under which this share of the flushes stayed."""
    seen = 0
    for bound, count in zip((*BOUNDS, float("inf")), times.counts, strict=True):
        seen += count
        if seen >= share * times.total:
            return f"<= {bound * 1e3:g} ms"
    return "-"


def main() -> None:
    place = sys.argv[1] if len(sys.argv) > 1 else None
    calls = int(sys.argv[2]) if len(sys.argv) > 2 else 60_000
    callers = int(sys.argv[3]) if len(sys.argv) > 3 else 64
    directory = Path(tempfile.mkdtemp(prefix="audit-log-", dir=place))
    try:
        uvloop.run(run(directory / "log", calls, callers))
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
