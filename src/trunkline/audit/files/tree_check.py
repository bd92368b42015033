"""Checking one log's tree: its tiles against the records, and every root that was signed against both.

A tile that does not fit the records is held back until the next signed root tells which of the two was changed.
"""

from pathlib import Path
from typing import NamedTuple, final

from trunkline.audit.files.findings import Damaged, Say, damage
from trunkline.audit.files.tile_files import TileFiles
from trunkline.audit.format.merkle import HASH_BYTES, leaf_hash
from trunkline.audit.format.tiles import HEIGHT, WIDTH, Tile, Tree, full_tiles, partial_tiles


class Promise(NamedTuple):
    """A root that was signed, and where that stands: in a file, at the record of control's log, if it is that."""

    size: int
    root: bytes
    file: Path
    offset: int


class _Suspect(NamedTuple):
    """A tile that does not fit: which hash of it, and where the record stands if it is a leaf's."""

    file: Path
    hash_index: int
    record: int
    place: tuple[Path, int] | None


@final
class TreeCheck:
    """Takes the records of one log; `tiles` counts those that were compared, `kept` the promises that held."""

    def __init__(self, origin: str, files: TileFiles, promises: list[Promise], say: Say) -> None:
        self.tiles = self.kept = 0
        self._origin, self._files, self._say = origin, files, say
        self._promises = sorted(promises, reverse=True)  # the next one last
        self._next = self._promises[-1].size if self._promises else -1
        self._tree = Tree()
        self._places: list[tuple[Path, int]] = []
        self._suspects: list[_Suspect] = []
        self._spoiled = False
        self._found: dict[tuple[int, int], list[tuple[Path, Tile]]] = {}
        for path, tile in files.tiles():
            if tile is None:
                say(damage(origin, path, 0, None, "it is no tile of this log"))
            else:
                self._found.setdefault((tile.level, tile.position), []).append((path, tile))
        self._there = {tile for found in self._found.values() for _, tile in found}
        if self._next == 0:
            self._settle()

    @property
    def size(self) -> int:
        """How many records there have been."""
        return self._tree.size

    def pass_over(self, count: int) -> None:
        """Take so many records that have expired as the tiles have their hashes; raises Damaged if these are gone."""
        while self._tree.size < count:
            position = self._tree.size // WIDTH
            width = min(WIDTH, count - self._tree.size)
            wide = [one for one in self._found.get((0, position), []) if one[1].width >= width]
            path = wide[0][0] if wide else self._files.directory / Tile(0, position, WIDTH).path
            data = self._files.read(wide[0][1])[: width * HASH_BYTES] if wide else b""
            if len(data) != width * HASH_BYTES:
                reason = "a tile is missing or short whose records have expired"
                raise Damaged(damage(self._origin, path, 0, self._tree.size, reason))
            for at in range(0, len(data), HASH_BYTES):
                self._take(data[at : at + HASH_BYTES], path, at)

    def take(self, record: bytes, file: Path, offset: int) -> None:
        """Take the next record, which stands there."""
        self._take(leaf_hash(record), file, offset)

    def _take(self, leaf: bytes, file: Path, offset: int) -> None:
        self._places.append((file, offset))
        self._tree.append(leaf)
        if self._tree.completed:
            for tile, data in self._tree.completed:
                self._hold(tile, data)
            self._tree.completed = []
            self._places = []
        if self._tree.size == self._next:
            self._settle()

    def give_up(self) -> None:
        """Say which record is not the one in the tiles, if there is one, now that the log cannot be read on."""
        if not self._spoiled:
            self._hold_partial()
            self._blame_record()

    def end(self, file: Path, offset: int, covered: int) -> None:
        """Say what is missing, now that the log has ended there; `covered` records are under its checkpoint."""
        size = self._tree.size
        if self._promises:
            signed = self._promises[0].size
            reason = f"records {size} to {signed - 1} have been signed and are missing: see {self._promises[0].file}"
            self._say(damage(self._origin, file, offset, size, reason))
            self._spoiled = True
        if self._spoiled:
            return
        self._hold_partial()
        for suspect in self._suspects:
            self._blame_tile(suspect)
        for found in self._found.values():
            for path, tile in found:
                if tile.size > size:
                    self._say(damage(self._origin, path, 0, size, "a tile of records that the log does not have"))
        self._miss(covered)

    def _miss(self, covered: int) -> None:
        """Say which tiles of the tree under the checkpoint are not there."""
        wanted = [Tile(level, n, WIDTH) for level, count in enumerate(full_tiles(covered)) for n in range(count)]
        for tile in [*wanted, *partial_tiles(covered)]:
            if tile not in self._there and tile._replace(width=WIDTH) not in self._there:
                first = tile.position * WIDTH << (HEIGHT * tile.level)
                path = self._files.directory / tile.path
                self._say(damage(self._origin, path, 0, first, "a tile is missing"))

    def _hold(self, tile: Tile, data: bytes) -> None:
        """Hold the tiles on disk of this place against what the records make, as far as both go."""
        if self._spoiled:
            return
        for path, found in self._found.get((tile.level, tile.position), ()):
            try:
                there = path.read_bytes()
            except FileNotFoundError:  # a partial tile goes when the full one has come
                continue
            self.tiles += 1
            common = min(len(there), len(data), found.width * HASH_BYTES)
            if there[:common] == data[:common] and len(there) == found.width * HASH_BYTES:
                continue
            starts = range(0, common, HASH_BYTES)
            differs = [at for at in starts if there[at : at + HASH_BYTES] != data[at : at + HASH_BYTES]]
            self._suspect(path, tile, (differs[0] if differs else common) // HASH_BYTES)

    def _hold_partial(self) -> None:
        for tile, data in self._tree.partial():
            self._hold(tile, data)

    def _suspect(self, path: Path, tile: Tile, hash_index: int) -> None:
        record = (tile.position * WIDTH + hash_index) << (HEIGHT * tile.level)
        place = self._places[hash_index] if tile.level == 0 and hash_index < len(self._places) else None
        self._suspects.append(_Suspect(path, hash_index, record, place))

    def _settle(self) -> None:
        """Hold the tree against the roots that were signed of this size."""
        root = self._tree.root()
        while self._promises and self._promises[-1].size == self._tree.size:
            promise = self._promises.pop()
            if self._spoiled:
                continue
            if promise.root == root:
                self.kept += 1
                for suspect in self._suspects:
                    self._blame_tile(suspect)
                self._suspects = []
            else:
                self._break(promise)
        self._next = self._promises[-1].size if self._promises else -1

    def _break(self, promise: Promise) -> None:
        """Say which record is not what was signed, as far as the tiles tell."""
        self._hold_partial()
        if not self._blame_record():
            reason = f"the log's first {promise.size} records do not have the root that was signed of them"
            self._say(damage(self._origin, promise.file, promise.offset, None, reason))
        self._suspects = []
        self._spoiled = True

    def _blame_record(self) -> bool:
        """Say which record is the first that differs from its tile; return whether there is one."""
        for suspect in self._suspects:
            if suspect.place is not None:
                file, offset = suspect.place
                self._say(
                    damage(self._origin, file, offset, suspect.record, "the record is not the one that was signed")
                )
                return True
        return False

    def _blame_tile(self, suspect: _Suspect) -> None:
        if not self._spoiled:
            offset = suspect.hash_index * HASH_BYTES
            reason = "the tile does not fit the records"
            self._say(damage(self._origin, suspect.file, offset, suspect.record, reason))
