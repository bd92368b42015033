"""What can be set about a log, and the two ways in which one can fail."""

from pathlib import Path

import msgspec

from trunkline.audit.format.codecs import ZSTD_LEAST


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes are bytes, times seconds. The defaults suit a worker at thousands of calls a second."""

    segment_bytes: int = 64 << 20
    segment_age: float = 86_400.0
    min_free_bytes: int = 256 << 20  # with less room on the disk the log takes nothing more
    queue_bytes: int = 64 << 20  # what may wait for the disk
    flush_bound: float = 5.0  # a flush that takes longer means a disk that hangs
    heartbeat_every: float = 10.0
    compress_from: int = ZSTD_LEAST  # smaller bodies are stored as they are: more room on the disk, less time


class LogFailed(Exception):
    """The log does not take a record, or cannot say that it is durable; the call must not be answered."""


class CorruptLog(Exception):
    """Bytes of a log that had been durable are damaged or missing; `offset` is where, in `file`."""

    def __init__(self, file: Path, offset: int, reason: str) -> None:
        super().__init__(f"{file} is damaged at offset {offset}: {reason}")
        self.file, self.offset, self.reason = file, offset, reason
