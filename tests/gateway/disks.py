"""Disks that a test can make hang or fail, in place of the one that the log is written to."""

import errno
import threading

from trunkline.audit.files.disk import Disk


class HangingDisk(Disk):
    """Writes nothing durably while it hangs, or nothing that has these bytes in it."""

    def __init__(self, before: bytes = b"") -> None:
        self._before = before
        self._going = threading.Event()
        self._going.set()

    def hang(self) -> None:
        self._going.clear()

    def go_on(self) -> None:
        self._going.set()

    def write_durably(self, fd: int, data: bytes, offset: int) -> None:
        if self._before in data:
            self._going.wait()
        super().write_durably(fd, data, offset)


class FailingDisk(Disk):
    """From `fail` on, fails every durable write, or every one that has these bytes in it."""

    def __init__(self, at: bytes = b"") -> None:
        self._at = at
        self._failing = False

    def fail(self) -> None:
        self._failing = True

    def write_durably(self, fd: int, data: bytes, offset: int) -> None:
        if self._failing and self._at in data:
            raise OSError(errno.EIO, "the disk is broken")
        super().write_durably(fd, data, offset)
