"""Following the logs into the index: every record once, whatever dies in between.

The position in each log is kept in the index, in the transaction that adds the rows. A step reads whole batches that
the logs claim to be durable, so what is in the index will not be taken back by a crash.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from trunkline.audit.files.batches import BatchReader, Position, StoredBatch
from trunkline.audit.files.data_dir import LOGS
from trunkline.audit.files.reader import read_body
from trunkline.audit.files.segments import segments_of
from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.codecs import AES256GCM
from trunkline.audit.format.heads import BadRecord, decode_head
from trunkline.audit.format.records import SPILLED_PART, restore
from trunkline.audit.format.sealing import NO_KEYS, OpeningKeys, Unopened
from trunkline.ledger.fold import Fold, Key, Lines, Standing
from trunkline.ledger.index import Index
from trunkline.ledger.records import IMPORTED, SAMPLED, TAKEN, ImportedPart, SampledPart, kind_of
from trunkline.ledger.telemetry import CallCounts

# Records in a step: enough for DuckDB to be quick, little enough to stay small.
STEP_RECORDS = 16_384
# The log of control, and the parts of bodies there that have rows: of imported costs, of calls chosen for review.
CONTROL, COSTS, CHOSEN = "control", "costs", "calls"
_SPILLED = b'"spilled":'
NOWHERE = Position(-1, 0)


class _Log(NamedTuple):
    """A log that is followed: its number in the index, its directory below the logs', its reader."""

    number: int
    name: str
    path: Path
    reader: BatchReader


class Counting:
    """Counts what is followed, each record once, also where the index is made again: `seen` is how far, by log."""

    def __init__(self, seen: Mapping[str, Position]) -> None:
        self.counts = CallCounts()
        self._seen = dict(seen)

    def counts_of(self, log: str, batch: StoredBatch) -> CallCounts | None:
        """Return the counts that a batch is to be added to, None if it was counted before."""
        if batch.following <= self._seen.get(log, NOWHERE):
            return None
        self._seen[log] = batch.following
        return self.counts


