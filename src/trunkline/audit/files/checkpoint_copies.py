"""Copies of the checkpoint that covers all logs, in a place that is not the gateway's.

Whoever owns the disk and the key could write another history, or put a whole directory back to an earlier day. What was
copied elsewhere before does not fit that. Each copy is a file of its own, never written again, below a directory of its
day: `<place>/<origin>/2027-06-30/00000000000000004711`, named by how many records control's log had.
"""

import os
from collections.abc import Iterator
from errno import ENOENT
from pathlib import Path

from trunkline.audit.files.directories import make_private_directory
from trunkline.audit.files.disk import sync_directory
from trunkline.audit.format.notes import MAX_NOTE

DIGITS = 20


class CopyDiffers(Exception):
    """Another checkpoint of as many records has been copied before: there are two histories."""


def keep_copy(place: Path, origin: str, size: int, day: str, note: str) -> None:
    """Copy the checkpoint of a log of so many records; one that is there already stays. Raises CopyDiffers, OSError."""
    directory = place / origin / day
    if not place.is_dir():  # made here, it would be on the very disk that it is to be apart from
        raise FileNotFoundError(ENOENT, "the place is not there, or not mounted", str(place))
    if not directory.is_dir():
        _make(directory)
    path = directory / f"{size:0{DIGITS}d}"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
    except FileExistsError:
        found = read_copy(path)
        if found != note and not note.startswith(found):  # one that was cut short by a crash says nothing else
            raise CopyDiffers(f"{path} is another checkpoint of {size:,} records") from None
        return
    try:
        with os.fdopen(fd, "wb", closefd=False) as file:
            file.write(note.encode())
        os.fsync(fd)
    finally:
        os.close(fd)
    sync_directory(directory)


def copies_in(place: Path, deployment: str) -> Iterator[Path]:
    """Yield the copies of a deployment's checkpoints, the oldest first. Raises OSError."""
    for path in sorted((place / deployment).glob(f"*/*/*/{'[0-9]' * DIGITS}")):
        if path.is_file():
            yield path


def read_copy(path: Path) -> str:
    """Return what a copy says; bytes that are no text are replaced. Raises OSError."""
    with path.open("rb") as file:
        return file.read(MAX_NOTE + 1).decode(errors="replace")


def _make(directory: Path) -> None:
    """Make a directory, and those above it that are missing, so that a power cut leaves them."""
    if not directory.parent.is_dir():
        _make(directory.parent)
    make_private_directory(directory)
    sync_directory(directory.parent)
