"""A file that is there whole or not at all, and never in the place of another one."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from trunkline.cli.failure import Failed


class NewFile:
    """A file that is being written; `size` and `digest` (SHA-256, in hex) are of what it has."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._hash, self.size = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        """Add bytes."""
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    @property
    def digest(self) -> str:
        """The SHA-256 so far."""
        return self._hash.hexdigest()


@contextmanager
def new_file(path: Path) -> Iterator[NewFile]:
    """Make a file for nobody but us: under its name, and on the disk, when the context ends well; else there is none.

    Raises Failed where there is one already, or it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.exists():
            raise Failed(f"{path} is there already: name another file")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield NewFile(file)
                file.flush()
                os.fsync(file.fileno())
            _name(temporary, path)
        finally:
            with suppress(OSError):
                temporary.unlink()
    except OSError as error:
        raise Failed(f"{path} cannot be written: {error.strerror}") from None


def _name(temporary: Path, path: Path) -> None:
    """Give a file its name, unless something has it by now."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        raise Failed(f"{path} is there already: name another file") from None
    except OSError:  # not every file system has hard links
        temporary.rename(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
