"""Workers' leases over a real desk of a supervisor, in this process."""

import asyncio
import os
import socket
from contextlib import asynccontextmanager

from trunkline.channel.link import Link
from trunkline.gateway.clock import moment
from trunkline.gateway.lease_channel import LeaseChannel
from trunkline.gateway.leases import Leases, Membership
from trunkline.policy.leases.messages import Answer
from trunkline.policy.limits.gauge import Gauge
from trunkline.policy.limits.limiter import Limiter, Refusal, Reservation
from trunkline.policy.limits.rules import Claim, Needs, Quota, Rule
from trunkline.policy.limits.window import Window
from trunkline.supervisor.lease_desk import LeaseDesk

ONE = Needs(1, 0)


def claim_of(measure: str, limit: int) -> Claim:
    kind = Gauge if measure == "concurrent" else lambda: Window(60)
    return Claim(Rule("t", f"limits.{measure}", "tenant", Quota(measure, limit, "minute"), kind), "t")


class Desk:
    """A supervisor's desk with seats for workers in this process; it can fall silent."""

    def __init__(self, count: int) -> None:
        self.desk, self.count, self.states = LeaseDesk(), count, []
        self.seats, self.leases, self.crossed = [], [], []

    def hang(self) -> None:
        """Read and answer nothing, as a process that was stopped."""
        for seat in self.seats:
            seat._link._reader._transport.pause_reading()

    def go_on(self) -> None:
        for seat in self.seats:
            seat._link._reader._transport.resume_reading()

    async def join(self, index: int, own: Limiter | None = None, *, fresh: bool = True, share: bool = True) -> Leases:
        seat = await self.desk.seat()
        end = socket.socket(fileno=os.dup(seat.descriptor))
        seat.taken()
        self.seats.append(seat)
        names = tuple(f"n/{other}" for other in range(self.count))
        leases = Leases(
            own or Limiter(),
            Membership(names[index], names, fresh, share),
            LeaseChannel(await Link.open(end, Answer)),
            lambda state, reason: self.states.append((index, state.phase, reason)),
            lambda crossing, _: self.crossed.append((index, *crossing)),
        )
        self.leases.append(leases)
        leases.start()
        return leases


@asynccontextmanager
async def desk(count: int = 2, *, share: bool = True):
    """Yield a desk and its workers' leases, all let in."""
    found = Desk(count)
    leases = [await found.join(index, share=share) for index in range(count)]
    try:
        async with asyncio.timeout(30):
            await until(lambda: all(each.state.phase == "in_touch" for each in leases))
            yield found, leases
    finally:
        for each in found.leases:
            await each.close()
        for seat in found.seats:
            await seat.close()


async def until(done) -> None:
    """Wait until something is so."""
    while not done():  # noqa: ASYNC110 - what is waited for is not always an event, and never a time
        await asyncio.sleep(0.005)


async def reserve(leases: Leases, claims, needs=ONE) -> Reservation | Refusal:
    found = leases.reserve(claims, needs, moment())
    return found if isinstance(found, Reservation | Refusal) else await found
