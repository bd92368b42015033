"""Proofs that a log has a record, for whoever has the log's public key and nothing else.

The text is C2SP's tlog-proof (https://c2sp.org/tlog-proof): the record's index, the hashes from its leaf's sibling to
the root's child, and a signed checkpoint.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from typing import Final, NamedTuple

from trunkline.audit.format.checkpoints import Checkpoint, open_checkpoint
from trunkline.audit.format.merkle import HASH_BYTES, is_included, leaf_hash
from trunkline.audit.format.notes import MAX_NOTE, BadNote, PublicKey

FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
EXTRA: Final = "extra "
INDEX: Final = "index "
# A tree of 2**64 leaves is that high.
MAX_HASHES: Final = 64
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class BadProof(ValueError):
    """A proof is not well-formed, or does not prove what it is to prove."""


class TlogProof(NamedTuple):
    """That the record at `record_index` is in the tree of the signed `checkpoint`."""

    record_index: int
    hashes: list[bytes]
    checkpoint: str

    @property
    def text(self) -> str:
        """The proof as others take it."""
        hashes = "".join(f"{b64encode(one).decode()}\n" for one in self.hashes)
        return f"{FIRST_LINE}\n{INDEX}{self.record_index}\n{hashes}\n{self.checkpoint}"


def parse_proof(text: str) -> TlogProof:
    """Return the proof that a text is; raises BadProof. What it has as `extra` proves nothing and is left out."""
    if len(text) > MAX_NOTE:
        raise BadProof("it is too long for a proof")
    head, between, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not between or lines.pop(0) != FIRST_LINE:
        raise BadProof(f"a proof begins with {FIRST_LINE}")
    if lines and lines[0].startswith(EXTRA):
        lines.pop(0)
    index = lines.pop(0).removeprefix(INDEX) if lines and lines[0].startswith(INDEX) else ""
    if not _NUMBER.fullmatch(index):
        raise BadProof("a proof has the index of its record")
    if len(lines) > MAX_HASHES:
        raise BadProof("a proof has too many hashes")
    return TlogProof(int(index), [_hash(line) for line in lines], checkpoint)


def check_proof(proof: TlogProof, record: bytes, key: PublicKey) -> Checkpoint:
    """Return the checkpoint whose tree has these bytes at the proof's index; raises BadProof.

    `key` is the deployment's, or named by the log's origin.
    """
    try:
        checkpoint = open_checkpoint(proof.checkpoint, key)
    except BadNote as error:
        raise BadProof(f"the checkpoint cannot be trusted: {error}") from None
    if not is_included(leaf_hash(record), proof.record_index, checkpoint.size, proof.hashes, checkpoint.root):
        raise BadProof(f"the record is not what the log had at {proof.record_index}")
    return checkpoint


def _hash(line: str) -> bytes:
    try:
        found = b64decode(line, validate=True)
    except (BadBase64, ValueError):
        found = b""
    if len(found) != HASH_BYTES:
        raise BadProof("a line of a proof is no hash")
    return found
