"""What control's logs say of all logs: which there are, and every checkpoint that was signed of them."""

from pathlib import Path
from typing import NamedTuple, final

from trunkline.audit.files.findings import NANOSECONDS, SETTLED_SECONDS, Moments, Say, damage
from trunkline.audit.files.reader import StoredRecord, read_records
from trunkline.audit.files.segments import segment_path
from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.files.tree_check import Promise
from trunkline.audit.format.checkpoints import open_checkpoint
from trunkline.audit.format.expiry import EXPIRED, LogExpired, decode_expired
from trunkline.audit.format.log_of_logs import CHECKPOINTS, decode_checkpoints
from trunkline.audit.format.notes import BadNote, PublicKey
from trunkline.audit.format.records import SEALED, STARTED


class Said(NamedTuple):
    """The longest that a log was, as control's log has it.

    `settled` says that this checkpoint must have been put in its place since: the process that recorded it has gone on
    to record others, or has sealed its log, and some time has passed. One that was killed in between has not.
    """

    size: int
    settled: bool


@final
class LogOfLogs:
    """Reads control's logs. `promises` are all checkpoints by origin, `said` the last of each.

    `expired` is by origin the last word on which records of a log were deleted in time. `last` is when the last record
    was written, in Unix nanoseconds, None where there is none.
    """

    def __init__(self, key: PublicKey, now_ns: int, say: Say) -> None:
        self.promises: dict[str, list[Promise]] = {}
        self.said: dict[str, Said] = {}
        self.expired: dict[str, LogExpired] = {}
        self.last: int | None = None
        self._key, self._now, self._say = key, now_ns, say
        self._moments = Moments()

    def read(self, directory: Path, origin: str) -> None:
        """Read one log of control's, as far as it can be read: what is wrong with it is found by whoever checks it."""
        last: StoredRecord | None = None  # that has checkpoints
        gone_on = True  # whether the process that has written it has not ended since
        try:
            for record in read_records(directory, upto="whole"):
                if record.type == CHECKPOINTS:
                    if last is not None:
                        self._take(directory, origin, last, followed=True)
                    last, gone_on = record, True
                    continue
                if record.type == SEALED and gone_on and last is not None:
                    self._take(directory, origin, last, followed=True)
                    last = None
                gone_on = gone_on and record.type != STARTED
                self._take(directory, origin, record, followed=True)
        except (CorruptLog, ValueError):
            pass
        if last is not None:
            self._take(directory, origin, last, followed=False)

    def _take(self, directory: Path, origin: str, record: StoredRecord, *, followed: bool) -> None:
        try:
            at = self._moments.read(record.at)
            notes = decode_checkpoints(record.bytes) if record.type == CHECKPOINTS else []
            if record.type == EXPIRED:
                self._expire(decode_expired(record.bytes))
        except ValueError as error:
            self._wrong(directory, origin, record, str(error))
            return
        self.last = max(at, self.last or 0)
        settled = followed and self._now - at > SETTLED_SECONDS * NANOSECONDS
        file = segment_path(directory, record.segment)
        for note in notes:
            try:
                found = open_checkpoint(note.checkpoint, self._key)
            except BadNote as error:
                self._wrong(directory, origin, record, f"a checkpoint in it cannot be trusted: {error}")
                continue
            promise = Promise(found.size, found.root, file, record.offset)
            self.promises.setdefault(found.origin, []).append(promise)
            before = self.said.get(found.origin)
            if before is None or found.size >= before.size:
                self.said[found.origin] = Said(found.size, settled)

    def _expire(self, expired: LogExpired) -> None:
        before = self.expired.get(expired.origin)
        if before is None or expired.following > before.following:
            self.expired[expired.origin] = expired

    def _wrong(self, directory: Path, origin: str, record: StoredRecord, reason: str) -> None:
        file = segment_path(directory, record.segment)
        self._say(damage(origin, file, record.offset, record.index, reason))
