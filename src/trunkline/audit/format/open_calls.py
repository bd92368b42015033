"""Which calls have been opened and not yet ended: the fold of a log that a seal carries and recovery begins with."""

from collections.abc import Iterable

import msgspec

from trunkline.audit.format.bodies import BodyRef
from trunkline.audit.format.records import ENDED, OPENED

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


class OpenCalls:
    """The calls that are open at one point of a log."""

    def __init__(self, calls: Iterable[OpenCall] = ()) -> None:
        self._calls = {call.call: call for call in calls}

    def __len__(self) -> int:
        return len(self._calls)

    def calls(self) -> list[OpenCall]:
        """Return them, oldest first."""
        return list(self._calls.values())

    def record(self, kind: str, call: str | None, record: bytes, segment: int) -> None:
        """Take a record of this segment into account."""
        if call is None:
            return
        if kind == OPENED:
            self._calls[call] = OpenCall(call, record, segment)
        elif kind in ENDED:
            self._calls.pop(call, None)

    def body(self, call: str, reference: BodyRef) -> None:
        """Take a body frame into account that no record names yet."""
        known = self._calls.get(call)
        if known is not None:
            known.bodies.append(reference)

    def payload(self) -> bytes:
        """Return the payload of `log.sealed` at this point."""
        carried = [
            _Carried(call.call, call.segment, msgspec.Raw(call.record), call.bodies) for call in self._calls.values()
        ]
        return _encode(_Sealed(carried))

    @classmethod
    def from_payload(cls, payload: bytes) -> "OpenCalls":
        """Return what a `log.sealed` record carries; raises ValueError if it cannot be read."""
        try:
            sealed = _decode_sealed(payload)
        except msgspec.MsgspecError as error:
            raise ValueError(f"a log.sealed record cannot be read: {error}") from None
        return cls(OpenCall(call.call, bytes(call.record), call.segment, list(call.bodies)) for call in sealed.open)
