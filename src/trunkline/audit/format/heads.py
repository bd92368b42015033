"""What every reader needs of a record, whatever its type."""

import msgspec

from trunkline.audit.format.references import BodyRef


class RecordHead(msgspec.Struct, frozen=True):
    """A record's envelope, its call and the bodies that it names."""

    type: str
    id: str
    at: str
    log: str
    index: int
    call: str | None = None
    bodies: tuple[BodyRef, ...] = ()
    spilled: BodyRef | None = None


class BadRecord(ValueError):
    """Bytes that are not a record of ours, though their checksum is right."""


class _Ended(msgspec.Struct, frozen=True):
    """The member that every record which ends a call has."""

    call: str


_decode_ended = msgspec.json.Decoder(_Ended).decode
_decode_head = msgspec.json.Decoder(RecordHead).decode


def decode_head(record: bytes) -> RecordHead:
    """Return a record's envelope, its call and the bodies it names; raises BadRecord."""
    try:
        return _decode_head(record)
    except msgspec.MsgspecError as error:
        raise BadRecord(f"a record cannot be read: {error}") from None


def decode_call(kind: str, payload: bytes) -> str:
    """Return the call that the payload of a record of this kind ends; raises ValueError if it names none."""
    try:
        return _decode_ended(payload).call
    except msgspec.MsgspecError as error:
        raise ValueError(f"a {kind} payload has to name its call: {error}") from None
