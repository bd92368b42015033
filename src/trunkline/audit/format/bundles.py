"""What `audit prove` hands out: the records of one call, byte for byte, each with the proof that its log has it."""

from typing import Literal, NamedTuple

import msgspec

from trunkline.audit.format.heads import BadRecord, RecordHead, decode_head
from trunkline.audit.format.notes import PublicKey
from trunkline.audit.format.records import ENDED, OPENED
from trunkline.audit.format.tlog_proofs import BadProof, check_proof, parse_proof

Format = Literal["trunkline-proof@v1"]
FORMAT: Format = "trunkline-proof@v1"


class ProvenRecord(msgspec.Struct, frozen=True):
    """A record's bytes, which are UTF-8, and a tlog-proof of them."""

    record: str
    proof: str


class Bundle(msgspec.Struct, frozen=True):
    """The records of a call: the one that opened it and, if it has ended, the one that ended it."""

    format: Format
    call: str
    records: list[ProvenRecord]


class Proven(NamedTuple):
    """A record that is proven: its envelope, and how many records its log had when that was signed."""

    head: RecordHead
    log_size: int


_decode = msgspec.json.Decoder(Bundle).decode


def encode_bundle(call: str, records: list[ProvenRecord]) -> bytes:
    """Return a bundle as a JSON file."""
    return msgspec.json.format(msgspec.json.encode(Bundle(FORMAT, call, records)), indent=1) + b"\n"


def check_bundle(data: bytes, key: PublicKey) -> list[Proven]:
    """Return what a file proves with a deployment's public key alone; raises BadProof."""
    try:
        bundle = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadProof(f"the file is no proof of a call: {error}") from None
    proven = [_check(one, key) for one in bundle.records]
    if not 1 <= len(proven) <= 2:
        raise BadProof("a proof has the record that opened a call, and the one that ended it if it has ended")
    opened = proven[0].head
    if opened.type != OPENED or opened.id != bundle.call:
        raise BadProof(f"the first record is not the one that opened the call {bundle.call}")
    for ended in proven[1:]:
        head = ended.head
        if head.type not in ENDED or head.call != opened.id or head.log != opened.log or head.index <= opened.index:
            raise BadProof("the second record is not the one that ended the call")
    return proven


def _check(one: ProvenRecord, key: PublicKey) -> Proven:
    record, proof = one.record.encode(), parse_proof(one.proof)
    checkpoint = check_proof(proof, record, key)
    try:
        head = decode_head(record)
    except BadRecord as error:
        raise BadProof(str(error)) from None
    if head.log != checkpoint.origin or head.index != proof.record_index:
        raise BadProof(f"the record says that it is record {head.index} of {head.log}")
    return Proven(head, checkpoint.size)
