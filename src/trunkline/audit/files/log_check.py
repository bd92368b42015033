"""Checking one log from its first byte to its last: segments, frames, records, tree. It only reads."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, final

from trunkline.audit.files.findings import Damaged, Say, damage, doubt
from trunkline.audit.files.record_check import RecordCheck, Wrong
from trunkline.audit.files.segment_file import SegmentFile
from trunkline.audit.files.segments import first_index_of, segments_of
from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.files.tree_check import TreeCheck
from trunkline.audit.format.expiry import LogExpired
from trunkline.audit.format.frames import BODY, RECORD, BadFrame, Frame, decode_frames
from trunkline.audit.format.records import SEALED
from trunkline.audit.format.scan import Batch, DurableBytesLost, Fault, Scan
from trunkline.audit.format.segment import BATCH_BYTES, HEADER_BYTES, SEAL_BYTES, Seal, encode_header

# Bytes between two words on how far it is.
PROGRESS_EVERY = 1 << 20


class Uncovered(NamedTuple):
    """The first record that no checkpoint covers: which it is, where it stands, and its time in Unix nanoseconds."""

    record: int
    file: Path
    offset: int
    at: int


@final
class LogCheck:
    """Reads one log. `moved` is told how many bytes and records have been read since the last time.

    `covered` is to say how many records are under the log's checkpoint; after `run` `file` and `offset` say where the
    log ends, `uncovered` what the first record behind these is, if there is one, and `unfinished` whether the segment
    that it ends with has been closed by a record, but has no seal. `expired` says which records are rightly gone.
    """

    def __init__(
        self,
        directory: Path,
        origin: str,
        tree: TreeCheck,
        say: Say,
        moved: Callable[[int, int], None],
        expired: LogExpired | None = None,
    ) -> None:
        gone = (expired.following, expired.open) if expired is not None else (0, ())
        self.records = RecordCheck(origin, *gone)
        self.covered = 0
        self.uncovered: Uncovered | None = None
        self.unfinished = False
        self.file, self.offset = directory, 0
        self._directory, self._origin, self._tree = directory, origin, tree
        self._say, self._moved = say, moved
        self._last_offset, self._last_type = 0, ""

    def run(self) -> None:
        """Check the log to its end; raises Damaged where it cannot be read on, and OSError."""
        paths = segments_of(self._directory)
        left = [path for path in paths if first_index_of(path) < self.records.index]
        if left:  # the command that deletes them was interrupted
            reason = "it has expired and is still there: run `trunkline audit retention --apply` again"
            self._say(doubt(self._origin, left[0], 0, None, reason))
            paths = paths[len(left) :]
        if not paths:
            raise self._damage(self._directory, 0, "the log has no segment")
        self._tree.pass_over(self.records.index)
        for path in paths:
            if first_index_of(path) != self.records.index:
                reason = f"records {self.records.index} to {first_index_of(path) - 1} are missing"
                if first_index_of(path) < self.records.index:
                    reason = "there is another segment with these records"
                raise self._damage(path, 0, reason)
            try:
                with SegmentFile(path) as file:
                    self._segment(file, is_last=path == paths[-1])
            except CorruptLog as error:
                raise self._damage(error.file, error.offset, error.reason) from None

    def _segment(self, file: SegmentFile, *, is_last: bool) -> None:
        self.file, self.offset = file.path, HEADER_BYTES
        if file.header.origin != self._origin:
            raise self._damage(file.path, 0, f"it belongs to the log {file.header.origin}")
        if file.read(0, HEADER_BYTES) != encode_header(file.header):
            raise self._damage(file.path, 0, "the header block is damaged")
        self.records.begin_segment(self.records.index)
        self._last_type = ""
        scan = Scan(file.read, file.header.salt, index=self.records.index)
        unsaid = records = 0
        for batch in scan.batches():
            self._batch(batch)
            self.offset = batch.head.end
            unsaid, records = unsaid + batch.head.length, records + batch.head.records
            if unsaid >= PROGRESS_EVERY:
                self._moved(unsaid, records)
                unsaid = records = 0
        if scan.seal is not None:
            self._sealed(file, scan.seal)
        else:
            self._unsealed(file, scan, is_last=is_last)
        self._moved(unsaid + file.size - self.offset + HEADER_BYTES, records)

    def _batch(self, batch: Batch) -> None:
        for frame in batch.frames:
            try:
                self._take(frame)
            except Wrong as error:
                raise self._damage(self.file, frame.offset, str(error)) from None

    def _take(self, frame: Frame) -> None:
        if frame.kind == RECORD:
            self._record(frame)
        elif frame.kind == BODY:
            self.records.body(frame)
        else:
            raise Wrong("a frame of another kind stands among the records")

    def _record(self, frame: Frame) -> None:
        head, gap = self.records.record(frame.payload)
        if gap:
            reason = f"{gap:,.1f} s lie between this record and the one before, though the log ran"
            self._say(doubt(self._origin, self.file, frame.offset, head.index, reason))
        self._tree.take(frame.payload, self.file, frame.offset)
        self._last_offset, self._last_type = frame.offset, head.type
        if self.uncovered is None and head.index >= self.covered:
            self.uncovered = Uncovered(head.index, self.file, frame.offset, self.records.last or 0)

    def _sealed(self, file: SegmentFile, seal: Seal) -> None:
        if seal.next_index != self.records.index:
            raise self._damage(file.path, seal.offset, f"the seal says that record {seal.next_index} comes next")
        if self._last_type != SEALED or seal.sealed_record != self._last_offset:
            raise self._damage(file.path, seal.offset, "the seal does not stand behind a log.sealed record")
        if file.size != seal.offset + SEAL_BYTES:
            raise self._damage(file.path, seal.offset + SEAL_BYTES, "something stands behind the seal")
        self.offset = file.size

    def _unsealed(self, file: SegmentFile, scan: Scan, *, is_last: bool) -> None:
        fault = scan.fault or Fault(scan.end, "the segment ends without a seal")
        if not is_last:
            raise self._broken(file, fault)
        self.unfinished = self._last_type == SEALED
        try:
            scan.tail()
        except DurableBytesLost as lost:
            # The writer may have written what was missing, and more, since it was looked for.
            again = Scan(file.read, file.header.salt, scan.end, self.records.index)
            if next(again.batches(), None) is None and again.seal is None:
                raise self._broken(file, lost.fault) from None

    def _broken(self, file: SegmentFile, fault: Fault) -> Damaged:
        """Return the damage at a place in a batch that is not whole; its records up to there are counted."""
        start = self.offset + BATCH_BYTES
        before = 0
        if fault.offset > start:
            try:
                for frame in decode_frames(file.read(start, fault.offset - start), start):
                    before += frame.kind == RECORD
            except BadFrame:
                pass
        return self._damage(file.path, fault.offset, fault.reason, before)

    def _damage(self, file: Path, offset: int, reason: str, further: int = 0) -> Damaged:
        return Damaged(damage(self._origin, file, offset, self.records.index + further, reason))
