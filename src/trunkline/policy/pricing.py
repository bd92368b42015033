"""What a call costs: tokens by class times a price list, exactly."""

from decimal import Decimal
from typing import Final, final

from msgspec.structs import astuple

from trunkline.model.delta import Usage
from trunkline.model.money import amount_text, plain, whole_number
from trunkline.model.records import Cost, CostLine
from trunkline.model.snapshot import Price, Rates

MILLION_PLACES: Final = 6  # prices are for a million tokens
NEVER: Final = float("inf")
TOKEN_CLASSES: Final = Usage.__struct_fields__
INPUT: Final = TOKEN_CLASSES.index("input")
OUTPUT: Final = TOKEN_CLASSES.index("output")


def price_at(price: Price, now: float) -> tuple[Price, float]:
    """Return the price in force at Unix second `now`, and the second from which another one may be."""
    for dated in price.dated:
        if dated.start is not None and now < dated.start:
            return price, dated.start
        if dated.end is None or now < dated.end:
            return dated.price, NEVER if dated.end is None else dated.end
    return price, NEVER


@final
class Rate:
    """The price of a token class: USD a million as they are written, and a token's as `units` of 10^-`places` USD."""

    __slots__ = ("name", "places", "scale", "text", "units")

    def __init__(self, name: str, price: Decimal) -> None:
        self.name, self.text = name, plain(price)
        self.units, self.places = whole_number(price, MILLION_PLACES)
        self.scale = 1  # what takes this rate's units to those of the whole tariff


@final
class Tariff:
    """A price made ready to count with: whole numbers are as exact as decimals, and cheaper by far. Never changed.

    `rates` has, for each tier, the size of the prompt that it begins at and a rate for each of TOKEN_CLASSES.
    """

    __slots__ = ("per_request", "per_request_places", "places", "rates", "source", "version")

    def __init__(self, price: Price) -> None:
        self.version, self.source = price.version, price.source
        self.per_request, self.per_request_places = whole_number(price.per_request, 0)
        self.rates = [(tier.from_prompt_tokens, _rates_of(tier)) for tier in price.tiers]
        self.places = max(self.per_request_places, *(rate.places for _, rates in self.rates for rate in rates))
        self.per_request *= 10 ** (self.places - self.per_request_places)
        for _, rates in self.rates:
            for rate in rates:
                rate.scale = 10 ** (self.places - rate.places)

    def rates_for(self, prompt_tokens: int) -> list[Rate]:
        """Return the tier that a prompt of this size is charged at: the last one that it reaches."""
        chosen = self.rates[0][1]
        for start, rates in self.rates:
            if prompt_tokens < start:
                break
            chosen = rates
        return chosen

    def text(self, units: int, places: int) -> str:
        """Return an amount of the tariff's units in USD, with this many decimals, which are enough for it."""
        return amount_text(units // 10 ** (self.places - places), places)


def _rates_of(tier: Rates) -> list[Rate]:
    return [Rate(name, getattr(tier, name)) for name in TOKEN_CLASSES]


def expected_cost(prompt_tokens: int, answer_tokens: int, tariff: Tariff) -> str:
    """Return what a call of this size will cost if nothing of it is cached: an estimate's amount in USD."""
    rates = tariff.rates_for(prompt_tokens)
    read, written = rates[INPUT], rates[OUTPUT]
    units = prompt_tokens * read.units * read.scale + answer_tokens * written.units * written.scale
    return tariff.text(tariff.per_request + units, max(tariff.per_request_places, read.places, written.places))


def sum_of(first: Cost, second: Cost) -> Cost:
    """Return the cost of two attempts together, with the lines of both; the price list named is the second's."""
    amount = plain(Decimal(first.amount) + Decimal(second.amount))
    estimated = first.estimated or second.estimated
    return Cost(amount, estimated, second.price_version, second.price_source, first.lines + second.lines)


def cost_of(usage: Usage, tariff: Tariff, *, estimated: bool) -> Cost:
    """Return the cost in USD of this usage, with a line for each class that has tokens.

    The sum of the lines and the price per request is the amount, exactly: nothing is rounded.
    """
    rates = tariff.rates[0][1] if len(tariff.rates) == 1 else tariff.rates_for(usage.prompt_tokens)
    counts: tuple[int, ...] = astuple(usage)
    lines: list[CostLine] = []
    total, places = tariff.per_request, tariff.per_request_places
    for position, rate in enumerate(rates):
        tokens = counts[position]
        if tokens:
            units = tokens * rate.units
            total += units * rate.scale
            places = max(places, rate.places)
            lines.append(CostLine(rate.name, tokens, rate.text, amount_text(units, rate.places)))
    return Cost(tariff.text(total, places), estimated, tariff.version, tariff.source, tuple(lines))
