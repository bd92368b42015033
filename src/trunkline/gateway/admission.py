"""Letting calls in: a tenant's limits and budgets, asked before a call is opened and told when it has ended.

A call that does not fit is refused, or held for as long as its tenant says, first come first served, except that
whoever fits does not wait for one who does not.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from math import inf
from typing import Final, final

from trunkline.errors import BudgetExceeded, CallError, RateLimited
from trunkline.gateway.call import Call
from trunkline.gateway.clock import moment
from trunkline.gateway.leases import Leases
from trunkline.gateway.limit_words import budget_message, limit_message, rate_limit_lines
from trunkline.model.money import nano_usd
from trunkline.policy.limits.counter import Counter
from trunkline.policy.limits.learning import Learning
from trunkline.policy.limits.limiter import Limiter, Refusal, Reservation
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.rules import Claim, Needs
from trunkline.policy.pricing import expected_cost

MOST_WAITING: Final = 1000  # calls held in one worker; more are refused at once
MOST_OF_A_TENANT: Final = 200  # of which one tenant's
VARIOUS: Final = ("tokens", "money")  # of which calls need different amounts: one may fit where another does not
SOON: Final = 0.005  # seconds; nobody who is held is looked at more often because time has passed


@final
class _Held:
    """A call that waits until it fits, at most until `deadline` (seconds of the event loop)."""

    __slots__ = ("claims", "deadline", "found", "needs", "refusal", "trying")

    def __init__(
        self,
        claims: Sequence[Claim],
        needs: Needs,
        refusal: Refusal,
        deadline: float,
        found: "asyncio.Future[Reservation | None]",
    ) -> None:
        self.claims, self.needs, self.refusal = claims, needs, refusal
        self.deadline, self.found = deadline, found
        self.trying: asyncio.Task[None] | None = None


class Admission:
    """Decides for one worker which calls are let in.

    `changed` is called with each budget that a call has used of, where no other worker uses of it.
    """

    def __init__(self, changed: Callable[[Claim, Counter, Moment], None]) -> None:
        self.limiter = Limiter()
        self.learning = Learning()
        self.leases: Leases | None = None  # where limits are shared with other workers
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._queues: dict[str, list[_Held]] = {}  # calls that are held, by tenant
        self._timer: asyncio.TimerHandle | None = None
        self._serving = False
        self.held = 0  # how many calls are held until they fit

    async def admit(self, call: Call) -> None:
        """Reserve what the call will need; raises RateLimited or BudgetExceeded if that does not fit in time."""
        plan, identity, chat = call.plan, call.identity, call.chat
        if plan is None or identity is None or chat is None:
            raise ValueError("a call is understood before it is admitted")
        if plan.rules.empty:
            return
        claims = plan.rules.claims(identity.user, identity.team, identity.tags)
        needs = self._needs(call)
        if plan.tenant.name in self._queues:
            self._serve_tenant(plan.tenant.name, moment())  # who has waited comes first
        now = moment()
        found = await self._reserve(claims, needs, now)
        if isinstance(found, Refusal) and self._may_hold(call, found):
            found = await self._hold(call, claims, needs, found)
            now = moment()
        call.limit_lines = rate_limit_lines(self.limiter if self.leases is None else self.leases, claims, found, now)
        if isinstance(found, Refusal):
            raise _refused(found, now)
        call.reservation = found

    def settle(self, call: Call) -> None:
        """End the call's reservation with what it has used; nothing to await, so nothing can cut it short."""
        reservation = call.reservation
        if reservation is None or reservation.ended:
            return
        usage, cost, now = call.usage, call.cost, moment()
        tokens = usage.prompt_tokens + usage.completion_tokens if usage is not None else 0
        for attempt in call.attempts:
            if attempt.usage is not None:  # it failed after it had counted
                tokens += attempt.usage.prompt_tokens + attempt.usage.completion_tokens
        money = nano_usd(cost.amount) if cost is not None else 0
        if self.leases is None:
            self.limiter.settle(reservation, Needs(tokens, money), now)
            for position, claim in enumerate(reservation.claims):
                if claim.rule.measure == "money":
                    self._changed(claim, reservation.counters[position], now)
        else:  # which tell what all workers have used of budgets
            self.leases.settle(reservation, Needs(tokens, money), now)
        self._serve_soon()

    def release(self, call: Call) -> None:
        """Undo the reservation of a call that was not opened after all."""
        if call.reservation is not None:
            self._give_back(call.reservation)
            self._serve_soon()

    def why_not_ready(self) -> str | None:
        """Return why no call should come yet, None if calls may."""
        joining = self.leases is not None and self.leases.state.phase == "joining"
        return "its limits are not yet counted with those of the other workers" if joining else None

    async def _reserve(self, claims: Sequence[Claim], needs: Needs, now: Moment) -> Reservation | Refusal:
        if self.leases is None:
            return self.limiter.reserve(claims, needs, now)
        found = self.leases.reserve(claims, needs, now)
        return found if isinstance(found, (Reservation, Refusal)) else await found

    def _give_back(self, reservation: Reservation) -> None:
        if self.leases is None:
            self.limiter.release(reservation, moment())
        else:
            self.leases.release(reservation, moment())

    def learn(self, call: Call) -> None:
        """Take note of what a whole answer needed, as its provider counted it."""
        usage, plan, chat, target = call.usage, call.plan, call.chat, call.target
        if usage is None or plan is None or chat is None or target is None or call.tally.uncounted:
            return
        self.learning.ratio(target.target.name).learn(call.guessed_tokens, usage.prompt_tokens)
        self.learning.lengths(plan.tenant.name, plan.route.name).learn(usage.completion_tokens // (chat.n or 1))

    def _needs(self, call: Call) -> Needs:
        """Return what is reserved: where the client bounds the answer, as much as it may then get."""
        estimate, chat = call.estimate, call.chat
        if estimate is None or chat is None or call.plan is None:
            raise ValueError("a call is estimated before it is admitted")
        answer = estimate.completion_tokens
        if chat.answer_limit is not None:
            answer = max(answer, chat.answer_limit * (chat.n or 1))
        amount = estimate.cost
        if answer != estimate.completion_tokens:
            amount = expected_cost(estimate.prompt_tokens, answer, call.plan.planned.tariff)
        return Needs(estimate.prompt_tokens + answer, nano_usd(amount))

    # Holding

    def _may_hold(self, call: Call, refusal: Refusal) -> bool:
        patience = call.plan.tenant.wait_up_to if call.plan is not None else 0.0
        if refusal.claim.rule.measure == "money" or patience <= 0.0 or self.held >= MOST_WAITING:
            return False
        if refusal.claim.rule.measure != "concurrent" and refusal.wait > patience:
            return False
        return refusal.wait < inf and len(self._queues.get(refusal.claim.rule.tenant, ())) < MOST_OF_A_TENANT

    async def _hold(self, call: Call, claims: Sequence[Claim], needs: Needs, refusal: Refusal) -> Reservation | Refusal:
        patience = call.plan.tenant.wait_up_to if call.plan is not None else 0.0
        began = time.monotonic_ns()
        future: asyncio.Future[Reservation | None] = self._loop.create_future()
        held = _Held(claims, needs, refusal, self._loop.time() + patience, future)
        tenant = refusal.claim.rule.tenant
        self._queues.setdefault(tenant, []).append(held)
        self.held += 1
        self._arm()
        try:
            found = await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                given = future.result()
                if given is not None:  # it came too late: its client has gone
                    self._give_back(given)
                    self._serve_soon()
            raise
        finally:
            self.held -= 1
            queue = self._queues.get(tenant, [])
            if held in queue:
                queue.remove(held)
            if not queue:
                self._queues.pop(tenant, None)
            call.queued_ns = time.monotonic_ns() - began
            call.waited_ns += call.queued_ns
        return held.refusal if found is None else found

    def _serve_soon(self) -> None:
        """Something has become free: look who fits, once, however much becomes free in this turn of the loop."""
        if self._queues and not self._serving:
            self._serving = True
            self._loop.call_soon(self._serve_held)

    def _serve_held(self) -> None:
        """Let in whoever fits now, in the order in which they came, and refuse those whose time is up."""
        now = moment()
        self._serving = False
        for tenant in list(self._queues):
            self._serve_tenant(tenant, now)
        self._arm()

    def _serve_tenant(self, tenant: str, now: Moment) -> None:
        left: list[_Held] = []
        full: set[tuple[str, str]] = set()  # rules that have no room for one more of an owner's calls
        for held in self._queues[tenant]:
            if held.found.done():  # its client has gone
                continue
            last = held.refusal.claim
            if self.leases is not None:
                self._try_again(held)  # it may have to ask, and has the answer when it comes
            elif last.rule.measure in VARIOUS or (last.rule.id, last.owner) not in full:
                found = self.limiter.reserve(held.claims, held.needs, now)
                if isinstance(found, Reservation):
                    held.found.set_result(found)
                    continue
                held.refusal = found
                full.add((found.claim.rule.id, found.claim.owner))
            if self._loop.time() >= held.deadline:
                held.found.set_result(None)
            else:
                left.append(held)
        if left:
            self._queues[tenant] = left
        else:
            del self._queues[tenant]

    def _try_again(self, held: _Held) -> None:
        """Reserve for a call that is held, where that may take a while; one try at a time."""
        if held.trying is None or held.trying.done():
            held.trying = self._loop.create_task(self._try(held))

    async def _try(self, held: _Held) -> None:
        found = await self._reserve(held.claims, held.needs, moment())
        if isinstance(found, Refusal):
            held.refusal = found
        elif held.found.done():  # its client has gone, or its time was up
            self._give_back(found)
        else:
            held.found.set_result(found)

    def _arm(self) -> None:
        """Look again when the first of those held may fit, or has waited long enough."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._queues:
            now = self._loop.time()
            soonest = min(
                min(held.deadline, now + max(held.refusal.wait, SOON))
                for queue in self._queues.values()
                for held in queue
            )
            self._timer = self._loop.call_at(soonest, self._serve_held)


def _refused(refusal: Refusal, now: Moment) -> CallError:
    rule = refusal.claim.rule
    wait = refusal.wait if refusal.wait < inf else None
    if rule.measure == "money":
        return BudgetExceeded(budget_message(refusal, now), rule=rule.name, retry_after=wait, owner=refusal.claim.owner)
    return RateLimited(limit_message(refusal), rule=rule.name, retry_after=wait, owner=refusal.claim.owner)
