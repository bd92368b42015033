"""Following one log into its Merkle tree, whose tiles are kept on disk, and signing what the tree is.

What has been read is what the log claims to be durable, so nothing that is signed can be taken back by a crash. The
order on disk is: tiles, then whatever records the signature, then the checkpoint. A start goes on from the checkpoint
that is there; the tiles that were written behind it come out the same once more.
"""

from pathlib import Path
from typing import Final, final

from trunkline.audit.files.batches import BatchReader, Position, StoredBatch
from trunkline.audit.files.data_dir import CHECKPOINT
from trunkline.audit.files.segments import first_index_of, segments_of
from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.files.tile_files import TileFiles
from trunkline.audit.format.checkpoints import Checkpoint, open_checkpoint, sign_checkpoint
from trunkline.audit.format.log_of_logs import SignedLog
from trunkline.audit.format.merkle import leaf_hash
from trunkline.audit.format.notes import BadNote, PublicKey, SigningKey
from trunkline.audit.format.records import SEALED, STARTED
from trunkline.audit.format.segment import HEADER_BYTES
from trunkline.audit.format.tiles import BadTile, Tile, Tree

# How every record begins (see `records.Envelope`): its type is told without decoding it.
STARTED_HEAD: Final = b'{"v":1,"type":"%b"' % STARTED.encode()
SEALED_HEAD: Final = b'{"v":1,"type":"%b"' % SEALED.encode()


@final
class LogTree:
    """The tree of one log. For one thread.

    `origin` is the log's, `size` counts the records that are in the tree. `checkpoint` is the one on disk, `signed` how
    many records it covers, both None where there is none. `at_seal` says whether the last record is one that a segment
    ends with.
    """

    def __init__(self, origin: str, files: TileFiles, tree: Tree, reader: BatchReader, seen: int) -> None:
        self.origin = origin
        self.signed: int | None = None
        self.checkpoint: str | None = None
        self.at_seal = False
        self._files, self._tree, self._reader = files, tree, reader
        self._seen = seen
        self._filled: list[Tile] = []
        self._started: list[int] = []
        self._sealed: list[int] = []

    @classmethod
    def open(cls, log: Path, origin: str, files: TileFiles, key: PublicKey) -> "LogTree":
        """Return the tree as the checkpoint on disk has it, an empty one where there is none.

        Raises CorruptLog if the log, its tiles or its checkpoint are not what they have to be, and OSError.
        """
        checkpoint = _checkpoint(origin, files, key)
        size = checkpoint.size if checkpoint is not None else 0
        tree = _resumed(checkpoint, files) if checkpoint is not None else Tree()
        first = _segment_of(log, size)
        reader = BatchReader(log, Position(first, HEADER_BYTES))
        if reader.origin != origin:
            raise CorruptLog(segments_of(log)[0], 0, f"it belongs to the log {reader.origin}")
        opened = cls(origin, files, tree, reader, first)
        if checkpoint is not None:
            opened.signed, opened.checkpoint = size, files.checkpoint()
        return opened

    @property
    def size(self) -> int:
        """How many records are in the tree."""
        return self._tree.size

    def step(self, most: int) -> int:
        """Take at most so many records, or one batch more, and never beyond a segment's end; return how many it read.

        Raises CorruptLog where durable bytes are damaged, or records that were signed are missing, and OSError.
        """
        read = 0
        self.at_seal = False
        for batch in self._reader.poll():
            read += len(batch.records)
            self._take(batch)
            self._write()
            if read >= most or self.at_seal:
                return read
        if self._seen < self._tree.size:
            path = segments_of(self._reader.directory)[-1]
            raise CorruptLog(path, 0, f"records {self._seen} to {self._tree.size - 1} have been signed and are missing")
        return read

    def sign(self, key: SigningKey) -> SignedLog:
        """Write the partial tiles and return the signed checkpoint of the tree; raises CorruptLog and OSError."""
        for tile, data in self._tree.partial():
            self._files.write(tile, data)
        note = sign_checkpoint(Checkpoint(self.origin, self._tree.size, self._tree.root()), key)
        return SignedLog(note, list(self._started), list(self._sealed))

    def publish(self, signed: SignedLog) -> None:
        """Put what `sign` returned, of the tree as it still is, in the last checkpoint's place; raises OSError."""
        self._files.write_checkpoint(signed.checkpoint)
        self.signed, self.checkpoint = self._tree.size, signed.checkpoint
        self._started, self._sealed = [], []
        for tile in self._filled:
            self._files.forget_partials(tile)
        self._filled = []

    def close(self) -> None:
        """Let go of the log's file."""
        self._reader.close()

    def _take(self, batch: StoredBatch) -> None:
        tree, records = self._tree, batch.records
        known = tree.size - self._seen
        self._seen += len(records)
        for record, _ in records[known:] if known > 0 else records:
            if record.startswith(STARTED_HEAD):
                self._started.append(tree.size)
            tree.append(leaf_hash(record))
        if known < len(records) and records[-1][0].startswith(SEALED_HEAD):
            self._sealed.append(tree.size - 1)
            self.at_seal = True

    def _write(self) -> None:
        for tile, data in self._tree.completed:
            self._files.write(tile, data)
            self._filled.append(tile)
        self._tree.completed = []


def _checkpoint(origin: str, files: TileFiles, key: PublicKey) -> Checkpoint | None:
    path = files.directory / CHECKPOINT
    note = files.checkpoint()
    if note is None:
        return None
    try:
        checkpoint = open_checkpoint(note, key)
    except BadNote as error:
        raise CorruptLog(path, 0, f"the checkpoint cannot be trusted: {error}") from None
    if checkpoint.origin != origin:
        raise CorruptLog(path, 0, f"the checkpoint is that of {checkpoint.origin}")
    return checkpoint


def _resumed(checkpoint: Checkpoint, files: TileFiles) -> Tree:
    path = files.directory / CHECKPOINT
    try:
        tree = Tree.resume(checkpoint.size, files.read)
    except (BadTile, FileNotFoundError) as error:
        raise CorruptLog(path, 0, f"a tile that the checkpoint needs is damaged or missing: {error}") from None
    if tree.root() != checkpoint.root:
        raise CorruptLog(path, 0, "the tiles do not lead to the checkpoint's root")
    return tree


def _segment_of(log: Path, size: int) -> int:
    """Return the first index of the segment in which the log is read on."""
    starts = [first_index_of(path) for path in segments_of(log)]
    if not starts or starts[0] > size:  # what was signed may have expired since
        raise CorruptLog(log, 0, f"its records begin with {starts[0]}" if starts else "its segments are missing")
    return max(start for start in starts if start <= size)
