"""What one member holds of one counter: units that it was granted, each lot with the end of its lease."""

from math import ceil
from typing import Final, final

from trunkline.policy.leases.messages import ACCOUNT, LEASE, SLOTS
from trunkline.policy.limits.rules import Rule

SECONDS: Final = {"minute": 60, "hour": 3600, "day": 86_400}
# Weight of what was used since the last look, against what was used before.
RECENT: Final = 0.5
# Units a second below which nothing is expected any more.
NOTHING: Final = 0.5
# Seconds for which a refusal is believed without asking again: others give back what they do not use.
BELIEVED: Final = 0.1
BELIEVED_OF_SLOTS: Final = 0.02


def span_of(rule: Rule) -> int:
    """Return the kind of a rule's counters: the seconds of a window, `SLOTS` or `ACCOUNT`."""
    if rule.measure == "concurrent":
        return SLOTS
    return ACCOUNT if rule.measure == "money" else SECONDS[rule.period]


@final
class Lot:
    """Units that may be used before the monotonic second `expires`, and that are given back by `mark`."""

    __slots__ = ("expires", "mark", "units")

    def __init__(self, units: int, mark: int, expires: float) -> None:
        self.units, self.mark, self.expires = units, mark, expires


@final
class Held:
    """The lots of one counter, how fast they are used, and what the authority said of it last."""

    __slots__ = (
        "asked",
        "lots",
        "owner",
        "rate",
        "refused_limit",
        "refused_units",
        "refused_until",
        "rule",
        "seen",
        "seen_at",
        "shared",
        "span",
        "taken",
        "wait_ends",
        "waiting",
    )

    def __init__(self, rule: Rule, owner: str) -> None:
        self.rule, self.owner, self.span = rule, owner, span_of(rule)
        self.lots: list[Lot] = []
        self.waiting = 0  # calls that wait for an answer
        self.asked = 0  # of their asks those that want more than their call needs
        self.taken, self.rate = 0, 0.0  # units since the last look; units a second before
        self.refused_until = self.wait_ends = 0.0
        self.refused_units = self.refused_limit = 0
        self.seen, self.seen_at = 0, 0.0  # units in use at the authority
        self.shared = False

    def available(self, now: float) -> int:
        """Return the units that may be used at this second."""
        units = 0
        for lot in self.lots:
            if lot.expires > now:
                units += lot.units
        return units

    def take(self, units: int, now: float) -> list[Lot]:
        """Take so many units, or as many as there are, those first whose lease ends first."""
        found: list[Lot] = []
        kept: list[Lot] = []
        for lot in self.lots:
            part = min(units, lot.units) if lot.expires > now else 0
            if part > 0:
                units -= part
                found.append(Lot(part, lot.mark, lot.expires))
                lot.units -= part
            if lot.units > 0:
                kept.append(lot)
        self.lots = kept
        return found

    def put(self, lots: list[Lot]) -> None:
        """Hold lots again, or anew."""
        if lots:
            self.lots += lots
            if len(self.lots) > 1:
                self.lots.sort(key=_end_of)

    def ending(self, moment: float) -> list[Lot]:
        """Let go of the lots whose lease ends until then, and return them."""
        ended = [lot for lot in self.lots if lot.expires <= moment]
        if ended:
            self.lots = [lot for lot in self.lots if lot.expires > moment]
        return ended

    def expected(self) -> int:
        """Return the units that will be used within a lease, going by recent use."""
        return ceil(self.rate * LEASE)

    def look(self, seconds: float) -> bool:
        """Take note of what was used in the seconds since the last look; returns whether to look again."""
        self.rate += (self.taken / seconds - self.rate) * RECENT
        self.taken = 0
        if self.rate < NOTHING:
            self.rate = 0.0
        return bool(self.lots) or self.rate > 0.0

    def refuse(self, limit: int, units: int, wait: float, used: int, now: float) -> None:
        """Remember a refusal for a moment, so that a flood is refused without asking for each call."""
        believed = BELIEVED_OF_SLOTS if self.span == SLOTS else BELIEVED
        self.refused_until, self.wait_ends = now + min(wait, believed), now + wait
        self.refused_limit, self.refused_units, self.seen, self.seen_at = limit, units, used, now


def _end_of(lot: Lot) -> float:
    return lot.expires
