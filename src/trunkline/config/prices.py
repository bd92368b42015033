"""What a model costs: the price list, or the operator's own figures.

Exact decimals in disjoint classes of tokens. A class that the list does not price costs what the class that contains
it costs: cached input and audio as input, reasoning and audio as output.
"""

import hashlib
import re
from collections.abc import Iterable
from decimal import Decimal

import msgspec
import rfc8785

from trunkline.config import price_source
from trunkline.config.price_table import Seller, Step, Table, bundled
from trunkline.config.schema import PriceOverride
from trunkline.model.snapshot import Price, Rates

# Whose list applies where the URL is no seller's: a proxy, a private endpoint, a simulator.
BY_DIALECT = {"openai": "openai", "anthropic": "anthropic"}
THOUSAND = 1_000
# The source's names for each of our classes, the most particular first.
CLASSES = {
    "input": ("input_mtok",),
    "output": ("output_mtok",),
    "cached_input": ("cache_read_mtok", "input_mtok"),
    "cache_write": ("cache_write_5m_mtok", "cache_write_mtok", "input_mtok"),
    "cache_write_1h": ("cache_write_1h_mtok", "cache_write_mtok", "input_mtok"),
    "audio_input": ("input_audio_mtok", "input_mtok"),
    "cached_audio_input": ("cache_audio_read_mtok", "cache_read_mtok", "input_audio_mtok", "input_mtok"),
    "reasoning": ("output_reasoning_mtok", "output_mtok"),
    "audio_output": ("output_audio_mtok", "output_mtok"),
}


class PriceList:
    """Looks up prices in one version of the list, as they are at a moment (Unix seconds)."""

    def __init__(self, table: Table, now: float) -> None:
        self.table = table
        self.now = now

    def price(self, dialect: str, base_url: str, model: str) -> Price | None:
        """Return a model's price, None where the list has none for tokens."""
        found = next((m for seller in self._sellers(dialect, base_url) if (m := seller.find(model))), None)
        rates = found.rates(self.now) if found else {}
        if "input_mtok" not in rates or "output_mtok" not in rates:
            return None
        steps = sorted({step.above for name in rates if name.endswith("_mtok") for step in rates[name]})
        tiers = tuple(_tier(rates, above) for above in steps)
        requests = _at(rates["requests_kcount"], -1) / THOUSAND if "requests_kcount" in rates else Decimal(0)
        return Price(self.table.version, price_source.PACKAGE, tiers, plain(requests))

    def names(self, dialect: str, base_url: str) -> list[str]:
        """Return the models that the list has for a provider."""
        return [model.id for seller in self._sellers(dialect, base_url) for model in seller.models]

    def _sellers(self, dialect: str, base_url: str) -> Iterable[Seller]:
        by_url = [seller for seller in self.table.sellers if re.match(seller.url, base_url)]
        own = by_url or [seller for seller in self.table.sellers if seller.id == BY_DIALECT[dialect]]
        names = [name for seller in own for name in seller.also]
        return [*own, *(seller for name in names for seller in self.table.sellers if seller.id == name)]


def current(now: float) -> PriceList:
    """Return the list of the genai-prices package that is installed, at a moment.

    The table that we carry is that list while the versions agree, at a thirtieth of the time; another version of the
    package is read itself.
    """
    table = bundled()
    return PriceList(table if table.version == price_source.installed_version() else price_source.installed(), now)


def _tier(rates: dict[str, tuple[Step, ...]], above: int) -> Rates:
    found = {
        name: plain(_at(next(rates[key] for key in keys if key in rates), above)) for name, keys in CLASSES.items()
    }
    return Rates(from_prompt_tokens=above + 1, **found)


def _at(steps: tuple[Step, ...], above: int) -> Decimal:
    return [step.price for step in steps if step.above <= above][-1]


def override(section: PriceOverride) -> Price:
    """Return the operator's price; its version is a digest of the figures, so that equal ones have equal names."""
    cached = _first(section.cached_input_per_million, section.input_per_million)
    rates = Rates(
        from_prompt_tokens=0,
        input=section.input_per_million,
        output=section.output_per_million,
        cached_input=cached,
        cache_write=_first(section.cache_write_per_million, section.input_per_million),
        cache_write_1h=_first(
            section.cache_write_1h_per_million, section.cache_write_per_million, section.input_per_million
        ),
        audio_input=_first(section.audio_input_per_million, section.input_per_million),
        cached_audio_input=_first(
            section.cached_audio_input_per_million,
            section.cached_input_per_million,
            section.audio_input_per_million,
            section.input_per_million,
        ),
        reasoning=_first(section.reasoning_per_million, section.output_per_million),
        audio_output=_first(section.audio_output_per_million, section.output_per_million),
    )
    form = rfc8785.dumps(msgspec.to_builtins([rates, section.per_request]))
    return Price(f"override {hashlib.sha256(form).hexdigest()[:16]}", "override", (rates,), section.per_request)


def _first(*candidates: Decimal | None) -> Decimal:
    return next(candidate for candidate in candidates if candidate is not None)


def plain(value: Decimal) -> Decimal:
    """Return the same number without zeros at its end, so that equal prices have equal bytes."""
    return Decimal(format(value.normalize(), "f"))
