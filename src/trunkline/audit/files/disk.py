"""The file operations that a log is written with: the one place where they are, so that each can be made to fail."""

import errno
import os
from pathlib import Path

FILE_MODE = 0o600
SEALED_MODE = 0o400
DIRECTORY_MODE = 0o700
# Written at once when a file is filled with zeros: little enough that a flush of records never waits long behind it.
FILL_BYTES = 1 << 20
_ZEROS = bytes(FILL_BYTES)


class Disk:
    """Plain POSIX. Every method raises OSError and none tries again."""

    def create(self, path: Path) -> int:
        """Create a file for reading and writing and return its descriptor; what was there before is gone."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)

    def open(self, path: Path) -> int:
        """Open a file for reading and writing."""
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def close(self, fd: int) -> None:
        """Close a descriptor."""
        os.close(fd)

    def allocate(self, fd: int, size: int) -> None:
        """Give a file its blocks; this is where a full disk shows."""
        os.posix_fallocate(fd, 0, size)

    def fill(self, fd: int, offset: int, length: int) -> None:
        """Write zeros without flushing them, at most FILL_BYTES."""
        self.write(fd, _ZEROS[:length], offset)

    def write(self, fd: int, data: bytes, offset: int) -> None:
        """Write without flushing."""
        _write_whole(fd, data, offset, 0)

    def write_durably(self, fd: int, data: bytes, offset: int) -> None:
        """Write and flush, as pwrite and one fdatasync: a single call, for which a thread lets go of the lock once."""
        _write_whole(fd, data, offset, os.RWF_DSYNC)

    def truncate(self, fd: int, size: int) -> None:
        """Cut a file; durable with the next `sync`."""
        os.ftruncate(fd, size)

    def make_read_only(self, fd: int) -> None:
        """Take the right to write from a file; durable with the next `sync`."""
        os.fchmod(fd, SEALED_MODE)

    def sync(self, fd: int) -> None:
        """Flush a file's data, length and mode."""
        os.fsync(fd)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file its name, durably; both are in one directory."""
        source.rename(target)
        sync_directory(target.parent)

    def forget(self, path: Path) -> None:
        """Let the kernel use the memory in which it keeps a flushed file's bytes for something else."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)

    def free_bytes(self, path: Path) -> int:
        """Return how much room there is for us where this path is."""
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize


def sync_directory(path: Path) -> None:
    """Flush the names in a directory."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write_whole(fd: int, data: bytes, offset: int, flags: int) -> None:
    written = os.pwritev(fd, (data,), offset, flags)
    rest = memoryview(data)[written:]
    while rest:
        if written <= 0:
            raise OSError(errno.EIO, "the kernel took nothing of a write")
        offset += written
        written = os.pwritev(fd, (rest,), offset, flags)
        rest = rest[written:]
