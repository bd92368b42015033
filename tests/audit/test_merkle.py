"""The tree against the vectors of certificate-transparency-go's reference tests, and against its own definition."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import independent
from trunkline.audit.format.merkle import (
    EMPTY_ROOT,
    complete_root,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hash,
    root_at,
)

# Published with Certificate Transparency's reference implementation and github.com/transparency-dev/merkle (testonly).
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    bytes.fromhex(text)
    for text in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}
CONSISTENCY = {
    (1, 1): [],
    (1, 8): INCLUSION[0, 8],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def nodes_of(leaves):
    """Answer with the hash of any complete subtree."""

    def node(height, index):
        found = leaves[index << height : (index + 1) << height]
        assert len(found) == 1 << height
        return complete_root(b"".join(found))

    return node


def leaves_of(count):
    return [leaf_hash(b"record %d" % number) for number in range(count)]


def hexed(proof):
    return [one.hex() for one in proof]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_published_ones(size):
    leaves = [leaf_hash(leaf) for leaf in LEAVES]
    assert root_at(size, nodes_of(leaves)) == ROOTS[size]


def test_the_empty_tree_has_the_published_root():
    assert ROOTS[0] == EMPTY_ROOT


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_inclusion_proofs_are_the_published_ones(index, size):
    leaves = [leaf_hash(leaf) for leaf in LEAVES]
    proof = inclusion_proof(index, size, nodes_of(leaves))
    assert hexed(proof) == INCLUSION[index, size]
    assert is_included(leaves[index], index, size, proof, ROOTS[size])


@pytest.mark.parametrize(("old", "size"), CONSISTENCY)
def test_consistency_proofs_are_the_published_ones(old, size):
    leaves = [leaf_hash(leaf) for leaf in LEAVES]
    proof = consistency_proof(old, size, nodes_of(leaves))
    assert hexed(proof) == CONSISTENCY[old, size]
    assert is_consistent(old, ROOTS[old], size, ROOTS[size], proof)


@settings(deadline=None)
@given(st.integers(1, 300), st.data())
def test_every_leaf_is_proven_to_a_verifier_that_shares_nothing_with_us(size, data):
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    root = independent.tree_hash(leaves)
    proof = inclusion_proof(index, size, nodes_of(leaves))
    assert root_at(size, nodes_of(leaves)) == root
    assert independent.root_from(leaves[index], index, size, proof) == root
    assert is_included(leaves[index], index, size, proof, root)


@settings(deadline=None)
@given(st.integers(1, 80), st.data())
def test_a_proof_holds_for_its_leaf_index_size_and_hashes_alone(size, data):
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    root = independent.tree_hash(leaves)
    proof = inclusion_proof(index, size, nodes_of(leaves))
    other = data.draw(st.integers(0, size + 3).filter(lambda found: found != index))
    assert not is_included(leaves[index], other, size, proof, root)
    assert not is_included(leaf_hash(b"another"), index, size, proof, root)
    assert not is_included(leaves[index], index, size, [*proof, bytes(32)], root)
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        assert not is_included(leaves[index], index, size, proof[:place] + proof[place + 1 :], root)
        changed = hashlib.sha256(proof[place]).digest()
        assert not is_included(leaves[index], index, size, [*proof[:place], changed, *proof[place + 1 :]], root)


@settings(deadline=None)
@given(st.integers(0, 150), st.integers(0, 150))
def test_a_tree_is_consistent_with_each_of_its_beginnings_and_with_nothing_else(old, more):
    size = old + more
    leaves = leaves_of(size)
    root, old_root = independent.tree_hash(leaves), independent.tree_hash(leaves[:old])
    proof = consistency_proof(old, size, nodes_of(leaves))
    assert is_consistent(old, old_root, size, root, proof)
    assert not is_consistent(old, hashlib.sha256(old_root).digest(), size, root, proof)
    assert not is_consistent(old, old_root, size, hashlib.sha256(root).digest(), proof) or old == 0
    assert not is_consistent(old, old_root, size, root, [*proof, bytes(32)])
    if proof:
        assert not is_consistent(old, old_root, size, root, proof[1:])


def test_what_a_tree_does_not_have_cannot_be_asked_for():
    node = nodes_of(leaves_of(5))
    for index, size in ((5, 5), (-1, 5), (0, 0)):
        with pytest.raises(ValueError, match="has none"):
            inclusion_proof(index, size, node)
        assert not is_included(bytes(32), index, size, [], bytes(32))
    with pytest.raises(ValueError, match="never had"):
        consistency_proof(6, 5, node)
    assert not is_consistent(6, bytes(32), 5, bytes(32), [])
    assert not is_consistent(3, bytes(32), 5, bytes(32), [])
