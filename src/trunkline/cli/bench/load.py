"""The load generator: `python -m trunkline.cli.bench.load`, a `LoadPlan` as JSON on standard input.

Answers with a `LoadResult` on standard output.
"""

import asyncio
import gc
import random
import sys
import time
from array import array

import msgspec
import uvloop

from trunkline.cli.bench.caller import Caller, Listener
from trunkline.cli.bench.places import allow_many_connections
from trunkline.cli.bench.plan import LoadPlan, LoadResult, spread
from trunkline.cli.bench.transcript import text

# How long calls in flight are waited for once no more are begun; whatever hangs longer has failed. Seconds.
GRACE = 30.0
# Connections that are being opened at the same time.
OPENING = 128
SAMPLE_BYTES = 300

QUESTION = [
    {"role": "system", "content": "You are the voice assistant of a wealth manager's advisors. Keep answers short."},
    {
        "role": "user",
        "content": "What is the current allocation of the Henderson household, and how has it changed since last "
        "quarter? Please leave out the accounts that were closed.",
    },
]


def request(plan: LoadPlan) -> bytes:
    """Return the bytes of a call."""
    body = {"model": plan.model, "messages": QUESTION, "temperature": 0.2, "user": "advisor-117"}
    if plan.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    payload = msgspec.json.encode(body)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: {plan.host}:{plan.port}\r\naccept: application/json\r\n"
        f"content-type: application/json\r\nauthorization: Bearer {plan.key}\r\nuser-agent: trunkline-bench\r\n"
        f"content-length: {len(payload)}\r\n\r\n"
    )
    return head.encode() + payload


class Load:
    """Callers in a closed loop, and what came of their calls."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self.request = request(plan)
        self.expected = text(plan.deltas)
        self._left = plan.calls
        self._stopped = False
        self._took, self._first, self._gaps = array("d"), array("d"), array("d")
        self._lost = 0
        self._failed: dict[str, int] = {}
        self._sample: str | None = None
        self._active = 0
        self._done = asyncio.Event()
        self._replacing: set[asyncio.Task[None]] = set()

    async def run(self) -> LoadResult:
        """Make the calls; returns what came of them."""
        loop = asyncio.get_running_loop()
        opening = asyncio.Semaphore(OPENING)
        opened = await asyncio.gather(*(self._open(opening) for _ in range(self._plan.callers)))
        callers = [caller for caller in opened if caller is not None]
        self._active = len(callers)
        if not callers:
            self._done.set()
        chance = random.Random(1)  # noqa: S311 - the same spread in every run
        began = time.perf_counter()
        for caller in callers:
            loop.call_later(chance.random() * self._plan.spread if self._plan.stream else 0.0, caller.begin)
        if self._plan.calls is None:
            loop.call_later(self._plan.limit, self._stop)
        await self._ended()
        return self._result(time.perf_counter() - began)

    # What callers call

    def another(self) -> bool:
        """Say whether the caller is to make another call."""
        if self._left is None:
            return not self._stopped
        self._left -= 1
        return self._left >= 0 and not self._stopped

    def answered(self, began: float, first: float, ended: float, gaps: list[float]) -> None:
        """Take the times of a call."""
        self._took.append(ended - began)
        if self._plan.stream:
            self._first.append(first - began)
            self._gaps.extend(gaps)

    def lose(self) -> None:
        """Count a stream that did not come whole."""
        self._lost += 1

    def fail(self, reason: str, said: bytes) -> None:
        """Count a call that was not answered; what the first of them was told is kept."""
        self._failed[reason] = self._failed.get(reason, 0) + 1
        if self._sample is None and said:
            self._sample = said[:SAMPLE_BYTES].decode("utf-8", "replace")

    def replace(self, caller: Caller) -> None:
        """Open another connection, and go on with it."""
        del caller
        task = asyncio.get_running_loop().create_task(self._reopen())
        self._replacing.add(task)
        task.add_done_callback(self._replacing.discard)

    def retire(self, caller: Caller) -> None:
        """Take note that a caller has ended."""
        del caller
        self._active -= 1
        if self._active == 0:
            self._done.set()

    async def _open(self, opening: asyncio.Semaphore) -> Caller | None:
        make = Listener if self._plan.stream else Caller
        try:
            async with opening:
                _, caller = await asyncio.get_running_loop().create_connection(
                    lambda: make(self), self._plan.host, self._plan.port
                )
        except OSError as error:
            self.fail(f"cannot connect: {error.strerror}", b"")
            return None
        return caller

    async def _reopen(self) -> None:
        caller = await self._open(asyncio.Semaphore(1))
        if caller is None:
            self._active -= 1
            if self._active == 0:
                self._done.set()
        else:
            caller.begin()

    def _stop(self) -> None:
        self._stopped = True

    async def _ended(self) -> None:
        try:
            async with asyncio.timeout(self._plan.limit + GRACE):
                await self._done.wait()
        except TimeoutError:
            self._failed["no end"] = self._failed.get("no end", 0) + self._active

    def _result(self, elapsed: float) -> LoadResult:
        return LoadResult(
            answered=len(self._took),
            seconds=elapsed,
            took=spread(self._took),
            first=spread(self._first),
            gaps=spread(self._gaps),
            lost=self._lost,
            failed=self._failed,
            sample=self._sample,
        )


async def _run(plan: LoadPlan) -> LoadResult:
    # A collection in here would show as latency of the gateway's.
    gc.disable()
    return await Load(plan).run()


def main() -> None:
    """Read the plan, carry it out, write the result."""
    allow_many_connections()
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=LoadPlan)
    result = uvloop.run(_run(plan))
    sys.stdout.buffer.write(msgspec.json.encode(result) + b"\n")


if __name__ == "__main__":
    main()
