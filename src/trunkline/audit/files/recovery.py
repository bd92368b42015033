"""Finding out where a log ended when its last writer stopped, cleanly or not.

Only the last segment is read, and of the one before it the seal, which carries the calls that were open by then.
"""

from pathlib import Path
from typing import NamedTuple

from trunkline.audit.files.data_dir import CHECKPOINT, PROOF
from trunkline.audit.files.disk import Disk
from trunkline.audit.files.segment_file import SegmentFile
from trunkline.audit.files.segments import Segment, first_index_of, segments_of
from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.bodies import decode_body, parts_of, reference_of
from trunkline.audit.format.codecs import BadBody
from trunkline.audit.format.frames import BODY, BadFrame, Frame
from trunkline.audit.format.heads import BadRecord, RecordHead, decode_head
from trunkline.audit.format.lookup import find_body, read_frame
from trunkline.audit.format.open_call import OpenCall
from trunkline.audit.format.open_calls import OpenCalls
from trunkline.audit.format.records import OPENED, SEALED, SPILLED_PART, restore
from trunkline.audit.format.scan import Batch, DurableBytesLost, Scan
from trunkline.audit.format.sealing import OpeningKeys
from trunkline.audit.format.segment import Seal

__all__ = ["OpenCall", "Recovery", "is_at_rest", "recover"]


class Recovery(NamedTuple):
    """What was found. `open_calls` were opened and never ended; a torn tail of `cut_bytes` at `cut_at` is gone.

    `segment` is the one that the log goes on in, None if it begins a new one; `next_index` is the next record's,
    `records` counts those read.
    """

    open_calls: list[OpenCall]
    next_index: int
    segment: Segment | None = None
    records: int = 0
    cut_bytes: int = 0
    cut_at: int = 0


def recover(directory: Path, origin: str, disk: Disk, keys: OpeningKeys) -> Recovery:
    """Read a log's end, cut what was never acknowledged, and finish a seal that was begun.

    Raises CorruptLog if bytes that had been durable, or records that have been signed, are damaged or missing,
    KeyMissing if there is no key for a record of a call that has not ended, and OSError.
    """
    signed = _signed(directory.absolute())
    paths = segments_of(directory)
    if not paths:
        _miss(directory, 0, signed)
        return Recovery([], 0)
    with SegmentFile(paths[-1]) as last:
        if last.header.origin != origin:
            raise CorruptLog(last.path, 0, f"it belongs to the log {last.header.origin}")
        seal = last.seal()
        if seal is not None:
            _miss(last.path, seal.next_index, signed)
            return Recovery(_carried(last, seal, keys), seal.next_index)
        return _recover_open(last, _before(paths, first_index_of(last.path), keys), signed, disk, keys)


def _signed(directory: Path) -> int:
    """Return how many records of a log its checkpoint covers, 0 where it has none.

    Its signature is not looked at: whoever can write a false one could damage the log as well, and is found out by
    `audit verify`.
    """
    if len(directory.parents) < 3:
        return 0
    path = directory.parents[2] / PROOF / directory.parent.name / directory.name / CHECKPOINT
    try:
        lines = path.read_bytes().split(b"\n", 2)
    except FileNotFoundError:
        return 0
    return int(lines[1]) if len(lines) == 3 and lines[1].isdigit() else 0


def _miss(file: Path, next_index: int, signed: int) -> None:
    if next_index < signed:
        raise CorruptLog(file, 0, f"records {next_index} to {signed - 1} have been signed and are missing")


def is_at_rest(directory: Path, keys: OpeningKeys) -> bool:
    """Return whether a log was sealed with no call open, or never begun, so that nobody has to look after it.

    Raises CorruptLog, KeyMissing and OSError.
    """
    paths = segments_of(directory)
    if not paths:
        return True
    with SegmentFile(paths[-1]) as last:
        seal = last.seal()
        return seal is not None and not _carried(last, seal, keys)


