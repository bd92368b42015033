"""The keys that a reader opens bodies with: looked for in the key files, which other processes go on writing."""

import mmap
from collections import OrderedDict
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

from trunkline.audit.files.vault.key_encryption import VaultUnusable
from trunkline.audit.files.vault.key_file import key_files
from trunkline.audit.files.vault.wrapping import Wrapping
from trunkline.audit.format.key_entries import (
    DATA_KEY,
    DESTROYED,
    ID_AT,
    MOST_SLOTS,
    NAME,
    SLOT,
    KeyEntry,
    entries,
    entry_at,
)
from trunkline.audit.format.pseudonyms import digest_in, kind_and_name, person, pseudonym
from trunkline.audit.format.sealing import BodyErased, DataKey, KeyMissing
from trunkline.model.names import PersonKind
from trunkline.model.vault import VaultKeys

MOST_OPEN: Final = 1024
ERASED: Final = "erased: its key has been destroyed"


class StoredKeys:
    """Opens with what the key files of a data directory have; for any number of threads.

    `unlock` returns the root keys, or raises VaultUnusable; it is asked when a key is first needed, and again where a
    root key is not among them. Nothing is kept of a key that has been destroyed: each look is at the files.
    """

    def __init__(self, data_dir: Path, unlock: Callable[[], VaultKeys]) -> None:
        self._data_dir, self._unlock = data_dir, unlock
        self._wrapping: Wrapping | None = None
        self._open: OrderedDict[bytes, tuple[Path, int, DataKey]] = OrderedDict()
        self._turn = Lock()

    def adopt(self, keys: VaultKeys) -> None:
        """Unwrap with these root keys from here on."""
        with self._turn:
            self._unlock, self._wrapping = lambda: keys, None

    def key(self, key_id: bytes) -> DataKey:
        """Return the data key of this id; raises KeyMissing or BodyErased."""
        with self._turn:
            known = self._open.get(key_id)
            if known is not None and _is_there(*known):
                self._open.move_to_end(key_id)
                return known[2]
            self._open.pop(key_id, None)
            return self._looked_up(key_id)

    def name_in(self, entry: KeyEntry) -> str:
        """Return the person that an entry keeps, such as `user:ann`; raises KeyMissing."""
        with self._turn:
            return self._unwrapping(entry).name(entry)

    def names(self, written: Collection[str]) -> dict[str, str]:
        """Return the names that pseudonyms stand for, as far as they are known."""
        found: dict[str, str] = {}
        wanted = {digest for digest in map(digest_in, written) if digest is not None}
        for path in key_files(self._data_dir) if wanted else ():
            with suppress(OSError, KeyMissing):
                for placed in entries(path.read_bytes()):
                    entry = placed.entry
                    if entry is not None and entry.kind == NAME and entry.person in wanted:
                        kind, name = kind_and_name(self.name_in(entry))
                        found[pseudonym(kind, entry.person)] = name
        return found

    def written(self, tenant: str, kind: PersonKind, name: str) -> str:
        """Return how a record names a person; raises KeyMissing."""
        with self._turn:
            if self._wrapping is None:
                self._wrapping = self._unlocked()
            return pseudonym(kind, self._wrapping.person_of(person(tenant, kind, name)))

    def _looked_up(self, key_id: bytes) -> DataKey:
        path, offset, entry = self._find(key_id)
        if entry.kind == DESTROYED:
            raise BodyErased(ERASED)
        if entry.kind != DATA_KEY:
            raise KeyMissing(f"the key store has no key {key_id.hex()}")
        key = self._unwrapping(entry).data_key(entry)
        self._open[key_id] = path, offset, key
        if len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)
        return key

    def _find(self, entry_id: bytes) -> tuple[Path, int, KeyEntry]:
        damaged: Path | None = None
        for path in key_files(self._data_dir):
            for offset, entry in _places(path, entry_id):
                if entry is not None:
                    return path, offset, entry
                damaged = path
        if damaged is not None:
            raise KeyMissing(f"the entry of the key {entry_id.hex()} in {damaged} is damaged: restore the key store")
        raise KeyMissing(f"the key store has no key {entry_id.hex()}: restore its backup")

    def _unwrapping(self, entry: KeyEntry) -> Wrapping:
        if self._wrapping is None or not self._wrapping.knows(entry.root):
            self._wrapping = self._unlocked()
        return self._wrapping

    def _unlocked(self) -> Wrapping:
        try:
            return Wrapping(self._unlock())
        except VaultUnusable as error:
            raise KeyMissing(str(error)) from None


def _places(path: Path, entry_id: bytes) -> list[tuple[int, KeyEntry | None]]:
    """Return where a file has entries of an id, the newest first; None for one that is damaged."""
    found: list[tuple[int, KeyEntry | None]] = []
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            place = data.rfind(entry_id)
            while place >= 0:
                offset = place - ID_AT
                if offset >= SLOT and offset % SLOT == 0:
                    placed = entry_at(data[offset : offset + _longest(data, offset)], 0)
                    if placed is not None and (placed.entry is None or placed.entry.id == entry_id):
                        found.append((offset, placed.entry))
                place = data.rfind(entry_id, 0, place + len(entry_id) - 1)
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise KeyMissing(f"the key store {path} cannot be read: {error}") from None
    return found


def _longest(data: mmap.mmap, offset: int) -> int:
    return min(MOST_SLOTS * SLOT, len(data) - offset)


def _is_there(path: Path, offset: int, key: DataKey) -> bool:
    """Whether a file still has a key where it was found: an erasure in another process takes it away."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            placed = entry_at(file.read(SLOT), 0)
    except OSError:
        return False
    entry = placed.entry if placed is not None else None
    return entry is not None and entry.kind == DATA_KEY and entry.id == key.key_id
