"""Which calls have been opened and not yet ended: the fold of a log that a seal carries and recovery begins with."""

from collections.abc import Iterable

from trunkline.audit.format.open_call import OpenCall, decode_sealed, encode_sealed
from trunkline.audit.format.records import ENDED, OPENED
from trunkline.audit.format.references import BodyRef


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
        return encode_sealed(self._calls.values())

    @classmethod
    def from_payload(cls, payload: bytes) -> "OpenCalls":
        """Return what a `log.sealed` record carries; raises ValueError if it cannot be read."""
        return cls(decode_sealed(payload))
