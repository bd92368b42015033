"""Following a log in bulk: whole batches of records as they were written, for whoever reads all of them.

The same promise as `reader`: what the log claims to be durable, in order, each record once. Nothing of a record is
decoded here, so that a reader who does it himself pays for it once.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from trunkline.audit.files.reader import read_body
from trunkline.audit.files.segment_file import SegmentFile
from trunkline.audit.files.segments import first_index_of, segment_path, segments_of
from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.bodies import StoredBody, parts_of
from trunkline.audit.format.codecs import BadBody
from trunkline.audit.format.frames import RECORD
from trunkline.audit.format.lookup import find_body, read_frame
from trunkline.audit.format.references import BodyRef
from trunkline.audit.format.scan import Batch, DurableBytesLost, Scan
from trunkline.audit.format.sealing import NO_KEYS, OpeningKeys
from trunkline.audit.format.segment import HEADER_BYTES

# A body stands in front of its record, mostly in the same batch: looked for so far before it, in bytes, then farther,
# before the whole segment is read.
NEARBY: tuple[int, ...] = (64 << 10, 2 << 20)


class Position(NamedTuple):
    """Where the next batch begins: the first index of its segment, and its offset in that."""

    segment: int
    offset: int


class StoredBatch(NamedTuple):
    """The records of a batch with the offsets of their frames; `following` is where to go on after it."""

    segment: int
    records: list[tuple[bytes, int]]
    following: Position


class BatchReader:
    """Follows one log from a position on, from the oldest segment that is there if none is given. For one thread."""

    def __init__(self, directory: Path, start: Position | None = None) -> None:
        self.directory = directory
        self.position = start
        self._file: SegmentFile | None = None

    @property
    def origin(self) -> str | None:
        """The origin of the log, None where it has no segment yet."""
        file = self._open()
        return file.header.origin if file is not None else None

    def poll(self) -> Iterator[StoredBatch]:
        """Yield the batches that have become durable since the last time; may be left after any.

        Raises CorruptLog where bytes that had been durable are damaged or missing.
        """
        while (file := self._open()) is not None:
            scan = self._scan(file)
            held: Batch | None = None
            for batch in scan.batches():
                if held is not None:
                    yield self._taken(file, held)
                held = batch
            if held is not None and held.head.end <= scan.claimed:
                yield self._taken(file, held)
            if scan.fault is not None:
                _judge(file, scan)
            if scan.seal is None or not self._go_on(scan.seal.next_index):
                return

    def unread_bytes(self) -> int:
        """Return how many bytes of segments lie behind the position; zeros that were made ahead of need count too."""
        at = self.position or Position(0, 0)
        rest = [path for path in segments_of(self.directory) if first_index_of(path) >= at.segment]
        return sum(path.stat().st_size for path in rest) - at.offset

    def close(self) -> None:
        """Let go of the file that is being read."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> SegmentFile | None:
        if self._file is None:
            if self.position is None:
                paths = segments_of(self.directory)
                if not paths:
                    return None
                self.position = Position(first_index_of(paths[0]), HEADER_BYTES)
            self._file = SegmentFile(segment_path(self.directory, self.position.segment))
        return self._file

    def _scan(self, file: SegmentFile) -> Scan:
        if self.position is None or self.position.offset == HEADER_BYTES:
            return Scan(file.read, file.header.salt, index=first_index_of(file.path))
        return Scan(file.read, file.header.salt, self.position.offset)

    def _taken(self, file: SegmentFile, batch: Batch) -> StoredBatch:
        segment = first_index_of(file.path)
        self.position = Position(segment, batch.head.end)
        records = [(frame.payload, frame.offset) for frame in batch.frames if frame.kind == RECORD]
        return StoredBatch(segment, records, self.position)

    def _go_on(self, next_index: int) -> bool:
        if not segment_path(self.directory, next_index).exists():
            return False
        self.close()
        self.position = Position(next_index, HEADER_BYTES)
        return True


def _judge(file: SegmentFile, scan: Scan) -> None:
    try:
        scan.tail()
    except DurableBytesLost as lost:
        # The writer may have written what was missing, and more, since it was looked for.
        again = Scan(file.read, file.header.salt, scan.end)
        if next(again.batches(), None) is None and again.seal is None:
            raise CorruptLog(file.path, lost.fault.offset, str(lost)) from None


def record_at(directory: Path, segment: int, offset: int) -> bytes:
    """Return the record whose frame begins there. Raises CorruptLog, or BadFrame if none does."""
    with SegmentFile(segment_path(directory, segment)) as file:
        return read_frame(file.read, offset).payload


def body_of(
    directory: Path, reference: BodyRef, segment: int, offset: int, keys: OpeningKeys = NO_KEYS
) -> dict[str, bytes]:
    """Return the parts of a body that the record at this place names, as `read_body` does, but soon."""
    if reference.segment in (None, segment):
        with SegmentFile(segment_path(directory, segment)) as file:
            for distance in NEARBY:
                body = _body_before(file, offset, distance, reference.key)
                if body is not None:
                    try:
                        return parts_of(body._replace(parts=reference.parts), keys)
                    except BadBody:
                        break  # what stands there is not it, or damaged: the whole segment decides
    return read_body(directory, reference, segment, keys)


def _body_before(file: SegmentFile, offset: int, distance: int, key: bytes) -> StoredBody | None:
    """Return the body of this digest in the bytes before an offset, None if it does not stand there whole."""
    start = max(0, offset - distance)
    return find_body(lambda at, length: file.read(start + at, min(length, offset - start - at)), key)
