"""Calls that end in every way and in every state leave no slot, reservation or byte behind, and one closed record each.

A state machine over a real worker: real sockets, a real log, providers that answer, hang, refuse, break and end early.
Its rules start calls of several users, let the loop go on for a while, so that the calls are wherever they have come
to, and end some of them from outside; at its end all are ended, and nothing may be left.
"""

import asyncio
import contextlib
import os
import shutil
import socket
import tempfile
from pathlib import Path

import pytest
import uvloop
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from gateway.disks import FailingDisk
from gateway.raw_client import Heard, parse, payload, request
from gateway.running import PATIENCE, check, running, until
from trunkline.channel.link import Link
from trunkline.channel.messages import Loaded
from trunkline.gateway.lease_channel import LeaseChannel
from trunkline.gateway.leases import Leases, Membership
from trunkline.gateway.membership import WorkerPlace
from trunkline.policy.leases.messages import Answer
from trunkline.policy.limits.limiter import Limiter
from trunkline.simulator import (
    Cut,
    EmptyAnswer,
    EmptyStream,
    ErrorAnswer,
    MalformedChunk,
    Script,
    Simulator,
    Stall,
    ToolCall,
)
from trunkline.supervisor.lease_desk import LeaseDesk

NAMES = ("gw-test/0", "gw-test/1")
ANSWER = "All is well. Nothing has changed since then."
BEHAVIOURS = {
    "answer": Script(text=ANSWER),
    "tool": Script(tool_calls=(ToolCall("look_up", {"fund": "VTI"}),)),
    "later": Script(text=ANSWER, first_token=0.02, tokens_per_second=200.0),
    "blocked": Script(text="We are well. Acme is not. Ask them."),
    "silent": Script(fault=Stall()),
    "stalls": Script(text=ANSWER, fault=Stall(after_tokens=2)),
    "cut": Script(text=ANSWER, fault=Cut(after_tokens=2)),
    "refused": Script(fault=ErrorAnswer(status=400)),
    "fails": Script(fault=ErrorAnswer(status=500)),
    "limited": Script(fault=ErrorAnswer(status=429, retry_after=0.05)),
    "malformed": Script(text=ANSWER, fault=MalformedChunk(after_tokens=1)),
    "empty": Script(fault=EmptyAnswer()),
    "nothing": Script(fault=EmptyStream()),
}
MODELS = ["voice", "reversed", "only-first", "only-second"]
USERS = ["ann", "bob", None]
MOST_TURNS = 200  # of the event loop, in which calls go on
FAST = "timeouts: {connect: 500ms, first_token: 150ms, gap: 150ms, total: 600ms}\n    breaker: {failures: 50}"
LIMITS = (
    "limits: {{requests_per_minute: {requests}, tokens_per_minute: 20000, concurrent_requests: {slots}}}\n"
    "    user_limits: {{requests_per_minute: 25, concurrent_requests: 3}}\n"
    "    team_limits: {{tokens_per_hour: 50000}}\n"
    "    route_limits: {{voice: {{requests_per_minute: 30, concurrent_requests: 3}}}}\n"
    "    wait_up_to: {wait}\n"
    "    budget: {{amount: 0.02, per: day}}\n"
    "    user_budget: {{amount: 0.01, per: month}}\n"
    "    guardrails: [words]"
)
MORE = "guardrails: {words: {check: patterns, on: [output], action: block, rules: [{name: rival, words: [Acme]}]}}"
CAPACITY = ", capacity: {requests_per_minute: 50, tokens_per_minute: 30000}"


def behave(call) -> Script:
    content = call.body["messages"][-1]["content"]
    word = content if isinstance(content, str) else content[-1]["text"]
    return BEHAVIOURS[word]


def configured(requests: int = 40, slots: int = 5, wait: str = "80ms") -> dict[str, str]:
    limits = LIMITS.format(requests=requests, slots=slots, wait=wait)
    return {"tenant": limits, "route": FAST, "more": MORE, "first_account": CAPACITY, "second_account": CAPACITY}


