"""A provider's bill against our count, by day (UTC) and model, and where the difference comes from. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from trunkline.ledger.cost_answers import PaidRow
from trunkline.model.money import plain

# What a bill rounds each line to; a difference of less explains itself.
CENT = Decimal("0.01")
SHARE = Decimal("0.0001")
# A bill may name a model with its date, where a configuration does not: gpt-4o-mini-2024-07-18.
_DATED = re.compile(r"-(?:20\d{2}-\d{2}-\d{2}|20\d{6})$")


class Billed(NamedTuple):
    """A line of a bill; `tokens` is None where the bill does not say."""

    day: str
    model: str
    amount: Decimal
    tokens: int | None = None


class Compared(NamedTuple):
    """A day and model: what was billed, what we counted, and what the difference comes from."""

    day: str
    model: str
    billed: Decimal
    counted: Decimal
    difference: Decimal
    share: Decimal | None
    billed_tokens: int | None
    counted_tokens: int
    estimated: Decimal
    explanation: str


class _Ours(NamedTuple):
    amount: Decimal = Decimal(0)
    tokens: int = 0
    estimated: Decimal = Decimal(0)


Place = tuple[str, str]


def plain_name(model: str) -> str:
    """Return a model's name without the provider in front and the date at its end."""
    return _DATED.sub("", model.rpartition("/")[2].strip().lower())


def compare(bill: Sequence[Billed], counted: Iterable[PaidRow]) -> list[Compared]:
    """Return a line for each day and model that is on the bill or in our count, in their order."""
    billed, ours = _billed(bill), _counted(counted)
    months = _together(billed, ours)
    return [
        _compared(place, billed.get(place), ours.get(place, _Ours()), months[place[1]])
        for place in sorted(billed.keys() | ours.keys())
    ]


def total_of(lines: Sequence[Compared]) -> Compared:
    """Return all lines together."""
    billed = sum((line.billed for line in lines), Decimal(0))
    counted = sum((line.counted for line in lines), Decimal(0))
    tokens = [line.billed_tokens for line in lines if line.billed_tokens is not None]
    return Compared(
        day="total",
        model="",
        billed=billed,
        counted=counted,
        difference=billed - counted,
        share=_share(billed - counted, counted),
        billed_tokens=sum(tokens) if tokens else None,
        counted_tokens=sum(line.counted_tokens for line in lines),
        estimated=sum((line.estimated for line in lines), Decimal(0)),
        explanation="",
    )


def _billed(bill: Sequence[Billed]) -> dict[Place, Billed]:
    found: dict[Place, Billed] = {}
    for line in bill:
        place = (line.day, plain_name(line.model))
        found[place] = _added(found[place], line) if place in found else line
    return found


def _added(one: Billed, other: Billed) -> Billed:
    tokens = None if one.tokens is None or other.tokens is None else one.tokens + other.tokens
    return Billed(one.day, one.model, one.amount + other.amount, tokens)


def _counted(rows: Iterable[PaidRow]) -> dict[Place, _Ours]:
    found: dict[Place, _Ours] = {}
    for row in rows:
        place = (row.day, plain_name(row.model))
        before = found.get(place, _Ours())
        found[place] = _Ours(
            before.amount + Decimal(row.amount), before.tokens + row.tokens, before.estimated + Decimal(row.estimated)
        )
    return found


def _together(billed: Mapping[Place, Billed], ours: Mapping[Place, _Ours]) -> dict[str, tuple[Decimal, Decimal]]:
    """Return what was billed and counted for each model over all days."""
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    for _, model in billed.keys() | ours.keys():
        sums[model] = (
            sum((line.amount for (_, other), line in billed.items() if other == model), Decimal(0)),
            sum((line.amount for (_, other), line in ours.items() if other == model), Decimal(0)),
        )
    return sums


def _compared(place: Place, bill: Billed | None, ours: _Ours, month: tuple[Decimal, Decimal]) -> Compared:
    amount = bill.amount if bill is not None else Decimal(0)
    difference = amount - ours.amount
    return Compared(
        day=place[0],
        model=place[1],
        billed=amount,
        counted=ours.amount,
        difference=difference,
        share=_share(difference, ours.amount),
        billed_tokens=bill.tokens if bill is not None else None,
        counted_tokens=ours.tokens,
        estimated=ours.estimated,
        explanation=_explained(bill, ours, difference, month),
    )


def _explained(bill: Billed | None, ours: _Ours, difference: Decimal, month: tuple[Decimal, Decimal]) -> str:
    if abs(difference) < CENT:
        return "agrees" if not difference else "rounding"
    if abs(month[0] - month[1]) < CENT:
        return "the days add up: the bill has other hours, or counts a call where it ended"
    if bill is None:
        return "not on the bill: not charged yet, or under another name"
    if ours == _Ours():
        return "not counted here: the account is used past the gateway, or the model has another name"
    if bill.tokens is not None and bill.tokens == ours.tokens:
        ratio = plain((bill.amount / ours.amount).quantize(SHARE, ROUND_HALF_EVEN)) if ours.amount else "?"
        return f"the tokens agree: the price is {ratio} times ours; see `prices`"
    tokens = f"{bill.tokens - ours.tokens:+,} tokens on the bill" if bill.tokens is not None else ""
    estimate = f"{plain(ours.estimated)} of ours is estimated" if ours.estimated else ""
    if ours.estimated and abs(difference) <= ours.estimated:
        return "; ".join(part for part in ("within what is estimated", estimate, tokens) if part)
    return "; ".join(part for part in ("not explained", estimate, tokens) if part)


def _share(difference: Decimal, of: Decimal) -> Decimal | None:
    return (difference / of).quantize(SHARE, ROUND_HALF_EVEN) if of else None
