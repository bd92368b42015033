"""Checkpoints and proofs as texts: what is written is read, by us and by others, and nothing else is believed."""

import base64
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import independent
from trunkline.audit.format.checkpoints import Checkpoint, open_checkpoint, parse_checkpoint, sign_checkpoint
from trunkline.audit.format.merkle import inclusion_proof, leaf_hash
from trunkline.audit.format.notes import BadNote, SigningKey
from trunkline.audit.format.tiles import TiledTree, Tree
from trunkline.audit.format.tlog_proofs import BadProof, TlogProof, check_proof, parse_proof

KEY = SigningKey("deployment", hashlib.sha256(b"a key of tests").digest())
OTHER = SigningKey("deployment", hashlib.sha256(b"another key").digest())
ORIGIN = "deployment/node/worker-0"
EXAMPLE = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


def records_of(count):
    return [b'{"index":%d}' % number for number in range(count)]


def proof_of(records, index, key=KEY, origin=ORIGIN):
    tree = Tree()
    for record in records:
        tree.append(leaf_hash(record))
    tiles = dict([*tree.completed, *tree.partial()])
    node = TiledTree(tree.size, tiles.__getitem__).node
    note = sign_checkpoint(Checkpoint(origin, tree.size, tree.root()), key)
    return TlogProof(index, inclusion_proof(index, tree.size, node), note)


def test_the_checkpoint_of_the_specification_is_read_and_written():
    found = parse_checkpoint(EXAMPLE)
    assert (found.origin, found.size) == ("example.com/behind-the-sofa", 20852163)
    assert found.root == base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    assert found.text == EXAMPLE


@pytest.mark.parametrize(
    "text",
    [
        "", "a\n1\n", "\n1\nAAAA\n", EXAMPLE[:-1], f"{EXAMPLE}more\n", EXAMPLE.replace("20852163", "020852163"),
        EXAMPLE.replace("20852163", "-1"), EXAMPLE.replace("CsUY", "sUY"), EXAMPLE.replace("q2I=", "q2J="),
        EXAMPLE.replace("CsUY", "C!UY"), EXAMPLE.replace("20852163", "\u0661"),
    ],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(text):
    with pytest.raises(BadNote):
        parse_checkpoint(text)


def test_a_checkpoint_is_believed_of_logs_of_the_keys_deployment_alone():
    note = sign_checkpoint(Checkpoint(ORIGIN, 7, bytes(32)), KEY)
    assert open_checkpoint(note, KEY.public) == Checkpoint(ORIGIN, 7, bytes(32))
    assert open_checkpoint(note, KEY.public.named(ORIGIN)).size == 7
    for key in (OTHER.public, KEY.public.named("deploy"), KEY.public.named("deployment/node/worker-1")):
        with pytest.raises(BadNote):
            open_checkpoint(note, key)
    with pytest.raises(BadNote, match="cannot be the origin"):
        open_checkpoint(note.replace(ORIGIN, "deployment/a b"), KEY.public)
    with pytest.raises(BadNote, match="signature"):
        open_checkpoint(note.replace("\n7\n", "\n8\n"), KEY.public)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 600), st.data())
def test_a_proof_convinces_us_and_a_verifier_that_shares_nothing_with_us(count, data):
    index = data.draw(st.integers(0, count - 1))
    records = records_of(count)
    proof = proof_of(records, index)
    assert parse_proof(proof.text) == proof
    assert check_proof(proof, records[index], KEY.public).size == count
    assert independent.proven(proof.text, records[index], KEY.public.key) == (ORIGIN, count, index)


def test_a_proof_proves_its_record_alone_and_under_its_key_alone():
    records = records_of(5)
    proof = proof_of(records, 3)
    for record, key, reason in (
        (records[2], KEY.public, "not what the log had at 3"),
        (records[3] + b" ", KEY.public, "not what the log had"),
        (records[3], OTHER.public, "cannot be trusted: it is not signed by"),
    ):
        with pytest.raises(BadProof, match=reason):
            check_proof(proof, record, key)
    with pytest.raises(BadProof):
        check_proof(proof._replace(record_index=2), records[3], KEY.public)


def test_extra_data_is_passed_over():
    text = proof_of(records_of(3), 1).text
    first, rest = text.split("\n", 1)
    assert parse_proof(f"{first}\nextra AAAA\n{rest}") == parse_proof(text)


GOOD = proof_of(records_of(3), 1).text


@pytest.mark.parametrize(
    "text",
    [
        "", "c2sp.org/tlog-proof@v1\n\n", GOOD.replace("@v1", "@v2"), GOOD.replace("index 1", "index 01"),
        GOOD.replace("index 1\n", ""), GOOD.replace("index 1", "index x"),
        GOOD.replace("index 1\n", "index 1\nAAAA\n"), GOOD.replace("index 1\n", "index 1\n!\n"),
        GOOD.replace("index 1\n", "index 1\n" + ("A" * 43 + "=\n") * 65), GOOD + "x" * 70_000,
    ],
)  # fmt: skip
def test_what_is_no_proof_is_refused(text):
    with pytest.raises(BadProof):
        parse_proof(text)
