"""Asking about answers that have left: policies with `when: after`.

A call that has ended hands over what was released of it, and goes its way. What is said of it becomes a record of its
own, `call.judged`, in the log of the call. What waits is bounded, and so are those asked about at once and the time:
whatever is not judged is recorded as that.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, final

from trunkline.errors import AuditUnavailable
from trunkline.gateway.asking import Asking
from trunkline.gateway.call import NANOSECONDS_PER_MS, Call
from trunkline.gateway.guarding import MOST_FINDINGS, finding_of
from trunkline.gateway.journal import Journal
from trunkline.gateway.judging import AskingCall
from trunkline.guardrails.policies import Policy
from trunkline.guardrails.released import Released, verdict_of
from trunkline.guardrails.watched import Ask, Fired
from trunkline.model.chat import ChatRequest
from trunkline.model.records import CallJudged, PolicyJudged
from trunkline.operations import OperationalLog

MOST_JUDGES: Final = 200  # calls of judges that a record names


@final
class Bounds:
    """What one worker does at most: calls that are asked about at once, calls that wait for it, what is kept of those.

    `kept` counts bytes of requests and characters of answers, `seconds` are for all questions about one call.
    """

    __slots__ = ("at_once", "kept", "seconds", "waiting")

    def __init__(self, at_once: int = 8, waiting: int = 1000, kept: int = 32 << 20, seconds: float = 300.0) -> None:
        self.at_once, self.waiting, self.kept, self.seconds = at_once, waiting, kept, seconds


@final
class _Released:
    """What is to be asked about, and when its call began and ended (`time.monotonic_ns()`)."""

    __slots__ = ("asking", "began_ns", "chat", "ended_ns", "released", "size")

    def __init__(self, asking: AskingCall, chat: ChatRequest, released: Released, size: int, began_ns: int) -> None:
        self.asking, self.chat, self.released, self.size = asking, chat, released, size
        self.began_ns, self.ended_ns = began_ns, time.monotonic_ns()


@final
class Afterwards:
    """Asks about what was released of calls that have ended; one per worker."""

    def __init__(self, asking: Asking, journal: Journal, operations: OperationalLog) -> None:
        self._asking, self._journal, self._operations = asking, journal, operations
        self.bounds = Bounds()
        self._waiting: deque[_Released] = deque()
        self._kept = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, call: Call) -> None:
        """Have it asked about what was released of a call, if there is anything to ask; never waits, never raises."""
        judged = _of(call)
        if judged is None:
            return
        if judged.released.left_out:
            self._leave_out(judged, judged.released.left_out)
            return
        bounds, idle = self.bounds, len(self._tasks) < self.bounds.at_once
        if self._kept + judged.size > bounds.kept or (len(self._waiting) >= bounds.waiting and not idle):
            self._leave_out(judged, "queue_full")
            return
        self._kept += judged.size
        self._waiting.append(judged)
        if idle:
            task = asyncio.get_running_loop().create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def ended(self, deadline: float, on_cut: Callable[[], None]) -> None:
        """Return when all is judged that has been taken; at `deadline` (loop time) the rest is recorded as not made.

        `on_cut` is called before judges that are still asked are cut.
        """
        tasks = list(self._tasks)
        if not tasks:
            return
        await asyncio.wait(tasks, timeout=max(deadline - asyncio.get_running_loop().time(), 0.0))
        running = [task for task in tasks if not task.done()]
        if not running:
            return
        on_cut()
        while self._waiting:
            self._leave_out(self._waiting.popleft(), "drained")
        for task in running:
            task.cancel()
        await asyncio.wait(running)

    async def _work(self) -> None:
        while self._waiting:
            judged = self._waiting.popleft()
            try:
                await self._judge(judged)
            except Exception as error:  # noqa: BLE001 - a fault of ours with one call leaves the others to be judged
                self._operations.fault(error)
                self._leave_out(judged, f"error: {type(error).__name__}")
            finally:
                self._kept -= judged.size

    async def _judge(self, judged: _Released) -> None:
        held, began_ns = judged.released.looked_through(), time.monotonic_ns()
        asks, held.asks = held.asks, []
        try:
            async with asyncio.timeout(self.bounds.seconds):
                await self._asking.ask_all(judged.asking, judged.chat, asks)
        except TimeoutError:
            _give_up(asks, "timeout")
        except asyncio.CancelledError:
            _give_up(asks, "drained")
            held.give()
            self._record(judged, held.fired, asks, began_ns)
            raise
        held.give()
        self._record(judged, held.fired, asks, began_ns)

    def _leave_out(self, judged: _Released, reason: str) -> None:
        self._record(judged, judged.released.not_made(reason), (), time.monotonic_ns())

    def _record(self, judged: _Released, fired: Sequence[Fired], asks: Sequence[Ask], began_ns: int) -> None:
        try:
            self._journal.judged(_record_of(judged, fired, asks, began_ns))
        except AuditUnavailable:
            self._operations.event("error", "judgement_unrecorded", call=judged.asking.id)


def _of(call: Call) -> _Released | None:
    """Return what is to be asked about a call, None where there is nothing, or no record that it would belong to."""
    guard, key, plan, identity, chat = call.guard, call.key, call.plan, call.identity, call.chat
    if guard is None or key is None or plan is None or identity is None or chat is None:
        return None
    if guard.released is None or not call.settled or not guard.due:
        return None
    asking = AskingCall(call.id, key, plan, identity, call.in_force, guard.policies)
    return _Released(asking, chat, guard.released, len(call.request.body) + guard.released.size, call.began_ns)


def _give_up(asks: Sequence[Ask], reason: str) -> None:
    """Take note that those without an answer get none; one that has its own keeps it."""
    for ask in asks:
        ask.failed(reason)


def _record_of(judged: _Released, fired: Sequence[Fired], asks: Sequence[Ask], began_ns: int) -> CallJudged:
    now_ns, judges = time.monotonic_ns(), judged.asking.judges
    ms = round((now_ns - judged.began_ns) / NANOSECONDS_PER_MS, 3)
    return CallJudged(
        call=judged.asking.id,
        policies=tuple([_policy_judged(policy, fired, asks) for policy in judged.released.due()]),
        findings=tuple([finding_of(one, ms) for one in fired[:MOST_FINDINGS]]),
        findings_left_out=max(len(fired) - MOST_FINDINGS, 0),
        judge_calls=tuple(judges[:MOST_JUDGES]),
        judge_calls_left_out=max(len(judges) - MOST_JUDGES, 0),
        waited_ms=round((began_ns - judged.ended_ns) / NANOSECONDS_PER_MS, 3),
        took_ms=round((now_ns - began_ns) / NANOSECONDS_PER_MS, 3),
    )


def _policy_judged(policy: Policy, fired: Sequence[Fired], asks: Sequence[Ask]) -> PolicyJudged:
    return PolicyJudged(
        policy=policy.name,
        policy_version=policy.version,
        verdict=verdict_of(policy, fired),
        questions=sum(ask.policy is policy for ask in asks),
    )