class Follower:
    """Reads the logs of a data directory into its index. For one thread.

    `on_corrupt` is told, once, of a log that cannot be read on; the others are followed all the same.
    """

    def __init__(
        self,
        index: Index,
        data_dir: Path,
        on_corrupt: Callable[[CorruptLog], None],
        counting: Counting | None = None,
        keys: OpeningKeys = NO_KEYS,
    ) -> None:
        self._index, self._root, self._on_corrupt = index, data_dir / LOGS, on_corrupt
        self._keys = keys
        self._counting = counting
        self._logs: dict[str, _Log] = {}
        self._corrupt: set[str] = set()
        self._known: set[Key] = set()  # calls that the index has as running
        self._fold = Fold()
        self._begin()

    def step(self, most: int = STEP_RECORDS) -> int:
        """Read at most so many records, or one batch more, into the index; return how many those were.

        Raises duckdb.Error or OSError; then the index is as it was, and the next step begins there.
        """
        try:
            return self._step(most)
        except BaseException:
            self.close()
            self._begin()
            raise

    def unread_bytes(self) -> int:
        """Return how much of the logs lies behind what has been read, zeros made ahead of need included."""
        return sum(log.reader.unread_bytes() for log in list(self._logs.values()))

    @property
    def damaged(self) -> int:
        """How many logs cannot be read on."""
        return len(self._corrupt)

    def close(self) -> None:
        """Let go of the files."""
        for log in self._logs.values():
            log.reader.close()
        self._logs = {}

    def _begin(self) -> None:
        running = self._index.running()
        self._fold = Fold(running)
        self._known = {key for key, _ in running}

    def _step(self, most: int) -> int:
        self._discover()
        followed = [log for log in self._logs.values() if log.name not in self._corrupt]
        share = max(1, most // max(1, len(followed)))
        moved = [log for log in followed if self._read(log, share)]
        lines = self._fold.taken()
        if moved:
            self._add(lines, moved)
        return lines.records

    def _add(self, lines: Lines, moved: list[_Log]) -> None:
        positions = [(log.number, log.name, log.reader.position) for log in moved if log.reader.position is not None]
        ended = lines.ended & self._known
        begun = {key for key in lines.opened if key in self._fold.running}
        self._index.add(lines, map(self._fold.running_line, begun), sorted(ended), positions)
        self._known = self._known - ended | begun

    def _discover(self) -> None:
        """Find logs that have begun since the last step, those of machines that were renamed too."""
        known: dict[str, tuple[int, Position | None]] | None = None
        for path in sorted(self._root.glob("*/*")):
            name = f"{path.parent.name}/{path.name}"
            if name in self._logs or not segments_of(path):
                continue
            known = dict(self._index.positions()) if known is None else known
            if name not in known:
                taken = [log.number for log in self._logs.values()] + [number for number, _ in known.values()]
                known[name] = (max(taken, default=0) + 1, None)
            number, position = known[name]
            self._logs[name] = _Log(number, name, path, BatchReader(path, position))

    def _read(self, log: _Log, most: int) -> bool:
        """Take at most so many records of a log; return whether its position has moved."""
        before = log.reader.position
        try:
            for batch in log.reader.poll():
                most -= len(batch.records)
                self._take(log, batch)
                if most <= 0:
                    break
        except CorruptLog as error:
            self._corrupt.add(log.name)
            self._on_corrupt(error)
        return log.reader.position != before

    def _take(self, log: _Log, batch: StoredBatch) -> None:
        self._fold.counts = self._counting.counts_of(log.name, batch) if self._counting is not None else None
        take = self._fold.take
        if log.path.name == CONTROL:
            self._take_rows(log, batch)
        for record, offset in batch.records:
            stands = Standing(log.number, batch.segment, offset)
            if _SPILLED in record and kind_of(record) in TAKEN:
                self._take_spilled(log, record, stands)
            else:
                take(record, stands)

    def _take_rows(self, log: _Log, batch: StoredBatch) -> None:
        """Take what stands in bodies: the costs that commands have imported, the calls that were chosen for review."""
        for record, offset in batch.records:
            kind = kind_of(record)
            if kind not in (IMPORTED, SAMPLED):
                continue
            stands = Standing(log.number, batch.segment, offset)
            try:
                if kind == IMPORTED:
                    imported = msgspec.json.decode(record, type=ImportedPart)
                    for reference in imported.bodies:
                        parts = read_body(log.path, reference, batch.segment, self._keys)
                        # Whose bodies are encrypted, the names in them are not for the index either.
                        written = self._keys.written if reference.codec.endswith(AES256GCM) else None
                        self._fold.take_import(imported.tenant, parts[COSTS], stands, written)
                else:
                    sampled = msgspec.json.decode(record, type=SampledPart)
                    for reference in sampled.bodies:
                        parts = read_body(log.path, reference, batch.segment, self._keys)
                        self._fold.take_sample(sampled, parts[CHOSEN], stands)
            except (CorruptLog, KeyError, Unopened, msgspec.MsgspecError) as error:
                self._fold.unreadable(stands, str(error))

    def _take_spilled(self, log: _Log, record: bytes, stands: Standing) -> None:
        try:
            whole = whole_record(log.path, record, stands.segment, self._keys)
        except (CorruptLog, BadRecord, Unopened, ValueError) as error:
            self._fold.unreadable(stands, str(error))
        else:
            self._fold.take(whole, stands)


def whole_record(directory: Path, record: bytes, segment: int, keys: OpeningKeys) -> bytes:
    """Return a record with what was spilled of it. Raises CorruptLog, BadRecord, KeyMissing or BodyErased."""
    head = decode_head(record)
    if head.spilled is None:
        return record
    return restore(record, read_body(directory, head.spilled, segment, keys)[SPILLED_PART])


def rebuild(
    index: Index, data_dir: Path, on_step: Callable[[int, int], None], keys: OpeningKeys = NO_KEYS
) -> list[CorruptLog]:
    """Make the index again from the logs; `on_step` is told the records so far, and the bytes still unread.

    Returns the logs that are damaged; what stands before the damage is in the index.
    """
    corrupt: list[CorruptLog] = []
    index.clear()
    follower = Follower(index, data_dir, corrupt.append, keys=keys)
    records = 0
    try:
        while done := follower.step():
            records += done
            on_step(records, follower.unread_bytes())
    finally:
        follower.close()
    return corrupt
