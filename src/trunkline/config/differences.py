"""What changes between two snapshots, for the human who applies the second."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from trunkline.model.snapshot import Snapshot

SINGULAR = {
    "providers": "provider",
    "routes": "route",
    "tenants": "tenant",
    "keys": "key",
    "prices": "price",
    "guardrails": "guardrail",
}
MISSING = object()


def diff(old: Snapshot, new: Snapshot) -> list[str]:
    """Return one line for each thing added (`+`), removed (`-`) or changed (`~`); empty if nothing changes.

    A snapshot holds no secret, so neither does a line; that a provider's key or header value changed shows nowhere.
    """
    before, after = msgspec.to_builtins(old), msgspec.to_builtins(new)
    lines: list[str] = []
    for section in Snapshot.__struct_fields__:
        if section in SINGULAR:
            lines += _things(section, before.get(section, {}), after.get(section, {}))
        else:
            lines += _changes(section, before.get(section, MISSING), after.get(section, MISSING))
    return lines


def _things(section: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    noun = SINGULAR[section]
    yield from (f"- {noun} {name}" for name in sorted(before.keys() - after.keys()))
    yield from (f"+ {noun} {name}" for name in sorted(after.keys() - before.keys()))
    for name in sorted(before.keys() & after.keys()):
        yield from _changes(f"{section}.{name}", before[name], after[name])


def _changes(path: str, before: Any, after: Any) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from _changes(f"{path}.{key}", before.get(key, MISSING), after.get(key, MISSING))
    elif isinstance(before, list | tuple) and isinstance(after, list | tuple) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _changes(f"{path}[{index}]", one, other)
    elif before != after:
        yield f"~ {path}: {_shown(before)} -> {_shown(after)}"


def _shown(value: Any) -> str:
    return "(default)" if value is MISSING else json.dumps(value)
