"""Limits that hold over many workers: reserved as by a `Limiter`, which asks an authority for what it does not hold."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal, NamedTuple, Protocol

from trunkline.gateway.clock import moment
from trunkline.policy.leases.alone import TRY_AGAIN
from trunkline.policy.leases.holdings import LOOK_EVERY, Holdings
from trunkline.policy.leases.line import Line, Outcome
from trunkline.policy.leases.messages import Answer, Ask
from trunkline.policy.leases.pending import Pending
from trunkline.policy.leases.unweighed import Crossing
from trunkline.policy.limits.limiter import Limiter, Refusal, Reservation, Standing
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.rules import Claim, Measure, Needs, units_of

# Seconds that a call goes on beginning again for while the authority comes and goes; then it is refused.
KEEP_TRYING: Final = 2.0
# Seconds, at most, that one who leaves waits for what its last calls have cost to be weighed; between looks.
WEIGHED_WITHIN: Final = 1.0
WEIGHED_LOOK: Final = 0.02


class Carrier(Protocol):
    """Carries asks to an authority and answers back; `patience` is how long an answer may take, in seconds."""

    patience: float

    def send(self, ask: Ask) -> None:
        """Send an ask, without waiting; drop it where there is no connection."""

    async def run(self, hear: Callable[[Answer], None], lose: Callable[[str], None]) -> None:
        """Hand over answers, and say when no more will come and why, until cancelled."""

    async def close(self, goodbye: Ask) -> None:
        """Send the last ask, in bounded time, and close; to be called when `run` has been cancelled."""


class Membership(NamedTuple):
    """A worker among those that share limits; `names` are the workers of its gateway.

    `fresh` says that all of them have just been started; `share` whether it uses its share without the authority.
    `after` are workers that there are no longer, whose logs this one has counted besides its own.
    """

    name: str
    names: tuple[str, ...]
    fresh: bool
    share: bool
    after: tuple[str, ...] = ()


class AuthorityState(NamedTuple):
    """How a worker stands to the authority, `since` when (Unix seconds).

    - joining: since its start it has not been let in
    - in_touch: it asks, and is answered
    - sharing: it does without, and uses its share of each limit once a window has passed
    - refusing: it does without, and lets no call in
    """

    phase: Literal["joining", "in_touch", "sharing", "refusing"]
    since: float


class Leases:
    """Reserves as a `Limiter` does. Use within one event loop: `start`, and `close` when no call is left.

    `own` counts what this worker uses itself: for states and reports, and for its share of a limit. What it had used
    before it was started is to be counted there before `start`. `changed` is called with each new state, and the reason
    of a loss; `crossed` with each threshold of a budget that all workers together have reached.
    """

    def __init__(
        self,
        own: Limiter,
        membership: Membership,
        carrier: Carrier,
        changed: Callable[[AuthorityState, str], None],
        crossed: Callable[[Crossing, Moment], None],
    ) -> None:
        now = moment()
        self._membership, self._carrier, self._changed, self._crossed = membership, carrier, changed, crossed
        self._loop = asyncio.get_running_loop()
        # No process of this name that was started before has a greater one, unless the clock was set back meanwhile:
        # then it is let in once the earlier one counts as silent.
        session = int(now.wall * 1000)
        name, names, fresh, share, after = membership
        self._holdings = Holdings(own, name, names, session, now, fresh=fresh, share=share)
        self._holdings.contact.after = after
        self._line = Line(self._holdings, carrier.send, carrier.patience, now)
        self._state = AuthorityState("joining", now.wall)
        self._tasks: list[asyncio.Task[None]] = []
        self._flushing = False

    @property
    def state(self) -> AuthorityState:
        """How this worker stands to the authority."""
        return self._state

    @property
    def members(self) -> int:
        """How many workers share what is limited, as far as this one knows."""
        return self._holdings.contact.members

    def start(self) -> None:
        """Begin to talk with the authority: first it is told what `own` has counted."""
        self._tasks = [
            self._loop.create_task(self._carrier.run(self._hear, self._lose)),
            self._loop.create_task(self._look()),
        ]

    async def close(self) -> None:
        """Give everything back and say goodbye; first, what the last calls have cost is weighed."""
        until = self._loop.time() + WEIGHED_WITHIN
        while not self._holdings.unweighed.empty and self._state.phase == "in_touch" and self._loop.time() < until:
            self._line.speak(moment())
            await asyncio.sleep(WEIGHED_LOOK)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._carrier.close(self._line.leave(moment()))

    def reserve(
        self, claims: Sequence[Claim], needs: Needs, now: Moment
    ) -> Reservation | Refusal | Awaitable[Reservation | Refusal]:
        """Take what a call needs, at once where all of it is held; else there is an answer to wait for."""
        found = self._holdings.take(claims, needs, now)
        if isinstance(found, Pending):
            return self._ask(found, now)
        return found

    def settle(self, reservation: Reservation, used: Needs, now: Moment) -> None:
        """End a reservation with what the call has used; a second end changes nothing."""
        self._holdings.settle(reservation, used, now)
        self._flush_soon()

    def release(self, reservation: Reservation, now: Moment) -> None:
        """Undo a reservation whose call never began; a second end changes nothing."""
        self._holdings.release(reservation, now)
        self._flush_soon()

    def charge(self, claim: Claim, units: int, now: Moment) -> None:
        """Count what was used without having been asked for; while the authority is lost, once it is back."""
        self._holdings.charge(claim, units, now)
        self._flush()

    def standing(self, claims: Sequence[Claim], measure: Measure, now: Moment) -> Standing | None:
        """Return how the call's owner stands who has least left, as far as this worker knows; None without a limit."""
        return self._holdings.standing(claims, measure, now)

    # Asking

    async def _ask(self, pending: Pending, now: Moment) -> Reservation | Refusal:
        until = now.monotonic + KEEP_TRYING
        found: Reservation | Refusal | Pending = pending
        while isinstance(found, Pending):
            outcome = await self._answer_to(found)
            if outcome is not None:
                return outcome
            now = moment()
            if now.monotonic >= until:
                claim = pending.claims[0]
                units = units_of(claim.rule, pending.needs)
                return Refusal(claim, TRY_AGAIN, 0, units, [claim])
            found = self._holdings.take(pending.claims, pending.needs, now)
        return found

    async def _answer_to(self, pending: Pending) -> Outcome:
        future: asyncio.Future[Outcome] = self._loop.create_future()

        def resolve(outcome: Outcome) -> None:
            if not future.done():
                future.set_result(outcome)
            elif isinstance(outcome, Reservation):
                self.release(outcome, moment())  # its client has gone

        self._line.ask(pending, resolve, moment())
        try:
            return await future
        except asyncio.CancelledError:
            # Answered and cancelled at the same time: nobody else would give it back.
            if future.done() and not future.cancelled() and isinstance(given := future.result(), Reservation):
                self.release(given, moment())
            raise

    def _hear(self, answer: Answer) -> None:
        now = moment()
        for crossing in self._line.hear(answer, now):
            self._crossed(crossing, now)
        self._note("")

    def _lose(self, reason: str) -> None:
        self._line.lose(moment())
        self._note(reason)

    async def _look(self) -> None:
        while True:
            self._line.look(moment())
            self._note("no answer in time")
            await asyncio.sleep(LOOK_EVERY)

    def _flush_soon(self) -> None:
        """Give slots back at once, for others may wait for them; what else there is to say can ride along later."""
        if self._holdings.urgent and not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._holdings.contact.phase == "in_touch":
            self._line.speak(moment())

    def _note(self, reason: str) -> None:
        """Say so when the state has changed."""
        contact = self._holdings.contact
        if contact.phase == "in_touch" and contact.admitted:
            phase: Literal["joining", "in_touch", "sharing", "refusing"] = "in_touch"
        elif self._state.phase == "joining" or contact.phase != "lost":
            return
        else:
            phase = "sharing" if self._membership.share else "refusing"
        if phase != self._state.phase:
            self._state = AuthorityState(phase, time.time())
            self._changed(self._state, reason)
