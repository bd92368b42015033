"""The files that prove one log: its tiles, and its checkpoint, laid out as C2SP's tlog-tiles has them.

Each is written under another name, flushed, and then given its own: whoever sees it sees all of it. A full tile is
never written again.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, final

from trunkline.audit.files.data_dir import CHECKPOINT
from trunkline.audit.files.directories import make_private_directory
from trunkline.audit.files.disk import Disk, sync_directory
from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.merkle import HASH_BYTES
from trunkline.audit.format.notes import MAX_NOTE
from trunkline.audit.format.tiles import FULL_BYTES, WIDTH, Tile, tile_at

TILES: Final = "tile"
UNFINISHED: Final = "unfinished"
PARTIAL: Final = ".p"


@final
class TileFiles:
    """The directory of one log's proof. Its methods raise OSError."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        self.directory, self._disk = directory, disk

    def read(self, tile: Tile) -> bytes:
        """Return a tile's bytes; what a partial one had is in the full one, once that is there."""
        path = self.directory / tile.path
        try:
            return _read(path, FULL_BYTES)
        except FileNotFoundError:
            if tile.width == WIDTH:
                raise
            full = self.directory / tile._replace(width=WIDTH).path
            return _read(full, FULL_BYTES)[: tile.width * HASH_BYTES]

    def write(self, tile: Tile, data: bytes) -> None:
        """Write a tile, unless it is there; raises CorruptLog if another one is there in its place."""
        path = self.directory / tile.path
        if path.exists():
            if _read(path, FULL_BYTES) != data:
                raise CorruptLog(path, 0, "the tile is not that of the log's records")
            return
        self._make_directory(path.parent)
        self._write(path, data)

    def checkpoint(self) -> str | None:
        """Return the checkpoint, None if there is none; raises CorruptLog if it is no text."""
        path = self.directory / CHECKPOINT
        try:
            return _read(path, MAX_NOTE).decode()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise CorruptLog(path, 0, "the checkpoint is not text") from None

    def write_checkpoint(self, note: str) -> None:
        """Put a checkpoint in the place of the one that is there."""
        self._make_directory(self.directory)
        self._write(self.directory / CHECKPOINT, note.encode())

    def forget_partials(self, tile: Tile) -> None:
        """Remove the partial tiles that have become this full one."""
        directory = self.directory / (tile.path + PARTIAL)
        if not directory.is_dir():
            return
        for path in directory.iterdir():
            path.unlink()
        directory.rmdir()

    def tiles(self) -> Iterator[tuple[Path, Tile | None]]:
        """Yield every file among the tiles, and which tile it is, if its name is one's."""
        for above, directories, names in os.walk(self.directory / TILES):
            directories.sort()
            for name in sorted(names):
                path = Path(above) / name
                yield path, tile_at(path.relative_to(self.directory).as_posix())

    def _make_directory(self, path: Path) -> None:
        """Make a directory, and those above it that are missing, so that a power cut leaves them."""
        if path.is_dir():
            return
        self._make_directory(path.parent)
        make_private_directory(path)
        sync_directory(path.parent)

    def _write(self, path: Path, data: bytes) -> None:
        unfinished = self.directory / UNFINISHED
        fd = self._disk.create(unfinished)
        try:
            self._disk.write(fd, data, 0)
            self._disk.sync(fd)
        finally:
            self._disk.close(fd)
        self._disk.rename(unfinished, path)


def _read(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        return file.read(most + 1)
