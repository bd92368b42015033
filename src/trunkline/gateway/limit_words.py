"""How limits are told: header lines and messages."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil, inf
from typing import Final

from trunkline.gateway.leases import Leases
from trunkline.policy.limits.counter import ASK_AGAIN
from trunkline.policy.limits.limiter import Limiter, Refusal, Reservation
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.rules import NOBODY, OTHERS, Claim, Measure, Rule

TOLD: Final[tuple[Measure, Measure]] = ("requests", "tokens")
NANO_USD: Final = Decimal("0.000000001")
CALENDAR_ENDS: Final = 253_402_300_799.0  # the last second that a date can name


def rate_limit_lines(
    limiter: Limiter | Leases, claims: Sequence[Claim], found: Reservation | Refusal, now: Moment
) -> str:
    """Return the `x-ratelimit-*` lines of the rules that leave the call's owner least, as OpenAI writes them."""
    lines = ""
    for measure in TOLD:
        if isinstance(found, Reservation) and found.looked_up is not None:
            standing = found.looked_up.standing(measure, now)
        else:
            standing = limiter.standing(claims, measure, now)
        if standing is not None:
            lines += (
                f"x-ratelimit-limit-{measure}: {standing.claim.rule.limit}\r\n"
                f"x-ratelimit-remaining-{measure}: {standing.left}\r\n"
                f"x-ratelimit-reset-{measure}: {duration(standing.reset)}\r\n"
            )
    return lines


def duration(seconds: float) -> str:
    """Return a duration as these headers have it: `0s`, `20ms`, `1.5s`, `6m0s`, `1h0m0s`; rounded up."""
    if seconds < 1:
        milliseconds = ceil(seconds * 1000)
        return f"{milliseconds}ms" if milliseconds else "0s"
    if seconds < 60:
        return f"{ceil(seconds * 1000) / 1000:g}s"
    minutes, rest = divmod(ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s"


def owner_words(claim: Claim) -> str:
    """Return who owns what a claim is on: `The user ann`."""
    scope, owner = claim.rule.scope, claim.owner
    if owner == NOBODY:
        return f"Calls without a {scope}"
    if owner == OTHERS:
        return f"New {scope}s, of whom there were too many,"
    return f"The {scope} `{owner}`"


def usd(nano: int) -> str:
    """Return nano-USD as an amount in USD, without zeros that say nothing."""
    text = f"{nano * NANO_USD:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def quota_words(rule: Rule) -> str:
    """Return what a rule allows: `120 requests per minute`."""
    if rule.measure == "concurrent":
        return f"{rule.limit} calls at the same time"
    amount = f"{usd(rule.limit)} USD" if rule.measure == "money" else rule.limit
    what = "" if rule.measure == "money" else f" {rule.measure}"
    return f"{amount}{what} in total" if rule.period == "total" else f"{amount}{what} per {rule.period}"


def limit_message(refusal: Refusal) -> str:
    """Return what a caller is told who is over a limit."""
    rule = refusal.claim.rule
    said = f"{owner_words(refusal.claim)} may have {quota_words(rule)} (`{rule.name}`)"
    if refusal.wait == inf:
        return f"{said}; this call alone needs {refusal.units}. Send less, or ask the operator for a higher limit."
    when = f"Try again in {refusal.wait:.1f} s."
    return f"{said}, of which {refusal.used} are used; this call needs {refusal.units}. {when}"


def budget_message(refusal: Refusal, now: Moment) -> str:
    """Return what a caller is told whose budget is used up."""
    rule = refusal.claim.rule
    used = usd(refusal.used)
    said = f"{owner_words(refusal.claim)} may spend {quota_words(rule)} (`{rule.name}`), of which {used} are used."
    if refusal.wait == inf or now.wall + refusal.wait > CALENDAR_ENDS:
        return f"{said} This call does not fit, and waiting will not change that."
    if refusal.wait <= ASK_AGAIN:
        return f"{said} Some of that is reserved by calls that still run: try again when they have ended."
    resets = datetime.fromtimestamp(now.wall + refusal.wait, UTC).isoformat(timespec="seconds")
    return f"{said} It begins anew at {resets.replace('+00:00', 'Z')}."
