"""The files of one log: a segment that is written, the next one made ready ahead of need, and the sealed ones."""

import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from trunkline.audit.files.disk import FILL_BYTES, Disk
from trunkline.audit.files.settings import LogFailed, LogSettings
from trunkline.audit.format.segment import (
    HEADER_BYTES,
    SALT_BYTES,
    SEAL_BYTES,
    BadHeader,
    BatchHead,
    Header,
    Seal,
    decode_header,
    encode_batch_head,
    encode_header,
    encode_seal,
)

SUFFIX: Final = ".seg"
FILLING: Final = "next.filling"
READY: Final = "next.ready"
# Between two pieces of zeros, so that filling the next segment leaves the disk to the flushes of this one.
FILL_PAUSE: Final = 0.004
# Segments that stay in memory, the one that is written and the one before, for whoever follows the log closely. The
# next one is filled in the memory of the one that was sealed before these: fresh memory is the dearest part of filling,
# above all on a virtual machine, and a log that took ever more would push out what others read.
IN_MEMORY: Final = 2
CLOSED: Final = -1


def segment_path(directory: Path, first_index: int) -> Path:
    """Return where the segment is that begins with this index."""
    return directory / f"{first_index:020d}{SUFFIX}"


def first_index_of(path: Path) -> int:
    """Return the index that a segment begins with, from its name."""
    return int(path.name.removesuffix(SUFFIX))


def segments_of(directory: Path) -> list[Path]:
    """Return a log's segments, oldest first."""
    return sorted(path for path in directory.glob(f"*{SUFFIX}") if path.stem.isdecimal())


class Segment:
    """The segment that is written. `offset` is where the next batch goes; used by one thread."""

    def __init__(self, path: Path, fd: int, header: Header, offset: int, disk: Disk) -> None:
        self.path, self.header, self.offset = path, header, offset
        self.first_index = first_index_of(path)
        self._fd, self._disk = fd, disk

    def write(self, frames: list[bytes], first_index: int, records: int) -> None:
        """Write a batch and flush it. Raises OSError, which is final."""
        start = self.offset
        head = BatchHead(start, start, first_index, sum(map(len, frames)), records)
        data = b"".join((encode_batch_head(head, self.header.salt), *frames))
        self._disk.write_durably(self._fd, data, start)
        self.offset = start + len(data)

    def mark(self, next_index: int) -> None:
        """Say, without flushing it, that all up to here is durable, so that a reader need not wait for a batch."""
        head = BatchHead(self.offset, self.offset, next_index, 0, 0)
        self._disk.write(self._fd, encode_batch_head(head, self.header.salt), self.offset)

    def seal(self, sealed_record: int, next_index: int) -> None:
        """Write the seal behind `log.sealed`, the frame at this offset; cut, lock and flush the file.

        The seal claims all before it to be durable, so it may not be written together with any of that.
        """
        seal = encode_seal(Seal(self.offset, sealed_record, next_index), self.header.salt)
        self._disk.write(self._fd, seal, self.offset)
        self._disk.truncate(self._fd, self.offset + SEAL_BYTES)
        self._disk.make_read_only(self._fd)
        self._disk.sync(self._fd)
        self.close()

    def cut(self, torn: int) -> None:
        """Put zeros over this many bytes from `offset` on, and flush whatever an earlier writer did not."""
        for start in range(self.offset, self.offset + torn, FILL_BYTES):
            self._disk.fill(self._fd, start, min(FILL_BYTES, self.offset + torn - start))
        self._disk.sync(self._fd)

    def close(self) -> None:
        """Let go of the file as it is."""
        fd, self._fd = self._fd, CLOSED
        if fd != CLOSED:
            self._disk.close(fd)


class NextSegment:
    """Makes the next segment ready in a thread: its blocks taken, zeros in them, its header written, all flushed.

    A flush into such a file changes no metadata and is cheaper, and a full disk shows here, not under a record.
    """

    def __init__(
        self, directory: Path, origin: str, settings: LogSettings, clock: Callable[[], int], disk: Disk
    ) -> None:
        self._directory, self._origin, self._settings = directory, origin, settings
        self._clock, self._disk = clock, disk
        self._making: threading.Thread | None = None
        self._hurry = threading.Event()  # somebody waits for it, as at the start, or wants to end
        self._hurry.set()
        self._ended = False
        self._taken: deque[Path] = deque()

    def prepare(self, on_failed: Callable[[str], None]) -> None:
        """Begin to make a segment ready; `on_failed` is called from the thread."""
        self._hurry.clear()
        self._making = threading.Thread(target=self._prepare, args=(on_failed,), name="next-segment", daemon=True)
        self._making.start()

    def take(self, first_index: int) -> Segment:
        """Return the next segment under its name, made now if it wasn't; raises LogFailed or OSError."""
        self._settle()
        ready = self._directory / READY
        header = self._ready_header(ready)
        if header is None:
            header = self._make()
        path = segment_path(self._directory, first_index)
        self._disk.rename(ready, path)
        self._taken.append(path)
        return Segment(path, self._disk.open(path), header, HEADER_BYTES, self._disk)

    def end(self) -> None:
        """Stop making a segment ready; what was begun is begun again by the next start."""
        self._ended = True
        self._settle()

    def _settle(self) -> None:
        self._hurry.set()
        if self._making is not None:
            self._making.join()
            self._making = None

    def _prepare(self, on_failed: Callable[[str], None]) -> None:
        try:
            self._forget()
            if self._ready_header(self._directory / READY) is None:
                self._make()
        except (OSError, LogFailed) as error:
            on_failed(f"the next segment cannot be made ready: {error}")

    def _forget(self) -> None:
        while len(self._taken) > IN_MEMORY:
            with suppress(OSError):  # archived meanwhile, say; what is only advice fails no log
                self._disk.forget(self._taken.popleft())

    def _ready_header(self, ready: Path) -> Header | None:
        """Return the header of a segment that was made ready, None if there is none of the right kind."""
        try:
            with ready.open("rb") as file:
                header = decode_header(file.read(HEADER_BYTES))
                size = os.fstat(file.fileno()).st_size
        except (FileNotFoundError, BadHeader):
            return None
        return header if header.origin == self._origin and size == self._settings.segment_bytes else None

    def _make(self) -> Header:
        size = self._settings.segment_bytes
        free = self._disk.free_bytes(self._directory)
        if free < size + self._settings.min_free_bytes:
            raise LogFailed(f"the disk is nearly full: {free} bytes are free")
        header = Header(self._origin, self._clock(), os.urandom(SALT_BYTES))
        filling = self._directory / FILLING
        fd = self._disk.create(filling)
        try:
            self._disk.allocate(fd, size)
            for offset in range(0, size, FILL_BYTES):
                self._disk.fill(fd, offset, min(FILL_BYTES, size - offset))
                if self._ended:
                    return header
                if not self._hurry.is_set():  # little by little, beside the flushes of the current segment
                    self._disk.sync(fd)
                    self._hurry.wait(FILL_PAUSE)
            self._disk.write(fd, encode_header(header), 0)
            self._disk.sync(fd)
        finally:
            self._disk.close(fd)
        self._disk.rename(filling, self._directory / READY)
        return header