def _before(paths: list[Path], index: int, keys: OpeningKeys) -> list[OpenCall]:
    """Return the calls that were open when the segment before the last one was sealed."""
    if len(paths) == 1:
        return []
    with SegmentFile(paths[-2]) as previous:
        seal = previous.seal()
        if seal is None:
            raise CorruptLog(previous.path, previous.size, "its seal is missing, though a later segment exists")
        if seal.next_index != index:
            raise CorruptLog(previous.path, seal.offset, f"record {seal.next_index} is not where the next begins")
        return _carried(previous, seal, keys)


def _carried(file: SegmentFile, seal: Seal, keys: OpeningKeys) -> list[OpenCall]:
    try:
        record = read_frame(file.read, seal.sealed_record).payload
        spilled = decode_head(record).spilled
        if spilled is not None:
            body = find_body(file.read, spilled.key)
            if body is None:
                raise BadBody("the body of log.sealed is missing")
            record = restore(record, parts_of(body, keys)[SPILLED_PART])
        return OpenCalls.from_payload(record).calls()
    except (BadFrame, ValueError) as error:
        raise CorruptLog(file.path, seal.sealed_record, str(error)) from None


class _Fold:
    """Follows a segment's batches for what recovery has to know."""

    def __init__(self, file: SegmentFile, carried: list[OpenCall], keys: OpeningKeys) -> None:
        self._file, self._keys = file, keys
        self._first = first_index_of(file.path)
        self.calls = OpenCalls(carried)
        self.records = 0
        self.last: Frame | None = None
        self.last_type = ""

    def take(self, batch: Batch) -> None:
        for frame in batch.frames:
            try:
                if frame.kind == BODY:
                    body = decode_body(frame)
                    self.calls.body(body.call, reference_of(body, self._first))
                else:
                    self._record(frame, batch)
            except (BadRecord, BadBody) as error:
                raise CorruptLog(self._file.path, frame.offset, str(error)) from None

    def _record(self, frame: Frame, batch: Batch) -> None:
        head = decode_head(frame.payload)
        self.records += 1
        self.last, self.last_type = frame, head.type
        if head.type == OPENED:
            self.calls.record(OPENED, head.id, _whole(frame.payload, head, batch, self._keys), self._first)
        else:
            self.calls.record(head.type, head.call, frame.payload, self._first)


def _whole(record: bytes, head: RecordHead, batch: Batch, keys: OpeningKeys) -> bytes:
    """Return a record with what was spilled; the body of a spilled record is in its own batch."""
    if head.spilled is None:
        return record
    key = head.spilled.key
    for frame in batch.frames:
        if frame.kind == BODY and frame.payload.startswith(key):
            return restore(record, parts_of(decode_body(frame), keys)[SPILLED_PART])
    raise BadBody("the body of a spilled record is missing")


def _recover_open(file: SegmentFile, carried: list[OpenCall], signed: int, disk: Disk, keys: OpeningKeys) -> Recovery:
    """Recover a segment without a seal at its end."""
    scan = Scan(file.read, file.header.salt, index=first_index_of(file.path))
    fold = _Fold(file, carried, keys)
    for batch in scan.batches():
        fold.take(batch)
    try:
        torn = scan.tail()
    except DurableBytesLost as lost:
        raise CorruptLog(file.path, lost.fault.offset, str(lost)) from None
    index = first_index_of(file.path) + fold.records
    _miss(file.path, index, signed)
    segment = Segment(file.path, disk.open(file.path), file.header, scan.end, disk)
    found = Recovery(fold.calls.calls(), index, segment, fold.records, torn, scan.end)
    try:
        segment.cut(torn)
        if fold.last is None or fold.last_type != SEALED:
            return found
        segment.seal(fold.last.offset, index)
    except OSError:
        segment.close()  # whoever tries again and again must not run out of descriptors
        raise
    return found._replace(segment=None)
