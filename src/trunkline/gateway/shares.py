"""A call's place in the capacity of a provider's account: what its answer teaches, and what it has used in the end."""

import math
from typing import Final

from trunkline.errors import RateLimited
from trunkline.gateway.call import Call
from trunkline.gateway.clock import moment
from trunkline.gateway.in_force import PlannedTarget
from trunkline.model.records import Attempt
from trunkline.policy.fairness.account import Ticket
from trunkline.policy.fairness.pool import Refused
from trunkline.policy.limits.rules import NOBODY
from trunkline.wire.client import Answer

TOO_MANY: Final = 429


def learn(target: PlannedTarget, ticket: Ticket, answer: Answer) -> None:
    """Take what a response's head says of the account's rate limits, where that may be news."""
    now = moment()
    if answer.status == TOO_MANY or target.share.listens(now.monotonic):
        rate = target.upstream.dialect.decode_rate(answer.headers, now.wall)
        if rate is not None:
            ticket.hear(rate, now)


def settle(call: Call, ticket: Ticket) -> None:
    """Count the tokens that the provider says the answer used; where it says nothing, what was expected stays."""
    usage = call.tally.usage
    if usage is not None:
        ticket.settle(usage.prompt_tokens + usage.completion_tokens, moment())


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
