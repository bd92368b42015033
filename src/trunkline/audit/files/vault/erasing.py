"""Destroying keys and names in all key files of a data directory, and finding out which there are."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from trunkline.audit.files.vault.key_file import destroy, key_files, locked
from trunkline.audit.files.vault.root_keys import VAULT
from trunkline.audit.format.key_entries import DATA_KEY, DESTROYED, KeyEntry, entries


class KeyCount(NamedTuple):
    """How many data keys a tenant has of a month (such as 202611); an empty tenant is the gateway itself."""

    tenant: str
    month: int
    keys: int


class Stock(NamedTuple):
    """What the key files have: data keys by tenant and month, names, what was destroyed, and what is damaged."""

    counts: list[KeyCount]
    names: int
    destroyed: int
    damaged: int


def entries_of(data_dir: Path, persons: Collection[bytes], upto: Mapping[Path, int]) -> list[KeyEntry]:
    """Return the keys and names of persons; `upto` says where to stop in a file that is written. Raises OSError."""
    return [entry for path, entry in _entries(data_dir, upto) if entry.kind != DESTROYED and entry.person in persons]


def destroy_entries(data_dir: Path, ids: Collection[bytes], upto: Mapping[Path, int]) -> int:
    """Destroy the entries of these ids, durably; return how many there were. Raises OSError."""
    gone = 0
    with locked(data_dir / VAULT):
        for path in key_files(data_dir):
            gone += len(destroy(path, lambda entry: entry.id in ids, upto.get(path)))
    return gone


def stock(data_dir: Path) -> Stock:
    """Return what the key files have. Raises OSError."""
    counts: Counter[tuple[str, int]] = Counter()
    names = gone = damaged = 0
    for path in key_files(data_dir):
        for placed in entries(path.read_bytes()):
            entry = placed.entry
            if entry is None:
                damaged += 1
            elif entry.kind == DATA_KEY:
                counts[entry.tenant, entry.month] += 1
            else:
                names += entry.kind != DESTROYED
                gone += entry.kind == DESTROYED
    found = [KeyCount(tenant, month, keys) for (tenant, month), keys in sorted(counts.items())]
    return Stock(found, names, gone, damaged)


def _entries(data_dir: Path, upto: Mapping[Path, int]) -> Iterator[tuple[Path, KeyEntry]]:
    for path in key_files(data_dir):
        for placed in entries(path.read_bytes()[: upto.get(path)]):
            if placed.entry is not None:
                yield path, placed.entry
