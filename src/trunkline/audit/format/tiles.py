"""A Merkle tree in tiles of 256 hashes, as C2SP's tlog-tiles has them (https://c2sp.org/tlog-tiles).

A tile of level 0 has the hashes of leaves, one of a level above those of full tiles of the level below. What does not
fill a tile is a partial one, named by its width, which a later checkpoint has wider or full.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple, final

from trunkline.audit.format.merkle import HASH_BYTES, complete_root, joined_root

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
FULL_BYTES: Final = WIDTH * HASH_BYTES
# 2**64 leaves take 8 levels.
_PATH: Final = re.compile(r"tile/([0-7])/((?:x\d{3}/)*)(\d{3})(?:\.p/([1-9]\d{0,2}))?", re.ASCII)


class Tile(NamedTuple):
    """Which tile: its level, its place among those of the level, and how many hashes it has."""

    level: int
    position: int
    width: int

    @property
    def path(self) -> str:
        """Where it is, such as `tile/0/x001/x234/067` or `tile/1/000.p/17`."""
        digits = f"{self.position:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        parts = [digits[start : start + 3] for start in range(0, len(digits), 3)]
        last = parts.pop()
        whole = "".join(f"x{part}/" for part in parts) + last
        return f"tile/{self.level}/{whole}" + (f".p/{self.width}" if self.width < WIDTH else "")

    @property
    def size(self) -> int:
        """How many leaves a tree has at least that has this tile."""
        return (self.position * WIDTH + self.width) << (HEIGHT * self.level)


Read = Callable[[Tile], bytes]


class BadTile(ValueError):
    """A tile does not have the hashes that its name promises."""


def tile_at(path: str) -> Tile | None:
    """Return the tile that has this path, None if it is none's."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    level, above, last, width = found.groups()
    tile = Tile(int(level), int(above.replace("x", "").replace("/", "") + last), int(width or WIDTH))
    return tile if tile.path == path else None


def partial_tiles(size: int) -> list[Tile]:
    """Return the partial tiles of a tree of so many leaves, lowest level first."""
    tiles = []
    level = 0
    while size:
        if size % WIDTH:
            tiles.append(Tile(level, size // WIDTH, size % WIDTH))
        size //= WIDTH
        level += 1
    return tiles


def full_tiles(size: int) -> list[int]:
    """Return how many full tiles a tree of so many leaves has, by level."""
    counts = []
    while size >= WIDTH:
        size //= WIDTH
        counts.append(size)
    return counts


@final
class Tree:
    """A tree that grows by leaves, of which it keeps no more than its partial tiles.

    `completed` are the tiles that have become full, with their bytes, for whoever takes them out.
    """

    def __init__(self) -> None:
        self.size = 0
        self.completed: list[tuple[Tile, bytes]] = []
        self._levels: list[list[bytes]] = [[]]

    @classmethod
    def resume(cls, size: int, read: Read) -> "Tree":
        """Return the tree of so many leaves, from its partial tiles; raises BadTile, and what `read` raises."""
        tree = cls()
        tree.size = size
        for tile in partial_tiles(size):
            data = read(tile)
            if len(data) != tile.width * HASH_BYTES:
                raise BadTile(f"{tile.path} has {len(data)} bytes")
            while len(tree._levels) <= tile.level:
                tree._levels.append([])
            tree._levels[tile.level] = [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
        return tree

    def append(self, leaf: bytes) -> None:
        """Add the hash of a leaf."""
        self.size += 1
        hashes = self._levels[0]
        hashes.append(leaf)
        if len(hashes) == WIDTH:
            self._complete()

    def partial(self) -> list[tuple[Tile, bytes]]:
        """Return the partial tiles, lowest level first, with their bytes."""
        return [(tile, b"".join(self._levels[tile.level])) for tile in partial_tiles(self.size)]

    def root(self) -> bytes:
        """Return the root, 32 bytes."""
        subtrees: list[bytes] = []
        for hashes in reversed(self._levels):
            start = 0
            while start < len(hashes):
                count = 1 << ((len(hashes) - start).bit_length() - 1)
                subtrees.append(complete_root(b"".join(hashes[start : start + count])))
                start += count
        return joined_root(subtrees)

    def _complete(self) -> None:
        """Hand out the tiles that are full, each level's last hash being the next one's first."""
        level = 0
        while len(self._levels[level]) == WIDTH:
            data = b"".join(self._levels[level])
            index = (self.size >> (HEIGHT * (level + 1))) - 1
            self.completed.append((Tile(level, index, WIDTH), data))
            self._levels[level] = []
            level += 1
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(complete_root(data))


@final
class TiledTree:
    """The hashes of a tree of so many leaves, from its tiles; `node` is what proofs are made from."""

    def __init__(self, size: int, read: Read) -> None:
        self._size, self._read = size, read
        self._tiles: dict[Tile, bytes] = {}

    def node(self, height: int, index: int) -> bytes:
        """Return the hash of a complete subtree; raises BadTile, and what reading tiles raises."""
        level, above = divmod(height, HEIGHT)
        first, count = index << above, 1 << above
        tile_index, start = divmod(first, WIDTH)
        width = min(WIDTH, (self._size >> (HEIGHT * level)) - tile_index * WIDTH)
        if start + count > width:
            raise ValueError(f"a tree of {self._size} leaves has no complete subtree {index} of height {height}")
        data = self._tile(Tile(level, tile_index, width))
        return complete_root(data[start * HASH_BYTES : (start + count) * HASH_BYTES])

    def _tile(self, tile: Tile) -> bytes:
        data = self._tiles.get(tile)
        if data is None:
            data = self._tiles[tile] = self._read(tile)
            if len(data) != tile.width * HASH_BYTES:
                raise BadTile(f"{tile.path} has {len(data)} bytes")
        return data
