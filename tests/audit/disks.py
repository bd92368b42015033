"""Disks that fail: the real one, with a fault at a chosen operation."""

import errno
import os
import threading
from pathlib import Path

from trunkline.audit.files.disk import Disk

OPERATIONS = (
    "create",
    "open",
    "allocate",
    "fill",
    "write",
    "write_durably",
    "truncate",
    "make_read_only",
    "sync",
    "rename",
    "free_bytes",
)


class FailingDisk(Disk):
    """Fails the n-th (from 0) use of one operation and all after it; a write that fails has been done by half."""

    def __init__(self, operation: str, after: int, error: int = errno.EIO) -> None:
        self.failed = False
        self._error, self._left = error, after
        real = getattr(self, operation)

        def faulty(*arguments):
            self._left -= 1
            if self._left >= 0:
                return real(*arguments)
            self.failed = True
            if operation in ("write", "write_durably"):
                fd, data, offset = arguments
                os.pwrite(fd, data[: len(data) // 2], offset)
            raise OSError(self._error, os.strerror(self._error))

        setattr(self, operation, faulty)


class HangingDisk(Disk):
    """Once told to, does not answer a flush until it is released."""

    def __init__(self) -> None:
        self.hangs = threading.Event()
        self.released = threading.Event()

    def write_durably(self, fd: int, data: bytes, offset: int) -> None:
        if self.hangs.is_set():
            self.released.wait(30)
        super().write_durably(fd, data, offset)


class SlowDisk(Disk):
    """Lets a flush begin only when the test says so, so that what waits can be counted."""

    def __init__(self) -> None:
        self.gate = threading.Semaphore(1_000_000)
        self.entered = threading.Event()
        self.flushed: list[bytes] = []

    def close_gate(self) -> None:
        self.gate = threading.Semaphore(0)
        self.entered.clear()

    def write_durably(self, fd: int, data: bytes, offset: int) -> None:
        gate = self.gate
        self.entered.set()
        gate.acquire(timeout=30)
        super().write_durably(fd, data, offset)
        self.flushed.append(data)


class FullDisk(Disk):
    """Says how much room there is, as it is told."""

    def __init__(self, free: int) -> None:
        self.free = free

    def free_bytes(self, path: Path) -> int:
        return self.free


class ForgettingDisk(Disk):
    """Keeps the names of the files whose bytes were let go from memory; with `error`, none can be."""

    def __init__(self, error: int = 0) -> None:
        self.forgotten = []
        self._error = error

    def forget(self, path: Path) -> None:
        self.forgotten.append(path.name)
        if self._error:
            raise OSError(self._error, os.strerror(self._error))
        super().forget(path)
