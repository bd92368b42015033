"""Disks that a test can make hang or fail, in place of the one that the log is written to."""

import errno
import threading

from trunkline.audit.files.disk import Disk


class HangingDisk(Disk):
    """Writes nothing durably while it hangs."""

    def __init__(self) -> None:
        self._going = threading.Event()
        self._going.set()

    def hang(self) -> None:
        self._going.clear()

    def go_on(self) -> None:
        self._going.set()

    def write_durably(self, fd: int, data: bytes, offset: int) -> None:
        self._going.wait()
        super().write_durably(fd, data, offset)


class FailingDisk(Disk):
    """Fails every durable write from `fail` on."""

    def __init__(self) -> None:
        self._failing = False

    def fail(self) -> None:
        self._failing = True

    def write_durably(self, fd: int, data: bytes, offset: int) -> None:
        if self._failing:
            raise OSError(errno.EIO, "the disk is broken")
        super().write_durably(fd, data, offset)
