"""The Merkle tree of RFC 6962, section 2.1, with SHA-256: hashes, proofs and their checks.

Proofs are made from whatever has the hashes: a `Node` answers with that of a complete subtree, by its height and its
place among those of that height. A tree of 5 leaves has five of height 0, two of height 1 and one of height 2.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

Node = Callable[[int, int], bytes]

_sha256: Final = hashlib.sha256


def leaf_hash(record: bytes) -> bytes:
    """Return the leaf of a record: 32 bytes."""
    return _sha256(b"\0" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash above two others."""
    return _sha256(b"\1" + left + right).digest()


def complete_root(hashes: bytes) -> bytes:
    """Return the hash above these, one behind the other; there are 1, 2, 4, 8 or another power of two of them."""
    while len(hashes) > HASH_BYTES:
        pairs = range(0, len(hashes), 2 * HASH_BYTES)
        hashes = b"".join([_sha256(b"\1" + hashes[start : start + 2 * HASH_BYTES]).digest() for start in pairs])
    return hashes


def joined_root(subtrees: Sequence[bytes]) -> bytes:
    """Return the root above complete subtrees, each smaller than the one before; that of none is the empty tree's."""
    if not subtrees:
        return EMPTY_ROOT
    root = subtrees[-1]
    for subtree in reversed(subtrees[:-1]):
        root = node_hash(subtree, root)
    return root


def root_at(size: int, node: Node) -> bytes:
    """Return the root of the first `size` leaves."""
    return _root_of(0, size, node)


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """Return the proof that the leaf at `index` is one of the first `size`: its sibling first, the root's child last.

    Raises ValueError if it is none of them.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has none at {index}")
    start, end = 0, size
    proof: list[bytes] = []
    while end - start > 1:
        middle = start + _left_of(end - start)
        if index < middle:
            proof.append(_root_of(middle, end, node))
            end = middle
        else:
            proof.append(_root_of(start, middle, node))
            start = middle
    proof.reverse()
    return proof


def consistency_proof(old: int, size: int, node: Node) -> list[bytes]:
    """Return the proof that the first `size` leaves begin with the first `old`; raises ValueError if `old` is more."""
    if not 0 <= old <= size:
        raise ValueError(f"a tree of {size} leaves never had {old}")
    start, end = 0, size
    proof: list[bytes] = []
    while old not in (0, end):
        middle = start + _left_of(end - start)
        if old <= middle:
            proof.append(_root_of(middle, end, node))
            end = middle
        else:
            proof.append(_root_of(start, middle, node))
            start = middle
    if old and start:  # else the old root itself, which whoever checks has
        proof.append(_root_of(start, end, node))
    proof.reverse()
    return proof


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Return whether the proof shows that a tree with this root has this leaf at `index` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Return whether the proof shows that the tree of `size` leaves begins with that of `old` (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= size:
        return False
    if old == size:
        return not proof and old_root == root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old_root and after == root


def _left_of(leaves: int) -> int:
    """Return how many of them are left of the root: the greatest power of two below."""
    return 1 << ((leaves - 1).bit_length() - 1)


def _root_of(start: int, end: int, node: Node) -> bytes:
    """Return the root of leaves `start` to `end`, of which the first complete subtree begins at `start`."""
    subtrees: list[bytes] = []
    while start < end:
        height = (end - start).bit_length() - 1
        subtrees.append(node(height, start >> height))
        start += 1 << height
    return joined_root(subtrees)
