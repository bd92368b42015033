"""Reaching a target: the route's targets in order, the next one where one fails, and the error when none is left."""

import hashlib
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from trunkline.dialects.provider import CannotTake, Encoded
from trunkline.errors import (
    CallError,
    InvalidRequest,
    ProviderRejected,
    ProvidersFailed,
    ProviderUnavailable,
    RouteNotAllowed,
)
from trunkline.gateway import settlement, shares
from trunkline.gateway.attempt import AttemptFailed, Begin, Reply, ask
from trunkline.gateway.call import Call
from trunkline.gateway.in_force import Plan, PlannedTarget
from trunkline.gateway.journal import SLICE
from trunkline.gateway.provider_news import ProviderNews
from trunkline.gateway.shares import Places
from trunkline.gateway.watch import DeadlinePassed, Watch
from trunkline.model.records import Attempt, AttemptOutcome
from trunkline.policy.fairness.account import Ticket
from trunkline.policy.fairness.pool import Refused
from trunkline.policy.health import UNAUTHORIZED_REST, Event
from trunkline.policy.routing import order_by_weight


class Reach:
    """Takes one call to the first target that answers it, and tells the targets' health how it went."""

    def __init__(
        self,
        call: Call,
        plan: Plan,
        watch: Watch,
        places: Places,
        now: Callable[[], float],
        begin: Begin,
        keep_large: Callable[[Call], Awaitable[None]],
    ) -> None:
        self._call, self._plan, self._watch, self._places, self._now = call, plan, watch, places, now
        self._news = places.news
        self._begin, self._keep_large = begin, keep_large
        self._waits: list[float] = []  # seconds until a target that rests may be asked
        self._over_share: list[tuple[PlannedTarget, Refused]] = []
        self._out = False  # whether a target is out for its key: no wait of the caller's would help
        self._cannot: list[CannotTake] = []
        self._failed = False

    async def first_answer(self) -> Reply:
        """Return the beginning of the first good answer.

        Raises the CallError that the caller gets where there is none; DeadlinePassed and CancelledError pass through.
        """
        for planned in self._ordered():
            request = self._consider(planned)
            if request is None:
                continue
            for _ in range(self._plan.route.attempts_per_target):
                reply = await self._try(planned, request)
                while isinstance(reply, AttemptFailed) and reply.kind == "another_key":
                    reply = await self._try(planned, request)  # with the account's next key that was not refused
                if isinstance(reply, Reply):
                    return reply
                if reply.kind != "failed" or planned.health.refuses(self._now(), self._plan.route.breaker):
                    break
        raise self._exhausted()

    def _ordered(self) -> Iterable[PlannedTarget]:
        route, targets = self._plan.route, self._plan.targets
        if route.strategy == "priority" or len(targets) == 1:
            return targets
        identity = self._call.identity
        stay = (identity.session if route.sticky == "session" else identity.user) if identity and route.sticky else None
        text = stay if stay is not None else self._call.id
        draw = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        return [targets[position] for position in order_by_weight([t.target.weight for t in targets], draw)]

    def _consider(self, planned: PlannedTarget) -> Encoded | None:
        """Return the request as this target takes it, or note why it is passed over."""
        if planned.skip is not None:
            self._skip(planned, planned.skip)
            return None
        refusal = planned.health.refuses(self._now(), self._plan.route.breaker)
        if refusal is not None:
            if refusal[0] == "unauthorized":
                self._out = True
            else:
                self._waits.append(refusal[1])
            self._skip(planned, refusal[0])
            return None
        if self._call.chat is None:
            raise ValueError("a call is understood before it is routed")
        try:
            return planned.upstream.dialect.encode(self._call.chat, planned.target, self._plan.route.pass_through)
        except CannotTake as error:
            self._cannot.append(error)
            self._skip(planned, f"cannot_take: {error.reason}")
            return None

    async def _place(self, planned: PlannedTarget) -> Ticket | None:
        """Take a place in the target's capacity for one request, or note why there is none for this caller."""
        verdict = await self._places.take(planned, self._call)
        if isinstance(verdict, Ticket):
            return verdict
        self._waits.append(verdict.wait)
        if verdict.over_share:
            self._over_share.append((planned, verdict))
        self._skip(planned, verdict.reason)
        return None

    def _skip(self, planned: PlannedTarget, reason: str) -> None:
        self._call.attempts.append(_attempt(planned, "skipped", reason))

    async def _try(self, planned: PlannedTarget, request: Encoded) -> Reply | AttemptFailed:
        call, breaker = self._call, self._plan.route.breaker
        ticket = await self._place(planned)
        if ticket is None:
            return AttemptFailed("no place", "passed_over")
        attempt = _attempt(planned, "cancelled", None)  # what it is, unless something else is heard of it
        attempt.repairs, attempt.dropped = request.repairs, request.dropped
        asked_at = self._now()
        try:
            call.begin_attempt(attempt, planned, request.body)
            if len(request.body) > SLICE:
                await self._keep_large(call)
            asked_at = self._now()
            planned.health.asked(asked_at, breaker)
            learn = partial(self._places.learn, planned, ticket, call.in_force.digest)
            reply = await ask(call, planned, attempt, learn, request.body, self._watch, self._begin)
        except AttemptFailed as failure:
            shares.settle_failed(call, ticket, attempt)
            self._take_failure(planned, attempt, failure)
            return failure
        except DeadlinePassed:
            # The call's time may have gone on others before; a target that had its own share of it hangs.
            shares.settle_failed(call, ticket, attempt)
            hung = self._now() - asked_at >= planned.first_token
            self._hear(planned, "failed" if hung else "dropped")
            raise
        except BaseException:  # a client that left, a fault of ours: neither says anything of the target
            shares.settle_failed(call, ticket, attempt)
            planned.health.heard("dropped", self._now(), breaker)
            raise
        attempt.outcome = "answered"
        if reply.answer is None:
            shares.settle(call, ticket)
        else:
            reply.ticket = ticket  # whoever carries the stream settles it
        self._hear(planned, "succeeded")
        return reply

    def _take_failure(self, planned: PlannedTarget, attempt: Attempt, failure: AttemptFailed) -> None:
        now, fault, digest = self._now(), failure.fault, self._call.in_force.digest
        attempt.outcome, attempt.reason = "failed", failure.reason
        if failure.reason == "empty_answer":
            settlement.charge_failed(self._call, attempt, planned.tariff)
        self._call.end_attempt()
        match failure.kind:
            case "rejected" if fault is not None:
                planned.health.heard("succeeded", now, self._plan.route.breaker)  # it is well enough to say no
                raise ProviderRejected(fault.message, status=fault.status, code=fault.code, param=fault.param)
            case "rate_limited":
                planned.health.heard("dropped", now, self._plan.route.breaker)
                seconds = planned.health.rest(fault.retry_after if fault else None, now, "rate_limited")
                self._waits.append(seconds)
                self._news.rests(planned, seconds, now, digest)
            case "another_key":
                attempt.alarm = "provider_unauthorized"
                planned.health.heard("dropped", now, self._plan.route.breaker)
                self._news.key_is_out(planned, failure.key, failure.reason, now, digest)
            case "unauthorized":
                self._failed = True
                attempt.alarm = "provider_unauthorized"
                planned.health.heard("dropped", now, self._plan.route.breaker)
                planned.health.rest(UNAUTHORIZED_REST, now, "unauthorized")
                self._news.is_out(planned, failure.reason, now, digest)
            case "misconfigured":
                self._failed = True
                attempt.alarm = "provider_misconfigured"
                self._hear(planned, "failed")
                self._news.is_wrong(planned, failure.reason)
            case _:
                self._failed = True
                self._hear(planned, "failed")

    def _hear(self, planned: PlannedTarget, event: Event) -> None:
        hear(planned, event, self._call, self._plan, self._now(), self._news)

    def _exhausted(self) -> CallError:
        """Return the error for a call that no target answered."""
        if self._over_share:
            planned, refused = self._over_share[0]
            return shares.limited(self._call, planned, refused, min(self._waits))
        if self._failed:
            return ProvidersFailed(f"No provider answered. {self._reasons()}")
        if self._waits:
            return ProviderUnavailable(
                f"Every provider of `{self._plan.route.name}` rests. {self._reasons()}", retry_after=min(self._waits)
            )
        if self._out:
            return ProvidersFailed(f"No provider can be asked. {self._reasons()}")
        if self._cannot:
            reasons = "; ".join(dict.fromkeys(error.reason for error in self._cannot))
            return InvalidRequest(f"No target can take this call: {reasons}.", param=self._cannot[0].param)
        return RouteNotAllowed(
            f"The tenant has approved no provider of `{self._plan.route.name}`. {self._reasons()}", param="model"
        )

    def _reasons(self) -> str:
        return "; ".join(f"{a.provider}/{a.model}: {a.reason}" for a in self._call.attempts) + "."


def hear(planned: PlannedTarget, event: Event, call: Call, plan: Plan, now: float, news: ProviderNews) -> None:
    """Tell a target's health how a call went, and those whom it concerns when its breaker turned."""
    if planned.health.heard(event, now, plan.route.breaker):
        news.breaker_turned(planned, now, call.in_force.digest)


def _attempt(planned: PlannedTarget, outcome: AttemptOutcome, reason: str | None) -> Attempt:
    return Attempt(
        provider=planned.target.provider,
        model=planned.target.model,
        dialect=planned.upstream.provider.dialect,
        outcome=outcome,
        reason=reason,
    )
