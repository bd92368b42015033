"""A call that has been opened and not yet ended, and how a seal carries such calls into the next segment."""

from collections.abc import Iterable

import msgspec

from trunkline.audit.format.references import BodyRef

_encode = msgspec.json.Encoder().encode


class OpenCall(msgspec.Struct):
    """A call without an end: its opened record, whole, and the body frames that were kept for it since.

    `segment` is the first index of the segment that the record is in.
    """

    call: str
    record: bytes
    segment: int
    bodies: list[BodyRef] = []

    def bytes_of(self, part: str) -> int:
        """Return how many bytes of this part are in the frames; the attempt's number in front (`2.`) is ignored."""
        return sum(
            length
            for body in self.bodies
            for name, (_, length) in body.parts.items()
            if name == part or name.partition(".")[2] == part
        )


class _Carried(msgspec.Struct, frozen=True, omit_defaults=True):
    """An open call as `log.sealed` carries it."""

    call: str
    segment: int
    record: msgspec.Raw
    bodies: list[BodyRef] = []


class _Sealed(msgspec.Struct, frozen=True):
    """The payload of `log.sealed`."""

    open: list[_Carried]


_decode_sealed = msgspec.json.Decoder(_Sealed).decode


def encode_sealed(calls: Iterable[OpenCall]) -> bytes:
    """Return the payload of a `log.sealed` that carries these calls."""
    carried = [_Carried(call.call, call.segment, msgspec.Raw(call.record), call.bodies) for call in calls]
    return _encode(_Sealed(carried))


def decode_sealed(payload: bytes) -> list[OpenCall]:
    """Return the calls that a `log.sealed` carries; raises ValueError if it cannot be read."""
    try:
        sealed = _decode_sealed(payload)
    except msgspec.MsgspecError as error:
        raise ValueError(f"a log.sealed record cannot be read: {error}") from None
    return [OpenCall(call.call, bytes(call.record), call.segment, list(call.bodies)) for call in sealed.open]
