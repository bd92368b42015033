"""A price for every model that a call can reach, or a problem: what is not priced cannot be accounted for."""

from collections.abc import Callable
from difflib import get_close_matches

from trunkline.config.checks import names_of, words_of
from trunkline.config.contracts import check_days, priced, without_price
from trunkline.config.places import Place, Problems, nearest
from trunkline.config.prices import PriceList
from trunkline.config.schema import PriceOverride, Root
from trunkline.model.snapshot import Price

BASE_URLS = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}


def price_all(root: Root, price_list: Callable[[], PriceList], now: float, problems: Problems) -> dict[str, Price]:
    """Return the prices by `provider/model`; report the models without one, and the overrides without a use.

    `now` is the Unix second from which on there has to be one.
    """
    overrides = root.prices or {}
    used = _used(root)
    written = set(names_of(root, "prices"))
    prices: dict[str, Price] = {}
    lists: list[PriceList] = []

    def listed(name: str) -> Price | None:
        """Look the model up in the price list, which is read when it is needed first."""
        lists.extend([price_list()] if not lists else [])
        return _listed(root, name, lists[0])

    for name, place in used.items():
        sections = overrides.get(name, ())
        if sections and check_days(sections, problems):
            undated = any(section.first is None and section.last is None for section in sections)
            price = priced(sections, None if undated else listed(name), now)
            if price is None:
                without_price(sections[0].place, name, problems)
            else:
                prices[name] = price
        elif name not in written and _known(root, name):
            price = listed(name)
            if price is None:
                _report_unpriced(place, name, _names(root, name, lists[0]), problems)
            else:
                prices[name] = price
    for name, sections in overrides.items():
        if name not in used and sections:
            _report_unused(name, sections[0], list(used), problems)
    return prices


def _known(root: Root, name: str) -> bool:
    provider = root.providers.get(name.partition("/")[0])
    return provider is not None and provider.dialect is not None


def _listed(root: Root, name: str, found: PriceList) -> Price | None:
    provider_name, _, model = name.partition("/")
    if not _known(root, name):
        return None
    provider = root.providers[provider_name]
    return found.price(provider.dialect, provider.base_url or BASE_URLS[provider.dialect], model)


def _names(root: Root, name: str, found: PriceList) -> list[str]:
    provider = root.providers[name.partition("/")[0]]
    return found.names(provider.dialect, provider.base_url or BASE_URLS[provider.dialect])


def _used(root: Root) -> dict[str, Place]:
    used: dict[str, Place] = {}
    for name, provider in root.providers.items():
        for place, model in words_of(provider.place, "models", provider.models):
            used.setdefault(f"{name}/{model}", place)
    for route in (root.routes or {}).values():
        for target in route.targets:
            if target.provider and target.model:
                used.setdefault(f"{target.provider}/{target.model}", target.place.below("model"))
    return used


def _report_unpriced(place: Place, name: str, known: list[str], problems: Problems) -> None:
    near = get_close_matches(name.partition("/")[2].lower(), sorted(set(known)), n=3, cutoff=0.6)
    shown = f"{name.partition('/')[0]}/{place.written}"
    like = f" (the price list has {', '.join(near)})" if near else ""
    fix = f'add to prices: "{shown}": {{input_per_million: ..., output_per_million: ...}}'
    problems.add(place, f"no price is known for `{shown}`{like}", fix)


def _report_unused(name: str, section: PriceOverride, used: list[str], problems: Problems) -> None:
    fix = f"add the model to the provider's models or to a route, or remove this; {nearest(name, used)}"
    problems.add(section.place, f"nothing uses `{name}`", fix)
