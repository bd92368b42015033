"""Records: an envelope, the bodies they name, and the payload, as JSON bytes that are never written again.

`{"v":1,"type":...,"id":...,"at":...,"log":...,"index":...,"bodies":[...], <members of the payload>}`. A record of
more than MAX_RECORD bytes keeps its envelope and its call; the rest is spilled to a body, which `spilled` names.
"""

from datetime import UTC, datetime
from typing import Final

import msgspec

from trunkline.audit.format.heads import decode_call, decode_head

VERSION = 1
MAX_RECORD = 60 * 1024  # bytes
# What the envelope, the call and the reference to what was spilled need at most: an origin is at most 1,024 bytes.
ENVELOPE_ROOM = 2048
SPILL_ABOVE = MAX_RECORD - ENVELOPE_ROOM
SPILLED_PART = "members"

OPENED: Final = "call.opened"
ENDED: Final = frozenset({"call.closed", "call.abandoned"})
STARTED = "log.started"
HEARTBEAT = "log.heartbeat"
SEALED = "log.sealed"

NANOSECONDS: Final = 1_000_000_000
_CALL_MEMBER: Final = b'{"call":"'

_encode: Final = msgspec.json.Encoder().encode


class Timestamps:
    """Writes Unix nanoseconds as RFC 3339 in UTC with nine decimals; keeps the text of the current second."""

    def __init__(self) -> None:
        self._second, self._text = -1, b""

    def text(self, now_ns: int) -> bytes:
        """Return the time, such as `2026-11-23T20:00:00.123456789Z`."""
        second, rest = divmod(now_ns, NANOSECONDS)
        if second != self._second:
            self._text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
            self._second = second
        return b"%b.%09dZ" % (self._text, rest)


class Envelope:
    """Puts the envelope of one log in front of payloads."""

    def __init__(self, origin: str) -> None:
        self._origin = _encode(origin)
        self._times = Timestamps()

    def wrap(self, kind: str, record_id: str, now_ns: int, index: int, members: bytes) -> bytes:
        """Return the record; `members` are those of its JSON object, with the closing brace."""
        return b'{"v":1,"type":"%b","id":%b,"at":"%b","log":%b,"index":%d%b%b' % (
            kind.encode(),
            _encode(record_id),
            self._times.text(now_ns),
            self._origin,
            index,
            b"," if members != b"}" else b"",
            members,
        )


def call_of(kind: str, record_id: str, payload: bytes) -> str | None:
    """Return the call that a payload is about, None where it is about none.

    A call has the id of the record that opened it, and whatever ends it names it as `call`; raises ValueError if it
    does not.
    """
    if kind == OPENED:
        return record_id
    if kind not in ENDED:
        return None
    if payload.startswith(_CALL_MEMBER):  # as every encoder of ours writes it: no need to read the rest
        start = len(_CALL_MEMBER)
        return payload[start : payload.index(b'"', start)].decode()
    return decode_call(kind, payload)


def spilled_members(call: str | None, reference: bytes) -> bytes:
    """Return the members that a record keeps whose own were spilled to the body of this reference."""
    kept = b'"call":%b,' % _encode(call) if call is not None else b""
    return b'%b"spilled":%b}' % (kept, reference)


def restore(record: bytes, spilled: bytes) -> bytes:
    """Return a spilled record as it would have been written whole; `spilled` is the part that holds its members."""
    head = decode_head(record)
    end = record.rindex(b',"call":' if head.call is not None else b',"spilled":')
    return record[:end] + b"," + spilled
