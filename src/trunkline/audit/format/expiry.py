"""`log.expired`, in control's log: the beginning of another log was deleted, as its time was over.

It is written, and durable, before anything is deleted. The tree's hashes of these records stay where they are, so all
that was signed can still be checked, and what remains is proved as before.
"""

import msgspec

EXPIRED = "log.expired"


class ExpiredSegment(msgspec.Struct, frozen=True):
    """A file that was deleted: records from `first` on, up to before `following`, in `size` bytes of this SHA-256."""

    first: int
    following: int
    size: int
    sha256: str


class LogExpired(msgspec.Struct, frozen=True, omit_defaults=True):
    """The log of this `origin` begins with the record `following` from now on; `open` are the calls open at that point.

    `who` ran the command; `tenants` are those whose records were among what was deleted.
    """

    origin: str
    following: int
    segments: list[ExpiredSegment]
    who: str
    tenants: list[str] = []
    open: list[str] = []


encode_expired = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(LogExpired).decode


def decode_expired(record: bytes) -> LogExpired:
    """Return what a `log.expired` record says; raises ValueError if it cannot be read."""
    try:
        return _decode(record)
    except msgspec.MsgspecError as error:
        raise ValueError(f"a {EXPIRED} record cannot be read: {error}") from None
