"""Deciding without the authority: by a member's share of each limit, once nobody else may use it any more."""

from math import inf
from typing import Final

from trunkline.policy.leases.contact import WITHHELD_AFTER, Contact
from trunkline.policy.leases.held import Held
from trunkline.policy.leases.messages import ACCOUNT
from trunkline.policy.limits.counter import Counter
from trunkline.policy.limits.moment import Moment

# Seconds after which one that was refused for want of an authority had better try again.
TRY_AGAIN: Final = 5.0


def wait_alone(counter: Counter, held: Held, units: int, contact: Contact, now: Moment) -> float:
    """Return the seconds until so many units fit into this member's share: 0.0 if they do now, infinity for never.

    `counter` has what the member has used itself. Where only the authority could let them in, try again in a while.
    """
    limit = held.rule.limit
    if units > limit:
        return inf
    if not contact.has_share(now):
        return TRY_AGAIN
    if held.span == ACCOUNT and not _new_period(counter, contact, now):
        return period_left(counter, now)
    wait = contact.share_begins(held.span) - now.monotonic
    if wait > 0.0:
        return wait
    wait = counter.wait(units, limit // contact.divisor, now)
    # More than the share, not more than the limit: it fits once the authority is back.
    return max(TRY_AGAIN, float(held.span)) if wait == inf else wait


def period_left(counter: Counter, now: Moment) -> float:
    """Return the seconds until the turn of an account's period; an account that is empty would not say."""
    mark = counter.take(1, now)
    left = counter.reset(now)
    counter.release(mark, 1, now)
    return left


def _new_period(counter: Counter, contact: Contact, now: Moment) -> bool:
    """Return whether a period has begun since the authority withholds our share: earlier ones others have used."""
    since = contact.since
    withheld = Moment(since.monotonic + WITHHELD_AFTER, since.wall + WITHHELD_AFTER)
    return counter.take(0, withheld) < counter.take(0, now)
