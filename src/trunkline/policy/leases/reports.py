"""What a member has used, for an authority that does not know."""

from collections import deque
from typing import Final

from trunkline.policy.budgets.account import Account
from trunkline.policy.leases.contact import Contact
from trunkline.policy.leases.messages import ACCOUNT, SLOTS, Counted, Report
from trunkline.policy.limits.limiter import Limiter
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.window import Window

# Counters in one part of a report: what an authority takes in without keeping others waiting.
PART: Final = 100


def report(own: Limiter, shared: set[tuple[str, str]], contact: Contact, now: Moment) -> deque[Report]:
    """Return all that `own` has counted, part by part; `shared` are counters of which the member's share was used."""
    counted: list[Counted] = []
    for name in own.places():
        found = _counted(own, name, shared, now)
        if found is not None:
            counted.append(found)
    parts = [tuple(counted[start : start + PART]) for start in range(0, max(1, len(counted)), PART)]
    last = len(parts) - 1
    return deque(
        [
            Report(part, contact.names, contact.fresh, number == 0, number == last, contact.known_in, contact.after)
            for number, part in enumerate(parts)
        ]
    )


def _counted(own: Limiter, name: tuple[str, str], shared: set[tuple[str, str]], now: Moment) -> Counted | None:
    rule_id, owner = name
    counter = own.find(rule_id, owner)
    if counter is None or counter.idle(now):
        return None
    span, mark, pairs, spent, weighed = SLOTS, 0, [(0.0, counter.used(now))], 0, 0
    if isinstance(counter, Account):
        span, mark = ACCOUNT, counter.take(0, now)
        spent, weighed = counter.spent(now), counter.weighed(now)
    elif isinstance(counter, Window):
        span, pairs = counter.seconds, counter.state(now)
    return Counted(rule_id, owner, span, mark, name in shared, tuple(pairs), spent, weighed)
