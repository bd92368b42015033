"""Plays a plan on a connection: waits, writes, breaks off."""

import asyncio
import math
from collections.abc import Callable

from trunkline.simulator.plan import Ending, Plan
from trunkline.wire.responder import Responder


async def play(plan: Plan, responder: Responder) -> None:
    """Answer as planned. Cancelled when the client leaves."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    if plan.head_after > 0:
        await asyncio.sleep(plan.head_after)
    if plan.body is not None:
        responder.send(plan.status, plan.headers, plan.body)
        return
    if not plan.silent:
        await _stream(plan, responder, began)
    await _end(plan, responder)


async def _stream(plan: Plan, responder: Responder, began: float) -> None:
    loop = asyncio.get_running_loop()
    responder.start(plan.status, plan.headers)
    responder.write(plan.opening)
    await _wait_until(began + plan.first_after, plan, responder)
    if plan.interval > 0:
        await _Pace(loop, responder.write, plan).run(began + plan.first_after)
        return
    for piece in plan.pieces:
        responder.write(piece)
        if responder.congested:
            await responder.drain()


async def _end(plan: Plan, responder: Responder) -> None:
    if plan.ending is Ending.FINISHED:
        responder.finish(plan.closing)
    elif plan.ending is Ending.RESET:
        # What was written must reach the client before the reset, which overtakes whatever still waits here.
        if responder.started:
            await responder.drain()
            await asyncio.sleep(0)
        responder.abort()
    elif plan.ending is Ending.STALLED:
        await _wait_until(math.inf, plan, responder)
    else:
        await _close(plan, responder)


async def _close(plan: Plan, responder: Responder) -> None:
    responder.unframe()
    if plan.drip > 0:
        for start in range(len(plan.raw)):
            responder.write(plan.raw[start : start + 1])
            await asyncio.sleep(plan.drip)
        responder.finish()
    else:
        responder.finish(plan.raw)


async def _wait_until(moment: float, plan: Plan, responder: Responder) -> None:
    """Wait, for ever if need be, with a ping now and then where the plan has one."""
    loop = asyncio.get_running_loop()
    while (left := moment - loop.time()) > 0:
        if responder.started and plan.ping_every < left:
            await asyncio.sleep(plan.ping_every)
            responder.write(plan.ping)
        elif left == math.inf:
            await loop.create_future()
        else:
            await asyncio.sleep(left)


class _Pace:
    """Writes the pieces of a stream on the clock, by callbacks: a task that wakes for each would cost more.

    Moments are computed from the first, so that a late callback makes up for it instead of shifting all the others.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, write: Callable[[bytes], None], plan: Plan) -> None:
        self._loop = loop
        self._write = write
        self._pieces = plan.pieces
        self._interval = plan.interval
        self._index = 0
        self._done = loop.create_future()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, first: float) -> None:
        self._first = first
        self._tick()
        try:
            await self._done
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def _tick(self) -> None:
        now = self._loop.time()
        while self._index < len(self._pieces):
            due = self._first + self._index * self._interval
            if due > now:
                self._timer = self._loop.call_at(due, self._tick)
                return
            self._write(self._pieces[self._index])
            self._index += 1
        if not self._done.done():
            self._done.set_result(None)
