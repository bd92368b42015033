"""The file of the keys that one process has made: appended to before the batch that needs them, changed by erasures.

It is made longer by zeros ahead of need, like a segment, so that adding an entry is one flush. What an erasure does to
an entry (`erasing`) it does in that entry's place, and never beyond what has been appended.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from trunkline.audit.files.directories import make_private_directory
from trunkline.audit.files.disk import FILE_MODE, Disk
from trunkline.audit.files.vault.key_encryption import VaultUnusable
from trunkline.audit.files.vault.root_keys import VAULT
from trunkline.audit.format.key_entries import DESTROYED, HEADER, SLOT, KeyEntry, destroyed, entries

SUFFIX: Final = ".keys"
LOCK: Final = "lock"
ROOM: Final = 64 << 10  # bytes of zeros that are made at a time


class Opened(NamedTuple):
    """A file that was opened, what it has, and how many bytes of a torn write were cut."""

    file: "KeyFile"
    entries: list[KeyEntry]
    cut_bytes: int


def key_files(data_dir: Path) -> list[Path]:
    """Return all key files of a data directory."""
    return sorted((data_dir / VAULT).glob(f"*/*{SUFFIX}"))


def key_file_path(data_dir: Path, node: str, process: str) -> Path:
    """Return where the keys of a process are."""
    return data_dir / VAULT / node / f"{process}{SUFFIX}"


@contextmanager
def locked(vault: Path) -> Iterator[None]:
    """Hold the lock of a vault: whoever opens a file to write, or destroys keys, waits for the other."""
    make_private_directory(vault)
    fd = os.open(vault / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


class KeyFile:
    """Appends entries; for one thread. Raises OSError, and then is not to be used any more."""

    def __init__(self, fd: int, end: int, size: int, disk: Disk) -> None:
        self.end = end
        self._fd, self._size, self._disk = fd, size, disk

    @classmethod
    def open(cls, path: Path, disk: Disk) -> Opened:
        """Open the file, or make it; cut what was never acknowledged, and finish what an erasure had begun.

        Raises OSError, and VaultUnusable if it is no key file.
        """
        make_private_directory(path.parent)
        with locked(path.parent.parent):
            if not path.exists():
                _make(path, disk)
            data = path.read_bytes()
            if not data.startswith(HEADER):
                raise VaultUnusable(f"{path} is no key file, or damaged: restore its backup")
            found = list(entries(data))
            whole = [placed for placed in found if placed.entry is not None]
            end = whole[-1].end if whole else SLOT
            torn = data[end:].rstrip(b"\0")
            file = cls(disk.open(path), end, len(data), disk)
            try:
                if torn:
                    disk.write_durably(file._fd, bytes(len(torn)), end)
                for placed in whole:
                    if placed.entry is not None and placed.entry.kind == DESTROYED:
                        file._finish(data[placed.offset : placed.end], placed.offset)
            except OSError:
                file.close()
                raise
        return Opened(file, [placed.entry for placed in whole if placed.entry is not None], len(torn))

    def append(self, data: bytes) -> None:
        """Add entries, durably."""
        while self.end + len(data) > self._size:
            self._disk.fill(self._fd, self._size, ROOM)
            self._disk.sync(self._fd)
            self._size += ROOM
        self._disk.write_durably(self._fd, data, self.end)
        self.end += len(data)

    def close(self) -> None:
        """Let go of the file."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self._disk.close(fd)

    def _finish(self, data: bytes, offset: int) -> None:
        """Take what a power cut left of an entry that was being destroyed."""
        left = destroyed(data)
        if data != left:
            self._disk.write_durably(self._fd, left, offset)


def destroy(path: Path, chosen: Callable[[KeyEntry], bool], upto: int | None) -> list[KeyEntry]:
    """Destroy the entries of a file that are chosen, durably; return what they were. `upto` is where to stop.

    The caller holds the vault's lock. Raises OSError.
    """
    gone: list[KeyEntry] = []
    behind: list[tuple[int, bytes]] = []
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        data = os.pread(fd, os.fstat(fd).st_size, 0)
        for placed in entries(data[:upto] if upto is not None else data):
            entry = placed.entry
            if entry is None or (entry.kind != DESTROYED and not chosen(entry)):
                continue
            before, left = data[placed.offset : placed.end], destroyed(data[placed.offset : placed.end])
            if entry.kind != DESTROYED:
                os.pwrite(fd, left[:SLOT], placed.offset)
                gone.append(entry)
            if before[SLOT:] != left[SLOT:]:
                behind.append((placed.offset + SLOT, left[SLOT:]))
        os.fsync(fd)  # first that an entry is gone, then what else it took: a power cut leaves nothing half said
        for offset, zeros in behind:
            os.pwrite(fd, zeros, offset)
        if behind:
            os.fsync(fd)
    finally:
        os.close(fd)
    return gone


def _make(path: Path, disk: Disk) -> None:
    draft = path.with_name(f"{path.name}.draft")
    fd = disk.create(draft)
    try:
        disk.fill(fd, 0, ROOM)
        disk.write(fd, HEADER, 0)
        disk.sync(fd)
    finally:
        disk.close(fd)
    disk.rename(draft, path)
