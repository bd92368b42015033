"""A segment that is read, sealed or not, by recovery and by readers."""

import os
from pathlib import Path
from typing import Self

from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.segment import HEADER_BYTES, SEAL_BYTES, BadHeader, Seal, decode_header, decode_seal


class SegmentFile:
    """An open segment. Raises CorruptLog if it is missing or its header damaged, OSError if it can't be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise CorruptLog(path, 0, "the segment is missing") from None
        try:
            self.header = decode_header(self.read(0, HEADER_BYTES))
        except BadHeader as error:
            os.close(self._fd)
            raise CorruptLog(path, 0, str(error)) from None

    @property
    def size(self) -> int:
        """The length of the file; sealing cuts it."""
        return os.fstat(self._fd).st_size

    def read(self, offset: int, length: int) -> bytes:
        """Return what stands there; less only at the end of the file."""
        return os.pread(self._fd, length, offset) if offset >= 0 else b""

    def seal(self) -> Seal | None:
        """Return the seal at the end of the file, None if there is none."""
        offset = self.size - SEAL_BYTES
        return decode_seal(self.read(offset, SEAL_BYTES), self.header.salt, offset)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
