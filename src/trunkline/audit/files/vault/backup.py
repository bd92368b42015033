"""The key store in one file, and back: a tar archive of the files of `vault/`, without the key that wraps them.

What is restored is put together with what is there: an entry that either has is there afterwards, and one that has been
destroyed stays so. What was destroyed since the backup was made, the caller destroys again, as the log says.
"""

import io
import os
import tarfile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from trunkline.audit.files.directories import make_private_directory
from trunkline.audit.files.disk import FILE_MODE
from trunkline.audit.files.vault.key_encryption import VaultUnusable, replace_file
from trunkline.audit.files.vault.key_file import SUFFIX, key_files, locked
from trunkline.audit.files.vault.root_keys import ROOTS, VAULT, RootFile, decode_roots, encode_roots, roots_path
from trunkline.audit.format.key_entries import DESTROYED, HEADER, entries

MOST_BYTES = 1 << 30  # of a file in a backup
DEPTH = 2  # of a key file's path below `vault/`


class Restored(NamedTuple):
    """How many entries the key store has got from a backup, and how many files were looked at."""

    entries: int
    files: int


def back_up(data_dir: Path, target: Path) -> int:
    """Write the key store to a new file; return how many files are in it. Raises VaultUnusable, OSError."""
    with locked(data_dir / VAULT):
        contents = {ROOTS: roots_path(data_dir).read_bytes()}
        for path in key_files(data_dir):
            contents[path.relative_to(data_dir / VAULT).as_posix()] = path.read_bytes().rstrip(b"\0")
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(fd, "wb") as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            for name, data in contents.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(data), FILE_MODE
                archive.addfile(entry, io.BytesIO(data))
        file.flush()
        os.fsync(file.fileno())
    return len(contents)


def restore(data_dir: Path, source: Path) -> Restored:
    """Put the key store of a backup together with the one that is there; nobody may write to it meanwhile.

    Raises VaultUnusable, OSError.
    """
    contents = _read(source)
    added = 0
    with locked(data_dir / VAULT):
        path = roots_path(data_dir)
        present = decode_roots(path.read_bytes(), path) if path.exists() else None
        roots = decode_roots(contents.pop(ROOTS), source)
        replace_file(path, encode_roots(_together(present, roots)))
        for name, data in contents.items():
            target = data_dir / VAULT / name
            make_private_directory(target.parent)
            found, news = _merged(target.read_bytes() if target.exists() else b"", data)
            added += news
            if news:
                replace_file(target, found)
    return Restored(added, len(contents))


def _read(source: Path) -> dict[str, bytes]:
    """Return the files of a backup. Raises VaultUnusable where it is none, OSError."""
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(source, mode="r:") as archive:
            for entry in archive:
                place = PurePosixPath(entry.name)
                known = entry.name == ROOTS or (
                    len(place.parts) == DEPTH and place.suffix == SUFFIX and ".." not in place.parts
                )
                file = archive.extractfile(entry) if known and entry.isfile() and entry.size <= MOST_BYTES else None
                if file is None:
                    raise VaultUnusable(f"{source} is no backup of a key store: it has `{entry.name[:100]}` in it")
                contents[entry.name] = file.read()
    except tarfile.TarError as error:
        raise VaultUnusable(f"{source} is no backup of a key store: {error}") from None
    if ROOTS not in contents:
        raise VaultUnusable(f"{source} is no backup of a key store: it has no {ROOTS}")
    for name, data in contents.items():
        if name != ROOTS and not data.ljust(len(HEADER), b"\0").startswith(HEADER):
            raise VaultUnusable(f"{source} is damaged: {name} is no key file")
    return contents


def _together(present: RootFile | None, backup: RootFile) -> RootFile:
    """Return the root keys of both: those that are there as they are, for they may be wrapped with a newer key."""
    if present is None:
        return backup
    known = {root.id for root in present.roots}
    older = tuple(root for root in backup.roots if root.id not in known)
    return RootFile(present.format, (*older, *present.roots), present.persons)


def _merged(present: bytes, backup: bytes) -> tuple[bytes, int]:
    """Return the entries of both, and how many the backup adds."""
    ours = [placed for placed in entries(present) if placed.entry is not None]
    known = {placed.entry.id for placed in ours if placed.entry is not None}
    data = backup + bytes(-len(backup) % len(HEADER))
    theirs = [
        placed
        for placed in entries(data)
        if placed.entry is not None and placed.entry.kind != DESTROYED and placed.entry.id not in known
    ]
    pieces = [HEADER, *(present[one.offset : one.end] for one in ours), *(data[one.offset : one.end] for one in theirs)]
    return b"".join(pieces), len(theirs)
