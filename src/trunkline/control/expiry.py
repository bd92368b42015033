"""Deleting what has expired: the oldest segments of workers' logs, once all that is in them has.

First it is recorded, in control's own log, what goes; then the files are deleted, the oldest first; then the index
lets go of it. Whoever is killed in between leaves files that the next run deletes. Control's own log stays whole: keys,
holds and the log of logs are in it, and nothing that was asked or answered.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from trunkline.audit.files.batches import record_at
from trunkline.audit.files.data_dir import LOGS, read_deployment
from trunkline.audit.files.disk import sync_directory
from trunkline.audit.files.reader import Place, StoredRecord, read_records
from trunkline.audit.files.segment_file import SegmentFile
from trunkline.audit.files.segments import first_index_of, segments_of
from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.expiry import EXPIRED, ExpiredSegment, LogExpired, decode_expired
from trunkline.audit.format.open_call import decode_sealed
from trunkline.audit.format.records import OPENED
from trunkline.audit.format.sealing import NO_KEYS, OpeningKeys, Unopened
from trunkline.audit.format.segment import HEADER_BYTES
from trunkline.control.answers import ExpiredLog
from trunkline.control.holds import Recorded, keeps, keeps_any, named
from trunkline.control.journal import PROCESS
from trunkline.control.retention import Span, expired
from trunkline.control.state import HoldPlaced
from trunkline.ledger.follow import whole_record
from trunkline.model.snapshot import Snapshot

# Segments of one log in one step, so that somebody can be told how far it is, and a record names them all.
STEP_SEGMENTS = 16
# The segment that is written and the one before it stay: a start needs them.
STAY = 2
REFUSED = "call.refused"
PIECE = 1 << 20
DAY = 86_400.0


class _Named(msgspec.Struct):
    """What a record says of whose it is."""

    tenant: str | None = None
    user: str | None = None
    subject: str | None = None
    session: str | None = None


NOBODY = _Named()
_named = msgspec.json.Decoder(_Named).decode
Record = Callable[[str, bytes], Awaitable[None]]


class Expiry:
    """Finds what has expired at `now`, a Unix second, and deletes it. For one thread at a time."""

    def __init__(
        self,
        data_dir: Path,
        snapshot: Snapshot,
        holds: Sequence[HoldPlaced],
        now: float,
        keys: OpeningKeys = NO_KEYS,
    ) -> None:
        self._data_dir, self._snapshot, self._now, self._keys = data_dir, snapshot, now, keys
        # Records of before there was a vault have names, those since pseudonyms.
        self._holds = [one for hold in holds for one in dict.fromkeys((hold, named(hold, keys.names)))]
        self._deployment = read_deployment(data_dir)

    def found(self) -> list[ExpiredLog]:
        """Return by log what may go next and why the rest stays. Raises CorruptLog and OSError."""
        return [self._of(name) for name in self._logs()]

    def word(self, log: ExpiredLog, who: str) -> LogExpired:
        """Return what is recorded before a log's segments go. Raises CorruptLog and OSError."""
        directory = self._data_dir / LOGS / log.log
        gone = segments_of(directory)[: log.segments]
        ends = [first_index_of(path) for path in segments_of(directory)[1 : log.segments + 1]]
        told = [
            ExpiredSegment(first_index_of(path), end, path.stat().st_size, _digest(path))
            for path, end in zip(gone, ends, strict=True)
        ]
        still_open = self._open_at_end(directory, gone[-1])
        return LogExpired(f"{self._deployment}/{log.log}", ends[-1], told, who, log.tenants, still_open)

    def delete(self, log: str, following: int) -> None:
        """Delete the segments of a log before this record, the oldest first. Raises OSError."""
        directory = self._data_dir / LOGS / log
        for path in segments_of(directory):
            if first_index_of(path) >= following:
                break
            path.unlink()
        sync_directory(directory)

    def left_over(self) -> dict[str, int]:
        """Return by log up to which record it has expired, as control's logs say, where files are still there."""
        said: dict[str, int] = {}
        for directory in sorted((self._data_dir / LOGS).glob(f"*/{PROCESS}")):
            for record in read_records(directory, upto="whole"):
                if record.type == EXPIRED:
                    word = decode_expired(record.bytes)
                    log = word.origin.removeprefix(f"{self._deployment}/")
                    said[log] = max(said.get(log, 0), word.following)
        return {
            log: following
            for log, following in said.items()
            if (there := segments_of(self._data_dir / LOGS / log)) and first_index_of(there[0]) < following
        }

    def _logs(self) -> list[str]:
        paths = sorted((self._data_dir / LOGS).glob("*/*"))
        return [f"{path.parent.name}/{path.name}" for path in paths if path.name != PROCESS and segments_of(path)]

    def _of(self, log: str) -> ExpiredLog:
        directory = self._data_dir / LOGS / log
        paths = segments_of(directory)[:-STAY]
        spans: list[Span] = []
        for path in paths[:STEP_SEGMENTS]:
            spans.append(self._span(directory, path))
            if expired(spans, self._kept_for, self._now).segments < len(spans):
                break
        verdict = expired(spans, self._kept_for, self._now)
        gone = spans[: verdict.segments]
        return ExpiredLog(
            log=log,
            segments=len(gone),
            first=gone[0].first if gone else None,
            following=gone[-1].following if gone else None,
            bytes=sum(span.size for span in gone),
            tenants=sorted({tenant for span in gone for tenant in span.newest if tenant is not None}),
            holds=list(verdict.holds),
            until=_moment(verdict.until),
            more=len(gone) == len(spans) < len(paths),
        )

    def _kept_for(self, tenant: str | None) -> float:
        # Between a call's first record and its last, which may stand in the next segment, lies less than a day.
        return self._snapshot.retention_of(tenant) + DAY

    def _span(self, directory: Path, path: Path) -> Span:
        """Read a sealed segment for whose records are in it."""
        first = following = first_index_of(path)
        newest: dict[str | None, float] = {}
        holds: dict[str, None] = {}
        for record in _records(directory, first):
            at = datetime.fromisoformat(f"{record.at[:26]}+00:00").timestamp()
            following = record.index + 1
            said = self._said(directory, record) if record.type in (OPENED, REFUSED) else NOBODY
            newest[said.tenant] = max(at, newest.get(said.tenant, at))
            if said.tenant is not None:
                holds |= dict.fromkeys(self._holding(record, said, at))
        return Span(first, following, path.stat().st_size, newest, list(holds), len(self._open_at_end(directory, path)))

    def _said(self, directory: Path, record: StoredRecord) -> _Named:
        try:
            return _named(whole_record(directory, record.bytes, record.segment, self._keys))
        except Unopened:  # of somebody who has been erased, which no hold allowed
            return _named(record.bytes)

    def _open_at_end(self, directory: Path, path: Path) -> list[str]:
        """Return the calls that were open when a segment was sealed. Raises CorruptLog or KeyMissing."""
        with SegmentFile(path) as file:
            seal = file.seal()
        if seal is None:
            raise CorruptLog(path, 0, "its seal is missing, though a later segment exists")
        first = first_index_of(path)
        record = whole_record(directory, record_at(directory, first, seal.sealed_record), first, self._keys)
        return [call.call for call in decode_sealed(record)]

    def _holding(self, record: StoredRecord, named: _Named, at: float) -> Iterator[str]:
        tenant = named.tenant or ""
        said = Recorded(tenant, at, named.user, named.subject or named.user, named.session, record.id)
        for hold in self._holds:
            # Refused calls are counted together: whose they were is not told apart.
            if keeps(hold, said) if record.type == OPENED else keeps_any(hold, tenant, at):
                yield hold.hold


async def step(expiry: Expiry, record: Record, who: str, in_thread: Callable[..., Awaitable[Any]]) -> list[ExpiredLog]:
    """Delete the next segments of each log that have expired; return what went. Raises what its parts raise.

    `record` writes a record to control's log, and returns when it is durable.
    """
    for log, following in (await in_thread(expiry.left_over)).items():
        await in_thread(expiry.delete, log, following)
    gone = [log for log in await in_thread(expiry.found) if log.segments]
    for log in gone:
        word = await in_thread(expiry.word, log, who)
        await record(EXPIRED, msgspec.json.encode(word))
        await in_thread(expiry.delete, log.log, word.following)
    return gone


def _records(directory: Path, first: int) -> Iterator[StoredRecord]:
    """Yield the records of one segment."""
    for record in read_records(directory, Place(first, HEADER_BYTES, HEADER_BYTES)):
        if record.segment != first:
            return
        yield record


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _moment(second: float | None) -> str | None:
    """Return a time for people; what lies beyond the calendar is said to be at its end."""
    if second is None:
        return None
    try:
        return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "9999-12-31T23:59:59Z"
