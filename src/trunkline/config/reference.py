"""The tables of docs/configuration.md, made from the types.

`python -m trunkline.config.reference docs/configuration.md` writes them anew; a test holds the page to them. A table
stands between `<!-- reference: NAME -->` and `<!-- end of reference -->`.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import Field
from pathlib import Path
from typing import Any, get_args, get_type_hints

from trunkline.config.document import Scalar
from trunkline.config.places import Place, Problems
from trunkline.config.schema import Budget, Limits, Root, TagBudget
from trunkline.config.section import DEFAULT, EMPTY, READER, REQUIRED, SAYS, Section, name_of, settings
from trunkline.config.units import BYTES, SECONDS

TOP, LATER = "top level", "not supported yet"
# These have a table each; the sections that are left are the top level's.
APART = ("providers", "routes", "guardrails", "tenants", "LIMITS", "BUDGET", "prices", "server")
# Sections that may stand in many places, by the name of their one table.
SHARED: dict[type[Section], str] = {Limits: "LIMITS", Budget: "BUDGET", TagBudget: "BUDGET"}
# What a default of None stands for, where it is not nothing.
COMPUTED = {
    "node": "the host name",
    "audit.key_file": "`audit.key` in `data_dir`, made at the first start",
    "audit.vault.key": "`vault.key` in `data_dir`, made at the first start",
    "providers.NAME.base_url": "the dialect's own",
    "guardrails.NAME.on": "the check's own",
}
REGION = re.compile(r"(<!-- reference: ([A-Za-z ]+) -->\n).*?(<!-- end of reference -->\n)", re.DOTALL)


def filled_in(page: str) -> str:
    """Return a page with each of its tables as the types have it; raises KeyError for one that there is not."""
    tables = {TOP: _table(TOP), LATER: _later_table(), **{name: _table(name) for name in APART}}
    return REGION.sub(lambda match: f"{match[1]}\n{tables[match[2]]}\n{match[3]}", page)


def keys(kind: type[Section] = Root, path: str = "") -> Iterator[tuple[str, Field[Any]]]:
    """Yield every key with its path, such as `routes.NAME.targets[].model`; those of shared sections repeatedly."""
    hints = get_type_hints(kind)
    for item in settings(kind):
        below = f"{path}.{name_of(item)}" if path else name_of(item)
        yield below, item
        for inner, where in _sections_in(hints[item.name], below):
            yield from keys(inner, where)


def later_keys(kind: type[Section] = Root, path: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the keys of later versions by the path of their section."""
    if kind.LATER:
        yield path, kind.LATER
    hints = get_type_hints(kind)
    for item in settings(kind):
        below = f"{path}.{name_of(item)}" if path else name_of(item)
        for inner, where in _sections_in(hints[item.name], below):
            yield from later_keys(inner, where)


def default_of(path: str, item: Field[Any]) -> str:
    """Return a key's default as the page shows it: a value as the file would have it, or a word."""
    default = item.metadata[DEFAULT]
    if default is REQUIRED:
        return "required"
    if default is EMPTY:
        return ""
    if default is None:
        return COMPUTED.get(path, "none")
    return next(f"`{text}`" for text in _spellings(default) if _reads_as(item, text, default))


def _sections_in(annotation: Any, path: str) -> Iterator[tuple[type[Section], str]]:
    """Yield the sections that a value of a type holds, with the paths to them."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation, SHARED.get(annotation, path)
    suffix = {dict: ".NAME", tuple: "[]"}.get(getattr(annotation, "__origin__", None), "")  # type: ignore[arg-type]
    for inner in get_args(annotation):
        yield from _sections_in(inner, path + suffix)


def _spellings(default: Any) -> Iterator[str]:
    """Yield ways to write a value, the plainest first; of units the largest that leaves a whole number."""
    if isinstance(default, bool):
        yield str(default).lower()
    elif isinstance(default, tuple):
        yield "[]"
    yield str(default)
    if default == 0:
        yield "0s"
    if isinstance(default, int | float):
        units = {**{unit: float(worth) for unit, worth in BYTES.items()}, **{u: float(w) for u, w in SECONDS.items()}}
        for unit in reversed(units):
            worth = units[unit]
            if default >= worth and not unit.endswith("iB"):
                yield f"{default / worth:g}{unit}"


def _reads_as(item: Field[Any], text: str, default: Any) -> bool:
    scalar = Scalar(1, 1, text, plain=True, written=text)
    if text == "[]":
        return bool(default == ())
    return bool(item.metadata[READER](Place("key", scalar), Problems("reference")) == default)


def _table(name: str) -> str:
    rows = [
        f"| `{path}` | {default_of(path, item)} | {item.metadata[SAYS]} |".replace("|  |", "| |")
        for path, item in dict(keys()).items()
        if (path in APART or path.partition(".")[0] not in APART if name == TOP else path.startswith(f"{name}."))
    ]
    return "\n".join(["| key | default | what it says |", "|---|---|---|", *rows, ""])


def _later_table() -> str:
    rows = [
        f"| {f'`{path}`' if path else TOP} | {', '.join(f'`{key}`' for key in found)} |" for path, found in later_keys()
    ]
    return "\n".join(["| where | keys |", "|---|---|", *rows, ""])


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(filled_in(Path(name).read_text()))
