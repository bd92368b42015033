"""The names of users and subjects: in memory alone, beside an index and records that have their pseudonyms."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from re import Match
from threading import Lock

import msgspec

from trunkline.audit.files.vault.stored_names import StoredNames
from trunkline.audit.format.sealing import OpeningKeys
from trunkline.model.names import PSEUDONYM

_encode = msgspec.json.Encoder().encode


class People:
    """What the key store knows by now; for any number of threads. Without keys nobody has a name but in clear."""

    def __init__(self, data_dir: Path, keys: OpeningKeys) -> None:
        self._stored = StoredNames(data_dir, keys.name_in)
        self._names: dict[str, str] = {}
        self._added: dict[str, str] = {}
        self._gone: set[str] = set()
        self._turn = Lock()

    def refresh(self) -> None:
        """Take up what was added, and let go of what has been erased."""
        with self._turn:
            added, gone = self._stored.changes()
            for written in gone:
                self._names.pop(written, None)
                self._added.pop(written, None)
            self._names |= added
            self._added |= added
            self._gone |= gone

    def taken(self, *, everything: bool) -> tuple[dict[str, str], set[str]]:
        """Return what was added and erased since the last time, or everything."""
        with self._turn:
            added, gone = dict(self._names) if everything else self._added, self._gone
            self._added, self._gone = {}, set()
            return added, gone

    def name_of(self, written: str | None) -> str | None:
        """Return a name that a record or a row has: the person's, or as it is where that is not known."""
        return None if written is None else self._names.get(written, written)

    def in_text(self, text: str) -> str:
        """Return a text of ours with names in the place of pseudonyms."""
        return PSEUDONYM.sub(lambda found: self._names.get(found.group(), found.group()), text)

    def names_in(self, record: bytes) -> dict[str, str]:
        """Return the names of the pseudonyms in a record."""
        if b"~" not in record:
            return {}
        found = PSEUDONYM.findall(record.decode())
        return {written: self._names[written] for written in found if written in self._names}

    def in_record(self, record: bytes) -> bytes:
        """Return a record with names in the place of pseudonyms."""
        names = self.names_in(record)
        if not names:
            return record

        def name(found: Match[str]) -> str:
            known = names.get(found.group())
            return found.group() if known is None else _encode(known)[1:-1].decode()

        return PSEUDONYM.sub(name, record.decode()).encode()

    @contextmanager
    def listed(self) -> Iterator[int]:
        """Hand out a file in memory with all names, for another process to read."""
        with self._turn:
            lines = name_lines(self._names)
        fd = os.memfd_create("trunkline-people")
        try:
            write(fd, lines)
            yield fd
        finally:
            os.close(fd)


def name_lines(names: dict[str, str]) -> bytes:
    """Return the lines in which DuckDB is told names."""
    return b"\n".join(_encode({"written": written, "name": name}) for written, name in names.items())


def write(fd: int, data: bytes) -> None:
    """Write a file in memory in the place of what was there."""
    os.ftruncate(fd, 0)
    written = 0
    while written < len(data):
        written += os.pwrite(fd, memoryview(data)[written:], written)
