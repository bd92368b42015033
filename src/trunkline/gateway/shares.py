"""A call's place in the capacity of a provider's account: what its answer teaches, and what it has used in the end."""

import math
from typing import Final, cast, final

from trunkline.errors import RateLimited
from trunkline.gateway.admission import Admission
from trunkline.gateway.call import Call
from trunkline.gateway.clock import moment
from trunkline.gateway.in_force import PlannedTarget
from trunkline.gateway.leases import Leases
from trunkline.gateway.provider_news import ProviderNews
from trunkline.model.records import Attempt
from trunkline.policy.fairness.account import Share, Ticket
from trunkline.policy.fairness.division import Division
from trunkline.policy.fairness.pool import Refused
from trunkline.policy.leases.alone import TRY_AGAIN
from trunkline.policy.limits.limiter import Refusal, Reservation
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.rules import NOBODY, Needs
from trunkline.wire.client import Answer

TOO_MANY: Final = 429


@final
class _Leased:
    """A place that all workers count, as a ticket ends it."""

    __slots__ = ("_leases", "_reservation")

    def __init__(self, leases: Leases, reservation: Reservation) -> None:
        self._leases, self._reservation = leases, reservation

    def settle(self, used: int, now: Moment) -> None:
        """Take the tokens that were used in the end."""
        self._leases.settle(self._reservation, Needs(used, 0), now)

    def give_back(self, now: Moment) -> None:
        """Take note that the call has never left."""
        self._leases.release(self._reservation, now)


class Places:
    """Takes places in the capacities of providers' accounts, for the calls of one worker.

    Where there are more workers they are counted with theirs. While these cannot be asked, this one uses its part, or
    none of what is configured, as it does with limits. `news` are for the others.
    """

    def __init__(self, admission: Admission, news: ProviderNews) -> None:
        self._admission, self.news = admission, news

    async def take(self, target: PlannedTarget, call: Call) -> Ticket | Refused:
        """Take a place for one request to a target, or return why there is none for this caller."""
        if call.identity is None or call.estimate is None:
            raise ValueError("a call is opened before it is routed")
        leases, terms, user, now = self._admission.leases, target.terms, call.identity.user, moment()
        prompt, answer = call.estimate.prompt_tokens, call.estimate.completion_tokens
        if leases is None:
            return target.share.ask(terms, user, prompt, answer, now)
        if target.share.is_news(terms, user, now):
            self.news.user_asked(target, user, call.in_force.digest)
        if leases.state.phase == "in_touch":
            division = target.share.divide(terms, user, prompt, answer, now)
            if not isinstance(division, Division):
                return division
            found = await _claimed(leases, division)
            if isinstance(found, Reservation):
                return target.share.granted(division, prompt, answer, _Leased(leases, found), moment())
            if leases.state.phase == "in_touch":
                return found
        if leases.state.phase == "refusing" and (terms.requests or terms.tokens):
            return Refused(over_share=False, wait=TRY_AGAIN, limit=0, capacity=0, measure="requests", uncounted=True)
        return target.share.ask(terms, user, prompt, answer, moment(), leases.members)

    def learn(self, target: PlannedTarget, ticket: Ticket, digest: str, answer: Answer) -> None:
        """Take what a response's head says of the account's rate limits, where that may be news."""
        now = moment()
        if answer.status != TOO_MANY and not target.share.listens(now.monotonic):
            return
        rate = target.upstream.dialect.decode_rate(answer.headers, now.wall)
        if rate is None:
            return
        before = target.share.learned(now.monotonic)
        ticket.hear(rate, now)
        after = target.share.learned(now.monotonic)
        if after != before and self._admission.leases is not None:
            self.charge_unclaimed(target.share, now)
            self.news.capacity_heard(target, *after, digest)

    def charge_unclaimed(self, share: Share, now: Moment) -> None:
        """Count at all workers what this one had sent by the time at which a capacity was learned."""
        leases = self._admission.leases
        if leases is not None:
            for claim, units in share.claim_unclaimed(now):
                leases.charge(claim, units, now)


async def _claimed(leases: Leases, division: Division) -> Reservation | Refused:
    asking, needs = division.ask(), Needs(division.units, 0)
    found: Reservation | Refusal | None = None
    while True:
        try:
            claims = asking.send(found)
        except StopIteration as done:
            return cast("Reservation | Refused", done.value)
        given = leases.reserve(claims, needs, moment())
        found = given if isinstance(given, (Reservation, Refusal)) else await given


def settle(call: Call, ticket: Ticket) -> None:
    """Count the tokens that the provider says the answer used; where it says nothing, what was expected stays."""
    usage = call.tally.usage
    ticket.settle(usage.prompt_tokens + usage.completion_tokens if usage is not None else None, moment())


def settle_failed(call: Call, ticket: Ticket, attempt: Attempt) -> None:
    """Count what an attempt without an answer has used: one that never left nothing, one that was refused no tokens."""
    if not call.sent:
        ticket.give_back(moment())
    elif attempt.status is not None and attempt.status != 200:
        ticket.settle(0, moment())
    else:
        settle(call, ticket)


def limited(call: Call, target: PlannedTarget, refused: Refused, wait: float) -> RateLimited:
    """Return the error for a caller who is over their share of a provider, and has found no other within `wait`."""
    identity = call.identity
    if identity is None:
        raise ValueError("a call is understood before it is refused a place")
    if refused.of_tenant:
        whose, owner = f"tenant `{identity.tenant}`", identity.tenant
    elif identity.user is not None:
        whose, owner = f"user `{identity.user}`", identity.user
    else:
        whose, owner = f"calls without a user of tenant `{identity.tenant}`", NOBODY
    return RateLimited(
        f"The fair share of {whose} at provider `{target.target.provider}` is used up: {refused.limit} of "
        f"{refused.capacity} {refused.measure} a minute. Call again in {math.ceil(wait)} s.",
        rule="fair_share",
        retry_after=wait,
        owner=owner,
    )
