"""Reading a log, while it is written or afterwards: its records in order, and their bodies.

A reader takes what the log itself claims to be durable: what it has seen once will be there after any crash. The
last batch before a crash may be whole and yet unclaimed; the next start of its writer decides, and claims it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from trunkline.audit.files.segment_file import SegmentFile
from trunkline.audit.files.segments import first_index_of, segment_path, segments_of
from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.bodies import parts_of
from trunkline.audit.format.codecs import BadBody
from trunkline.audit.format.frames import RECORD, Frame
from trunkline.audit.format.heads import BadRecord, decode_head
from trunkline.audit.format.lookup import find_body
from trunkline.audit.format.records import SPILLED_PART, restore
from trunkline.audit.format.references import BodyRef
from trunkline.audit.format.scan import Batch, DurableBytesLost, Scan
from trunkline.audit.format.sealing import NO_KEYS, OpeningKeys
from trunkline.audit.format.segment import HEADER_BYTES

Upto = Literal["claimed", "whole"]


class Place(NamedTuple):
    """A point in a log from which it can be read on.

    `segment` is a segment's first index, `batch` the offset of a batch in it, and `offset` that of the first of its
    frames which has not been read.
    """

    segment: int
    batch: int
    offset: int


class StoredRecord(msgspec.Struct, frozen=True, gc=False):
    """A record as it stands in the log: `segment` and `offset` say where its frame begins, `next` what follows it."""

    bytes: bytes
    type: str
    id: str
    index: int
    at: str
    segment: int
    offset: int
    next: Place


class LogReader:
    """Follows one log from a place on, from its beginning if none is given. For one thread.

    `upto` says whether to stop after what is claimed to be durable, or after the last batch that is whole: then what
    was read may be gone after a crash of the machine.
    """

    def __init__(self, directory: Path, start: Place | None = None, upto: Upto = "claimed") -> None:
        self._directory, self._upto = directory, upto
        self.place = start
        self._file: SegmentFile | None = None

    def poll(self) -> Iterator[StoredRecord]:
        """Yield the records that have come since the last time, oldest first.

        Raises CorruptLog where bytes that had been durable are damaged or missing.
        """
        while (file := self._open()) is not None:
            scan = self._scan(file)
            held: Batch | None = None
            for batch in scan.batches():
                if held is not None:
                    yield from self._records(file, held)
                held = batch
            if held is not None and (self._upto == "whole" or held.head.end <= scan.claimed):
                yield from self._records(file, held)
            if scan.fault is not None:
                self._judge(file, scan)
            if scan.seal is None or not self._go_on(scan.seal.next_index):
                return

    def check_tail(self) -> None:
        """Look at what lies behind the end that `poll` came to; raises CorruptLog if something there was durable."""
        file = self._file
        if file is None:
            return
        last = first_index_of(segments_of(self._directory)[-1])  # before the scan: a seal is older than what follows
        scan = self._scan(file)
        for _ in scan.batches():
            pass
        self._judge(file, scan)
        if last <= first_index_of(file.path):
            return
        if scan.seal is None:
            raise CorruptLog(file.path, scan.end, "its seal is missing, though a later segment exists")
        following = segment_path(self._directory, scan.seal.next_index)
        if not following.exists():
            raise CorruptLog(following, 0, "the segment is missing, though a later one exists")

    def close(self) -> None:
        """Let go of the file that is being read."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> SegmentFile | None:
        """Return the segment of the current place, of the log's beginning if there is none yet."""
        if self._file is None:
            if self.place is None:
                paths = segments_of(self._directory)
                if not paths:
                    return None
                self.place = Place(first_index_of(paths[0]), HEADER_BYTES, HEADER_BYTES)
            self._file = SegmentFile(segment_path(self._directory, self.place.segment))
        return self._file

    def _scan(self, file: SegmentFile) -> Scan:
        place = self.place
        if place is None or place.batch == HEADER_BYTES:
            return Scan(file.read, file.header.salt, index=first_index_of(file.path))
        return Scan(file.read, file.header.salt, place.batch)

    def _records(self, file: SegmentFile, batch: Batch) -> Iterator[StoredRecord]:
        segment, start = first_index_of(file.path), self.place.offset if self.place is not None else 0
        for frame in batch.frames:
            if frame.kind == RECORD and frame.offset >= start:
                record = _record(file, frame, Place(segment, batch.head.offset, frame.end))
                self.place = record.next
                yield record
        self.place = Place(segment, batch.head.end, batch.head.end)

    def _judge(self, file: SegmentFile, scan: Scan) -> None:
        try:
            scan.tail()
        except DurableBytesLost as lost:
            # The writer may have written what was missing, and more, since it was looked for.
            again = Scan(file.read, file.header.salt, scan.end)
            if next(again.batches(), None) is None and again.seal is None:
                raise CorruptLog(file.path, lost.fault.offset, str(lost)) from None

    def _go_on(self, next_index: int) -> bool:
        """Leave a sealed segment for the next; stay if that has not been begun."""
        if not segment_path(self._directory, next_index).exists():
            return False
        self.close()
        self.place = Place(next_index, HEADER_BYTES, HEADER_BYTES)
        return True


def _record(file: SegmentFile, frame: Frame, following: Place) -> StoredRecord:
    try:
        head = decode_head(frame.payload)
    except BadRecord as error:
        raise CorruptLog(file.path, frame.offset, str(error)) from None
    return StoredRecord(
        frame.payload, head.type, head.id, head.index, head.at, following.segment, frame.offset, following
    )


def read_records(directory: Path, start: Place | None = None, upto: Upto = "claimed") -> Iterator[StoredRecord]:
    """Yield a log's records from a place on, its beginning if none is given; raises CorruptLog if it is damaged."""
    reader = LogReader(directory, start, upto)
    try:
        yield from reader.poll()
        reader.check_tail()
    finally:
        reader.close()


def read_body(directory: Path, reference: BodyRef, segment: int, keys: OpeningKeys = NO_KEYS) -> dict[str, bytes]:
    """Return a body's parts by name; `segment` is that of the record which names it.

    Raises CorruptLog if the body is missing or is not what its digest says, KeyMissing or BodyErased if it is encrypted
    and there is no key for it, or no more.
    """
    path = segment_path(directory, segment if reference.segment is None else reference.segment)
    with SegmentFile(path) as file:
        body = find_body(file.read, reference.key)
    if body is None:
        raise CorruptLog(path, 0, f"the body {reference.digest} is missing or damaged")
    try:
        # By the record's table: of two bodies with the same bytes either is found, and their parts may differ.
        return parts_of(body._replace(parts=reference.parts), keys)
    except BadBody as error:
        raise CorruptLog(path, 0, f"{error}: {reference.digest}") from None


def read_whole(directory: Path, record: StoredRecord, keys: OpeningKeys = NO_KEYS) -> bytes:
    """Return a record with what was spilled of it; raises CorruptLog if that is missing or damaged, KeyMissing and
    BodyErased like `read_body`.
    """
    head = decode_head(record.bytes)
    if head.spilled is None:
        return record.bytes
    return restore(record.bytes, read_body(directory, head.spilled, record.segment, keys)[SPILLED_PART])
