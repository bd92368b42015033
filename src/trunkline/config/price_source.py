"""The genai-prices package -> our table. `python -m trunkline.config.price_source` writes the table that we carry.

Loading that package takes longer and more memory than the rest of a process of ours, which is why it is not looked up
directly while its version is the one that our table was made from. Source: genai-prices (MIT), its bundled data.
"""

import re
import sys
from collections.abc import Iterable
from decimal import Decimal
from importlib.metadata import distribution, version
from typing import Any

import msgspec

from trunkline.config.price_table import Match, Model, Period, Seller, Step, Table

PACKAGE = "genai-prices"
ONE_CLAUSE = {
    "ClauseEquals": "equals",
    "ClauseStartsWith": "starts_with",
    "ClauseEndsWith": "ends_with",
    "ClauseContains": "contains",
}
# Tokens and requests; searches, pages and minutes are not counted here.
WANTED = re.compile(r"(input|output|cache)(_[a-z0-9]+)*_mtok|requests_kcount")


def installed_version() -> str:
    """Return the name of the data that is installed, for example `genai-prices 0.2.3`."""
    return f"{PACKAGE} {version(PACKAGE)}"


def installed() -> Table:
    """Return the table of the package that is installed."""
    from genai_prices.data import providers  # noqa: PLC0415  seconds and 90 MB that only this function needs

    notice = distribution(PACKAGE).read_text("licenses/LICENSE") or ""
    return Table(installed_version(), notice, tuple(_seller(provider) for provider in providers))


def _seller(provider: Any) -> Seller:
    return Seller(
        id=provider.id,
        url=provider.api_pattern,
        also=tuple(provider.fallback_model_providers or ()),
        packed=packed(_model(model) for model in provider.models),
    )


def packed(models: Iterable[Model]) -> msgspec.Raw:
    """Return models as a seller holds them: JSON, a line for each, so that a new version is a readable difference."""
    lines = b",\n".join(msgspec.json.encode(model) for model in models)
    return msgspec.Raw(b"[\n" + lines + b"\n]")


def _model(model: Any) -> Model:
    conditional = model.prices if isinstance(model.prices, list) else [None]
    periods = tuple(_period(model.prices if entry is None else entry.prices, entry) for entry in conditional)
    return Model(model.id, _match(model.match), periods)


def _period(prices: Any, conditional: Any) -> Period:
    rates = {name: _steps(price) for name, price in sorted(vars(prices).items()) if price is not None}
    rates = {name: steps for name, steps in rates.items() if WANTED.fullmatch(name)}
    constraint = conditional.constraint if conditional is not None else None
    if constraint is None:
        return Period(rates)
    if hasattr(constraint, "start_date"):
        return Period(rates, from_date=constraint.start_date)
    return Period(rates, between=(constraint.start_time, constraint.end_time))


def _steps(price: Any) -> tuple[Step, ...]:
    if isinstance(price, Decimal):
        return (Step(-1, price),)
    return (Step(-1, price.base), *(Step(tier.start, tier.price) for tier in price.tiers))


def _match(clause: Any) -> Match:
    kind = type(clause).__name__
    if kind == "ClauseAnd":
        return Match(groups=(tuple(_match(part) for part in clause.and_),))
    if kind == "ClauseRegex":
        return Match(regex=(clause.regex,))
    if kind == "ClauseOr":
        parts = [_match(part) for part in clause.or_]
        return Match(
            *(tuple(entry for part in parts for entry in getattr(part, name)) for name in Match.__struct_fields__)
        )
    return Match(**{ONE_CLAUSE[kind]: (getattr(clause, ONE_CLAUSE[kind]).lower(),)})


def written(table: Table) -> bytes:
    """Return the table as the file that we carry."""
    head = msgspec.json.encode({"version": table.version, "notice": table.notice})
    return head[:-1] + b',"sellers":[\n' + b",\n".join(map(msgspec.json.encode, table.sellers)) + b"\n]}\n"


if __name__ == "__main__":
    sys.stdout.buffer.write(written(installed()))