class Caller:
    """One call on a connection of its own."""

    def __init__(self, gateway, fields: dict) -> None:
        self._gateway, self._fields = gateway, fields
        self.heard: Heard | None = None
        self.task = asyncio.ensure_future(self._call())

    async def _call(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._gateway.port)
        received = b""
        try:
            writer.write(request(payload(self._fields)))
            with contextlib.suppress(ConnectionError):
                while piece := await reader.read(1 << 16):
                    received += piece
        finally:
            writer.close()
        self.heard = parse(received)

    async def leave(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


class Calls(RuleBasedStateMachine):
    """`ended` counts how calls ended that were heard to their end."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = uvloop.new_event_loop()
        self.stack = contextlib.AsyncExitStack()
        self.directory = Path(tempfile.mkdtemp())
        self.disk = FailingDisk()
        self.callers: list[Caller] = []
        self.broken = False

    def run(self, what):
        async def within():
            async with asyncio.timeout(PATIENCE):
                return await what

        return self.loop.run_until_complete(within())

    @initialize()
    def begin(self) -> None:
        self.run(self._begin())

    async def _begin(self) -> None:
        simulator = await self.stack.enter_async_context(Simulator(behave, behave))
        self.gateway = await self.stack.enter_async_context(
            running(simulator, self.directory, disk=self.disk, **self.configured())
        )

    def configured(self, *limits) -> dict[str, str]:
        return configured(*limits)

    @rule(
        word=st.sampled_from(sorted(BEHAVIOURS)),
        model=st.sampled_from(MODELS),
        user=st.sampled_from(USERS),
        stream=st.booleans(),
        count=st.sampled_from([1, 1, 1, 6]),
    )
    def start(self, word, model, user, stream, count) -> None:
        fields = {"model": model, "stream": stream, "messages": [{"role": "user", "content": word}]}
        if user is not None:
            fields["user"] = user

        async def begin():
            self.callers += [Caller(self.gateway, fields) for _ in range(count)]

        self.run(begin())

    @rule(turns=st.integers(1, MOST_TURNS))
    def go_on(self, turns) -> None:
        async def turn():
            for _ in range(turns):
                await asyncio.sleep(0)

        self.run(turn())

    @precondition(lambda self: self.callers)
    @rule(data=st.data())
    def leave(self, data) -> None:
        place = data.draw(st.integers(0, len(self.callers) - 1))
        self.run(self.callers.pop(place).leave())

    @precondition(lambda self: self.callers)
    @rule()
    def hear_one_to_its_end(self) -> None:
        self.run(self._hear(self.callers.pop(0)))

    async def _hear(self, caller: Caller) -> None:
        await caller.task
        assert caller.heard is not None
        event(f"status {caller.heard.status}")
        assert caller.heard.status in {200, 400, 402, 429, 499, 502, 503, 504}

    @precondition(lambda self: not self.broken)
    @rule(requests=st.sampled_from([10, 40]), slots=st.sampled_from([2, 5]), wait=st.sampled_from(["0ms", "80ms"]))
    def reload(self, requests, slots, wait) -> None:
        async def load():
            assert isinstance(
                await self.gateway.load(self.gateway.compile(**self.configured(requests, slots, wait))), Loaded
            )

        self.run(load())

    @precondition(lambda self: not self.broken and len(self.callers) > 3)
    @rule()
    def break_the_disk(self) -> None:
        self.broken = True
        self.disk.fail()

    def teardown(self) -> None:
        try:
            if hasattr(self, "gateway"):
                self.run(self._end())
            self.run(self.stack.aclose())
        finally:
            self.loop.close()
            shutil.rmtree(self.directory)

    async def _end(self) -> None:
        for caller in self.callers:
            await self._hear(caller)
        worker = self.gateway.worker
        await until(lambda: worker._server.in_flight == 0)
        await self.gateway.at_rest()
        limiter = worker._admission.limiter
        # What is granted to a call whose client has gone is given back when the answer comes.
        await until(lambda: not any(limiter.find(*place).holders for place in limiter.places()))
        check(self.gateway)
        if not self.broken:
            for outcome in {record["outcome"] for record in self.gateway.records("call.closed")}:
                event(f"outcome {outcome}")
        assert worker._admission.held == 0
        assert worker._admission._queues == {}
        assert worker._server.in_flight_bytes == 0


class SharedCalls(Calls):
    """The same where the worker is one of two, and an authority counts limits and the capacity of providers."""

    async def _begin(self) -> None:
        self.desk = LeaseDesk()
        ours, theirs = await self._seat(), await self._seat()
        link: Link[Answer] = await Link.open(theirs, Answer)
        membership = Membership(NAMES[1], NAMES, fresh=True, share=True)
        other = Leases(Limiter(), membership, LeaseChannel(link), ignored, ignored)
        self.stack.push_async_callback(other.close)
        other.start()
        simulator = await self.stack.enter_async_context(Simulator(behave, behave))
        self.gateway = await self.stack.enter_async_context(
            running(simulator, self.directory, self.disk, place=WorkerPlace(0, 0, ours), **self.configured())
        )
        await until(lambda: self.gateway.worker._admission.leases.state.phase == "in_touch")

    async def _seat(self) -> socket.socket:
        seat = await self.desk.seat()
        self.stack.push_async_callback(seat.close)
        end = socket.socket(fileno=os.dup(seat.descriptor))
        seat.taken()
        return end

    def configured(self, *limits) -> dict[str, str]:
        of_one = configured(*limits)
        return of_one | {"more": f"workers: 2\n{of_one['more']}"}

    async def _end(self) -> None:
        await super()._end()
        if not self.broken:  # else the worker drains, and gives everything back with its goodbye
            leases, books = self.gateway.worker._admission.leases, self.desk._authority._books
            assert leases.state.phase == "in_touch"
            await until(lambda: not any(books._slots.values()))


def ignored(*_) -> None:
    """Hear of nothing."""


RULES = settings(deadline=None, suppress_health_check=list(HealthCheck))
TestCallsInEveryState = Calls.TestCase
TestCallsInEveryState.settings = settings(RULES, max_examples=60, stateful_step_count=25)


TestSharedCallsInEveryState = SharedCalls.TestCase
TestSharedCallsInEveryState.settings = settings(RULES, max_examples=40, stateful_step_count=25)


class TestCallsInEveryStateAtLength(Calls.TestCase):
    settings = settings(RULES, max_examples=120, stateful_step_count=60)
    pytestmark = pytest.mark.soak


class TestSharedCallsInEveryStateAtLength(SharedCalls.TestCase):
    settings = settings(RULES, max_examples=80, stateful_step_count=60)
    pytestmark = pytest.mark.soak
