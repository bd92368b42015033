"""A price for every model that a call can reach, or a problem: what is not priced cannot be accounted for."""

from collections.abc import Callable
from difflib import get_close_matches

from trunkline.config.checks import names_of, words_of
from trunkline.config.places import Place, Problems, nearest
from trunkline.config.prices import PriceList, override
from trunkline.config.schema import PriceOverride, Root
from trunkline.model.snapshot import Price

BASE_URLS = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}


def price_all(root: Root, price_list: Callable[[], PriceList], problems: Problems) -> dict[str, Price]:
    """Return the prices by `provider/model`; report the models without one, and the overrides without a use."""
    overrides = root.prices or {}
    used = _used(root)
    prices: dict[str, Price] = {name: override(section) for name, section in overrides.items() if name in used}
    written = set(names_of(root, "prices"))
    missing = [name for name in used if name not in written]
    found = price_list() if missing else None
    for name in missing:
        provider_name, _, model = name.partition("/")
        provider = root.providers.get(provider_name)
        if provider is None or provider.dialect is None or found is None:
            continue
        base_url = provider.base_url or BASE_URLS[provider.dialect]
        price = found.price(provider.dialect, base_url, model)
        if price is None:
            _report_unpriced(used[name], name, found.names(provider.dialect, base_url), problems)
        else:
            prices[name] = price
    for name, section in overrides.items():
        if name not in used:
            _report_unused(name, section, list(used), problems)
    return prices


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
