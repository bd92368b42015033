"""The price list as data: which prices each provider publishes, and from when.

`price_table.json` beside this file is the table of one version of the genai-prices package, written by
`price_source.py` so that nothing heavy is loaded to look up a price.
"""

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cached_property
from importlib.resources import files

import msgspec

COMPACT_DATE = re.compile(r"-(20[0-9]{2})(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])(?=-|:|$)")


class Match(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which names mean a model: any one entry of any field is enough; of a group in `groups` all must match.

    Names are compared in lower case.
    """

    equals: tuple[str, ...] = ()
    starts_with: tuple[str, ...] = ()
    ends_with: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    regex: tuple[str, ...] = ()
    groups: tuple[tuple["Match", ...], ...] = ()

    def matches(self, name: str) -> bool:
        """Whether the name, in lower case, means the model."""
        return (
            name in self.equals
            or name.startswith(self.starts_with)
            or name.endswith(self.ends_with)
            or any(part in name for part in self.contains)
            or any(re.search(pattern, name) for pattern in self.regex)
            or any(all(match.matches(name) for match in group) for group in self.groups)
        )


class Step(msgspec.Struct, frozen=True):
    """A rate that holds for prompts of more than `above` tokens."""

    above: int
    price: Decimal


class Period(msgspec.Struct, frozen=True, omit_defaults=True):
    """Rates by the source's own names (`input_mtok`), in force from a date on or between two times of a day (UTC)."""

    rates: dict[str, tuple[Step, ...]]
    from_date: date | None = None
    between: tuple[time, time] | None = None

    def holds(self, now: datetime) -> bool:
        """Whether these rates are in force at a moment in UTC."""
        if self.from_date is not None:
            return now.date() >= self.from_date
        if self.between is not None:
            start, end = self.between
            moment = now.timetz()
            return start <= moment < end if start <= end else moment >= start or moment < end
        return True


class Model(msgspec.Struct, frozen=True, omit_defaults=True):
    """A model and its prices; of the periods that hold, the last counts, and the first where none does.

    One that is charged by the image, the page or the minute is here too, without rates for tokens: leaving it out
    would let its name fall to another model.
    """

    id: str
    match: Match
    periods: tuple[Period, ...]

    def rates(self, now: float) -> dict[str, tuple[Step, ...]]:
        """Return the rates in force at a Unix second."""
        moment = datetime.fromtimestamp(now, UTC)
        holding = [period for period in self.periods if period.holds(moment)]
        return (holding[-1] if holding else self.periods[0]).rates


class Seller(msgspec.Struct, frozen=True, dict=True):
    """A provider: the URLs of its API, its models, and the sellers whose models it has too.

    The models stay packed until they are asked for: a configuration needs those of two sellers out of fifty.
    """

    id: str
    url: str
    also: tuple[str, ...]
    packed: msgspec.Raw = msgspec.field(name="models")

    @cached_property
    def models(self) -> tuple[Model, ...]:
        """The models, in the order in which names are looked up."""
        return msgspec.json.decode(self.packed, type=tuple[Model, ...])

    def find(self, name: str) -> Model | None:
        """Return the first model that the name means; a date in it may be written with or without dashes."""
        lower = name.lower()
        dashed = COMPACT_DATE.sub(r"-\1-\2-\3", lower)
        candidates = (lower,) if dashed == lower else (lower, dashed)
        return next((model for word in candidates for model in self.models if model.match.matches(word)), None)


class Table(msgspec.Struct, frozen=True):
    """All sellers of one version of the source, with the licence that it is passed on under."""

    version: str
    notice: str
    sellers: tuple[Seller, ...]


def bundled() -> Table:
    """Return the table that this package carries."""
    data = files("trunkline.config").joinpath("price_table.json").read_bytes()
    return msgspec.json.decode(data, type=Table)
