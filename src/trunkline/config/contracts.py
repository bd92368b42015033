"""Prices with dates, as contracts have them -> one price that knows when which of them counts. Days are in UTC."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import msgspec

from trunkline.config.places import Place, Problems
from trunkline.config.prices import override
from trunkline.config.schema import PriceOverride
from trunkline.model.snapshot import DatedPrice, Price


def check_days(sections: Sequence[PriceOverride], problems: Problems) -> bool:
    """Report prices of one model whose days cannot be; return whether all of them can."""
    before = len(problems.found)
    for section in sections:
        if section.first and section.last and section.last < section.first:
            problems.add(section.place.below("to"), "is before `from`", "put the two days in order")
    ordered = sorted(sections, key=lambda section: section.first or date.min)
    for one, other in pairwise(ordered):
        if one.last is None or (other.first or date.min) <= one.last:
            message = f"has days in common with the price on line {one.place.node.line}"
            problems.add(other.place, message, "end one before the other begins")
    return len(problems.found) == before


def priced(sections: Sequence[PriceOverride], otherwise: Price | None, now: float) -> Price | None:
    """Return the price that these make, with another one where none of them counts.

    None where that one is needed and absent; what is over before `now` needs none.
    """
    if len(sections) == 1 and sections[0].first is None and sections[0].last is None:
        return override(sections[0])
    dated = [
        DatedPrice(override(section), _second(section.first), _second(section.last, after=1))
        for section in sorted(sections, key=lambda section: section.first or date.min)
    ]
    if otherwise is None and uncovered(dated, now):
        return None
    return msgspec.structs.replace(otherwise or dated[-1].price, dated=tuple(dated))


def uncovered(dated: Sequence[DatedPrice], now: float) -> bool:
    """Whether there is a moment from `now` on at which none of these counts."""
    reached: float | None = now
    for one in dated:
        if reached is not None and (one.start is None or one.start <= reached):
            reached = None if one.end is None else max(reached, one.end)
    return reached is not None


def without_price(place: Place, name: str, problems: Problems) -> None:
    """Report a model whose prices leave days without one."""
    message = f"`{name}` has days without a price, and the price list has none"
    problems.add(place, message, "add one without `to`, and close the gaps")


def _second(day: date | None, after: int = 0) -> int | None:
    if day is None:
        return None
    return int(datetime.combine(day, time(), UTC).timestamp()) + after * int(timedelta(days=1).total_seconds())
