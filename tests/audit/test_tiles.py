"""Tiles as the specification has them: their paths, their bytes, and a tree that goes on from them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import independent
from trunkline.audit.format.merkle import consistency_proof, inclusion_proof, is_consistent, root_at
from trunkline.audit.format.tiles import BadTile, Tile, TiledTree, Tree, full_tiles, partial_tiles, tile_at


def leaves_of(count):
    return [independent.leaf_of(b"record %d" % number) for number in range(count)]


def grown(leaves):
    """A tree of these leaves, and all of its tiles by path."""
    tree, tiles = Tree(), {}
    for leaf in leaves:
        tree.append(leaf)
    for tile, data in [*tree.completed, *tree.partial()]:
        assert tile.path not in tiles
        tiles[tile.path] = data
    return tree, tiles


def test_the_path_of_the_specification():
    assert Tile(0, 1234067, 256).path == "tile/0/x001/x234/067"
    assert Tile(3, 0, 17).path == "tile/3/000.p/17"
    assert Tile(0, 1000, 1).path == "tile/0/x001/000.p/1"
    assert Tile(0, 999, 256).path == "tile/0/999"


def test_a_tree_of_70000_leaves_has_the_tiles_that_the_specification_says():
    assert full_tiles(70_000) == [273, 1]
    assert partial_tiles(70_000) == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert partial_tiles(256) == [Tile(1, 0, 1)]
    assert partial_tiles(0) == full_tiles(255) == []


@settings(deadline=None)
@given(st.integers(0, 7), st.integers(0, 10**9), st.integers(1, 256))
def test_a_path_is_that_of_one_tile(level, index, width):
    tile = Tile(level, index, width)
    assert tile.path == independent.tile_path(level, index, width)
    assert tile_at(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/8/000", "tile/00/000", "tile/0/00", "tile/0/x000/001", "tile/0/000.p/256", "tile/0/000.p/0",
        "tile/0/000.p/01", "tile/0/000.p", "tile/0/x001", "tile/0/0001", "checkpoint",
        "tile/0/000.tmp", "tile/0/\u0661\u0661\u0661",
    ],
)  # fmt: skip
def test_what_is_no_path_of_a_tile_is_none(path):
    assert tile_at(path) is None


@settings(max_examples=30, deadline=None)
@given(st.one_of(st.integers(0, 700), st.sampled_from([65_535, 65_536, 65_537, 66_000])))
def test_a_tree_has_the_tiles_and_the_root_of_its_definition(size):
    leaves = leaves_of(size)
    tree, tiles = grown(leaves)
    assert tiles == independent.tiles_of(leaves)
    assert tree.root() == independent.tree_hash(leaves)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1200), st.integers(0, 1200))
def test_a_tree_goes_on_from_its_partial_tiles(first, more):
    leaves = leaves_of(first + more)
    before, tiles = grown(leaves[:first])
    tree = Tree.resume(first, lambda tile: tiles[tile.path])
    assert tree.root() == before.root()
    for leaf in leaves[first:]:
        tree.append(leaf)
    whole, _ = grown(leaves)
    assert (tree.size, tree.root(), tree.partial()) == (whole.size, whole.root(), whole.partial())


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 66_000), st.data())
def test_proofs_come_from_tiles(size, data):
    leaves = leaves_of(size)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    tree, tiles = grown(leaves)
    node = TiledTree(size, lambda tile: tiles[tile.path]).node
    proof = inclusion_proof(index, size, node)
    assert independent.root_from(leaves[index], index, size, proof) == tree.root()
    if old:
        old_root = root_at(old, node)
        assert is_consistent(old, old_root, size, tree.root(), consistency_proof(old, size, node))


def test_a_tile_of_another_length_is_not_taken():
    with pytest.raises(BadTile, match="31 bytes"):
        Tree.resume(1, lambda _: bytes(31))
    with pytest.raises(BadTile, match="64 bytes"):
        TiledTree(1, lambda _: bytes(64)).node(0, 0)
    with pytest.raises(ValueError, match="no complete subtree"):
        TiledTree(3, lambda _: bytes(96)).node(1, 1)


def test_a_partial_tile_says_from_which_size_on_it_can_be_there():
    assert [tile.size for tile in (Tile(0, 1, 3), Tile(1, 0, 2), Tile(0, 0, 256))] == [259, 512, 256]
