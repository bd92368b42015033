"""Limits under everything at once: whatever becomes of a call, it leaves nothing reserved behind."""

import asyncio
import contextlib
import http.client
import json
import os
import random
import signal
import threading
from collections import Counter
from decimal import Decimal

import pytest
import uvloop
from running_gateway import PATIENCE, SECRET, write_configuration
from running_gateway import Gateway as RealGateway
from running_gateway import gateway as real_gateway
from test_kills_and_reloads import logs_of, worker_of

from gateway.raw_client import payload, request
from gateway.running import check, running
from trunkline.audit.files.reader import read_records
from trunkline.audit.files.writer import LogSettings
from trunkline.simulator import Cut, EmptyAnswer, EmptyStream, ErrorAnswer, Script, Simulator, Stall

pytestmark = pytest.mark.soak

CALLS = 100_000
CALLERS = 40
WITHIN = 900.0  # seconds
USERS = 30
LIMITS = """regulated: false
    limits: {concurrent_requests: 30, requests_per_minute: 1000000, tokens_per_minute: 1000000000}
    user_limits: {concurrent_requests: 2, requests_per_hour: 3000}
    team_limits: {tokens_per_hour: 1000000000}
    route_limits: {voice: {concurrent_requests: 20}}
    budget: {amount: 100000, per: day}
    user_budget: {amount: 0.03, per: day}
    wait_up_to: 5ms"""
ROUTE = """instead_of_error: {limited: One moment.}
    timeouts: {first_token: 60ms, gap: 60ms, total: 120ms}
    breaker: {failures: 50, within: 1s, open_for: 10ms}"""
SCRIPTS = (
    Script(text="All is well."),
    Script(text="All is well."),
    Script(text="one two three four", first_token=0.002),
    Script(fault=ErrorAnswer(status=500)),
    Script(fault=ErrorAnswer(status=400)),
    Script(fault=ErrorAnswer(status=429, retry_after=0.001)),
    Script(text="one two three", fault=Cut(after_tokens=1)),
    Script(text="one two three", fault=Stall(after_tokens=1)),
    Script(fault=Stall()),
    Script(fault=EmptyStream()),
    Script(fault=EmptyAnswer()),
)


async def call(port: int, chance: random.Random, heard: Counter) -> None:
    """Make one call of any kind; leave at any moment, or stay to the end."""
    fields = {"model": chance.choice(("voice", "only-first", "reversed")), "stream": chance.random() < 0.4}
    if chance.random() < 0.3:
        fields["max_tokens"] = chance.randrange(1, 500)
    user = {"x-trunkline-user": f"u{chance.randrange(USERS)}"} if chance.random() < 0.9 else {}
    patience = chance.choice((None, None, None, 0.0, 0.001, 0.005, 0.03))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request(payload(fields), user))
        async with asyncio.timeout(patience):
            answer = await reader.readuntil(b"\r\n")
            while await reader.read(1 << 16):
                pass
        heard[answer[9:12].decode()] += 1
    except TimeoutError:
        heard["left"] += 1
    except ConnectionError:
        heard["broken"] += 1
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def test_a_hundred_thousand_mixed_calls_leave_nothing_reserved(tmp_path):
    seed = random.randrange(1 << 32)
    chance, heard = random.Random(seed), Counter()

    async def caller(port: int, left: list[None]) -> None:
        while left:
            left.pop()
            await call(port, chance, heard)

    async def main() -> None:
        mixed = random.Random(seed + 1)
        async with (
            asyncio.timeout(WITHIN),
            Simulator(lambda _: mixed.choice(SCRIPTS), lambda _: mixed.choice(SCRIPTS)) as simulator,
            running(simulator, tmp_path, settings=LogSettings(), tenant=LIMITS, route=ROUTE) as gateway,
        ):
            left = [None] * CALLS
            await asyncio.gather(*(caller(gateway.port, left) for _ in range(CALLERS)))
            while gateway.worker._server.in_flight:  # noqa: ASYNC110 - clients have left; their calls end by themselves
                await asyncio.sleep(0)
            check(gateway)
            outcomes = Counter(record["outcome"] for record in gateway.records("call.closed"))
            refused = Counter(record["outcome"] for record in gateway.records("call.refused"))
            assert set(outcomes) >= {"answered", "failed", "invalid", "cancelled_before", "cancelled_after", "limited"}
            assert set(refused) >= {"over_budget", "cancelled_before"}

    uvloop.run(main())
    assert sum(heard.values()) == CALLS, seed
    assert heard["200"] > CALLS / 20, seed


SERVED = 20
CALLERS_AT_ONCE = 50


def ask(running: RealGateway, statuses: list[int]) -> None:
    """Ask once, and keep the status; a connection that breaks has none."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE)
    with contextlib.suppress(OSError, http.client.HTTPException):
        body = json.dumps({"model": "fast", "messages": [{"role": "user", "content": "Hello"}]})
        connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {SECRET}"})
        statuses.append(connection.getresponse().status)
    connection.close()


def test_a_budget_holds_when_its_worker_is_killed_in_the_middle(tmp_path):
    price = 'prices: {"openai/gpt-4o-mini": {input_per_million: 0, output_per_million: 0, per_request: 0.05}}\n'
    with Simulator.in_thread(openai=Script(text="All is well.", first_token=0.2)) as simulator:
        path = write_configuration(tmp_path, provider=simulator.openai.port, more=price)
        path.write_text(path.read_text().replace("acme: {", "acme: {budget: {amount: 1.00, per: total}, "))
        statuses: list[int] = []
        with real_gateway(tmp_path) as running:
            for kill in (True, False):
                callers = [threading.Thread(target=ask, args=[running, statuses]) for _ in range(CALLERS_AT_ONCE)]
                for caller in callers:
                    caller.start()
                if kill:
                    simulator.openai.wait_for_calls(8)
                    os.kill(worker_of(running), signal.SIGKILL)
                    running.until("ready", "worker-0")
                for caller in callers:
                    caller.join()
        records = [json.loads(stored.bytes) for log in logs_of(tmp_path) for stored in read_records(log)]
        ended = [record for record in records if record["type"] in ("call.closed", "call.abandoned")]
        assert {Decimal(record["cost"]["amount"]) for record in ended} == {Decimal("0.05")}
        assert len(ended) == SERVED
        assert statuses.count(200) == sum(record["type"] == "call.closed" for record in ended) > 0
        assert set(statuses) == {200, 402}
