"""The names in the key files, followed: what other processes add to them, and what an erasure takes away."""

import mmap
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from trunkline.audit.files.vault.key_file import key_files
from trunkline.audit.format.key_entries import MOST_SLOTS, NAME, SLOT, KeyEntry, entry_at
from trunkline.audit.format.pseudonyms import kind_and_name, pseudonym
from trunkline.audit.format.sealing import KeyMissing

LONGEST: Final = MOST_SLOTS * SLOT
SETTLED_NS: Final = 1_000_000_000


class _File:
    """How far a file was read, what its slots began with then, the digests of the names in it, what was damaged."""

    def __init__(self) -> None:
        self.changed = (0, 0)
        self.end = SLOT
        self.kinds = b""
        self.digests: set[bytes] = set()
        self.damaged: set[int] = set()


class StoredNames:
    """For one thread. `name_in` unwraps an entry, or raises KeyMissing."""

    def __init__(self, data_dir: Path, name_in: Callable[[KeyEntry], str]) -> None:
        self._data_dir, self._name_in = data_dir, name_in
        self._files: dict[Path, _File] = {}
        self._names: dict[bytes, tuple[str, str]] = {}

    def changes(self) -> tuple[dict[str, str], set[str]]:
        """Return the pseudonyms that have a name since the last time, with it, and those that have none any more."""
        added: dict[str, str] = {}
        lost: set[bytes] = set()
        for path in key_files(self._data_dir):
            file = self._files.setdefault(path, _File())
            with suppress(OSError, ValueError, KeyMissing):  # next time, or never: pseudonyms are shown
                self._read(path, file, added, lost)
        gone = {digest for digest in lost if not any(digest in file.digests for file in self._files.values())}
        return added, {self._names.pop(digest)[0] for digest in gone if digest in self._names}

    def _read(self, path: Path, file: _File, added: dict[str, str], lost: set[bytes]) -> None:
        status = path.stat()
        changed = (status.st_mtime_ns, status.st_size)
        if changed == file.changed:
            return
        with path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data[SLOT : file.end : SLOT] != file.kinds or any(_is_whole(data, place) for place in file.damaged):
                lost |= file.digests  # something before that has been destroyed, or written to its end
                file.end, file.digests, file.damaged = SLOT, set(), set()
            while file.end < len(data):
                placed = entry_at(data[file.end : file.end + LONGEST], 0)
                if placed is None:
                    break
                if placed.entry is None:
                    file.damaged.add(file.end)  # or being written
                if placed.entry is not None and placed.entry.kind == NAME:
                    self._take(placed.entry, added)
                    file.digests.add(placed.entry.person)
                file.end += placed.end
            file.kinds = data[SLOT : file.end : SLOT]
        # A file that was changed just now may be changed again within the same tick of its clock.
        if not file.damaged and time.time_ns() - status.st_mtime_ns > SETTLED_NS:
            file.changed = changed

    def _take(self, entry: KeyEntry, added: dict[str, str]) -> None:
        known = self._names.get(entry.person)
        if known is None:
            kind, name = kind_and_name(self._name_in(entry))
            known = self._names[entry.person] = pseudonym(kind, entry.person), name
            added[known[0]] = name


def _is_whole(data: mmap.mmap, offset: int) -> bool:
    placed = entry_at(data[offset : offset + LONGEST], 0)
    return placed is not None and placed.entry is not None
