"""What a call costs: tokens by class times a price list, in exact decimals."""

from decimal import Decimal
from typing import Final

from msgspec.structs import astuple

from trunkline.model.delta import Usage
from trunkline.model.money import plain
from trunkline.model.records import Cost, CostLine
from trunkline.model.snapshot import Price, Rates

MILLIONTH: Final = Decimal("0.000001")
NEVER: Final = float("inf")
TOKEN_CLASSES: Final = Usage.__struct_fields__


def price_at(price: Price, now: float) -> tuple[Price, float]:
    """Return the price in force at Unix second `now`, and the second from which another one may be."""
    for dated in price.dated:
        if dated.start is not None and now < dated.start:
            return price, dated.start
        if dated.end is None or now < dated.end:
            return dated.price, NEVER if dated.end is None else dated.end
    return price, NEVER


def rates_for(price: Price, prompt_tokens: int) -> Rates:
    """Return the tier that a prompt of this size is charged at: the last one that it reaches."""
    tier = price.tiers[0]
    for candidate in price.tiers[1:]:
        if prompt_tokens < candidate.from_prompt_tokens:
            break
        tier = candidate
    return tier


def amount_of(prompt_tokens: int, answer_tokens: int, price: Price) -> Decimal:
    """Return what a call of this size will cost if nothing of it is cached: an estimate's amount in USD."""
    rates = rates_for(price, prompt_tokens)
    return price.per_request + (prompt_tokens * rates.input + answer_tokens * rates.output) * MILLIONTH


def sum_of(first: Cost, second: Cost) -> Cost:
    """Return the cost of two attempts together, with the lines of both; the price list named is the second's."""
    amount = plain(Decimal(first.amount) + Decimal(second.amount))
    estimated = first.estimated or second.estimated
    return Cost(amount, estimated, second.price_version, second.price_source, first.lines + second.lines)


def cost_of(usage: Usage, price: Price, *, estimated: bool) -> Cost:
    """Return the cost in USD of this usage, with a line for each class that has tokens.

    The sum of the lines and the price per request is the amount, exactly: nothing is rounded.
    """
    rates = price.tiers[0] if len(price.tiers) == 1 else rates_for(price, usage.prompt_tokens)
    lines = []
    amount = price.per_request
    for name, tokens in zip(TOKEN_CLASSES, astuple(usage), strict=True):
        if tokens:
            unit_price = getattr(rates, name)
            part = tokens * unit_price * MILLIONTH
            amount += part
            lines.append(CostLine(name, tokens, plain(unit_price), plain(part)))
    return Cost(plain(amount), estimated, price.version, price.source, tuple(lines))
