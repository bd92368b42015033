"""Making the proof of one call: its records are looked for where its id says that they must be."""

from collections.abc import Iterator
from pathlib import Path

from trunkline.audit.files.data_dir import LOGS, PROOF, read_deployment
from trunkline.audit.files.disk import Disk
from trunkline.audit.files.findings import NANOSECONDS, Moments
from trunkline.audit.files.reader import Place, StoredRecord, read_records
from trunkline.audit.files.segments import first_index_of, segments_of
from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.files.tile_files import TileFiles
from trunkline.audit.format.bundles import ProvenRecord, encode_bundle
from trunkline.audit.format.checkpoints import open_checkpoint
from trunkline.audit.format.heads import decode_head
from trunkline.audit.format.merkle import inclusion_proof
from trunkline.audit.format.notes import BadNote, PublicKey
from trunkline.audit.format.records import ENDED, OPENED
from trunkline.audit.format.segment import HEADER_BYTES
from trunkline.audit.format.tiles import BadTile, TiledTree
from trunkline.audit.format.tlog_proofs import BadProof, TlogProof, check_proof

MILLISECONDS = 1_000_000
# A call's id is made when it comes, and its record follows within moments; meanwhile a clock may have been set.
EARLIER, LATER = 60 * NANOSECONDS, 3600 * NANOSECONDS


class NotProven(Exception):
    """There is no proof of a call; the message says why and what to do."""


def prove(data_dir: Path, call: str, key: PublicKey) -> bytes:
    """Return the bundle that proves a call, of which one record is there while it runs.

    Raises NotProven, CorruptLog if its log is damaged there, DataDirError and OSError.
    """
    for log in sorted((data_dir / LOGS).glob("*/*")):
        records = list(_records_of(log, call))
        if records:
            name = f"{log.parent.name}/{log.name}"
            files = TileFiles(data_dir / PROOF / name, Disk())
            origin = f"{read_deployment(data_dir)}/{name}"
            return encode_bundle(call, [_proven(record, origin, files, key) for record in records])
    raise NotProven(f"no log has a call {call}; calls that were refused have no record of their own")


def _records_of(log: Path, call: str) -> Iterator[StoredRecord]:
    """Yield the record that opened a call and the one that ended it, if this log has them."""
    moments = Moments()
    came = int(call.replace("-", "")[:12], 16) * MILLISECONDS
    start = _start(log, came - EARLIER, moments)
    if start is None:
        return
    is_open = False
    for record in read_records(log, Place(start, HEADER_BYTES, HEADER_BYTES)):
        if record.type == OPENED and record.id == call:
            is_open = True
            yield record
        elif is_open and record.type in ENDED and decode_head(record.bytes).call == call:
            yield record
            return
        elif not is_open and moments.read(record.at) > came + LATER:
            return


def _start(log: Path, moment: int, moments: Moments) -> int | None:
    """Return the first index of the last segment that began before this moment, else of the first segment."""
    starts = [first_index_of(path) for path in segments_of(log)]
    low, high = 0, len(starts)
    while high - low > 1:
        middle = (low + high) // 2
        first = next(read_records(log, Place(starts[middle], HEADER_BYTES, HEADER_BYTES)), None)
        if first is not None and moments.read(first.at) <= moment:
            low = middle
        else:
            high = middle
    return starts[low] if starts else None


def _proven(record: StoredRecord, origin: str, files: TileFiles, key: PublicKey) -> ProvenRecord:
    note = files.checkpoint()
    try:
        checkpoint = open_checkpoint(note, key) if note is not None else None
    except BadNote as bad:
        raise CorruptLog(files.directory, 0, f"the checkpoint cannot be trusted: {bad}") from None
    if note is None or checkpoint is None or checkpoint.size <= record.index:
        raise NotProven(f"record {record.index} of {origin} is under no checkpoint yet: try again in ten seconds")
    node = TiledTree(checkpoint.size, files.read).node
    try:
        proof = TlogProof(record.index, inclusion_proof(record.index, checkpoint.size, node), note)
        check_proof(proof, record.bytes, key)
    except (BadProof, BadTile, FileNotFoundError) as error:
        reason = f"its tiles do not prove record {record.index}: {error}"
        raise CorruptLog(files.directory, 0, f"{reason}; `trunkline audit verify` says more") from None
    return ProvenRecord(record.bytes.decode(), proof.text)
