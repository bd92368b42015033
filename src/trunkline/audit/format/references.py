"""How a record names a body: the reference, and the JSON object that it is in a record."""

import msgspec

Table = dict[str, tuple[int, int]]

DIGEST_PREFIX = "sha256:"
_encode = msgspec.json.Encoder().encode


class BodyRef(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a record names a body frame.

    `size` counts the stored bytes. `segment` is the first index of the segment that the frame is in; where it is
    missing the frame is in the record's own.
    """

    digest: str
    codec: str
    size: int
    parts: Table
    segment: int | None = None

    @property
    def key(self) -> bytes:
        """The digest's 32 bytes, as they stand in the frame."""
        return bytes.fromhex(self.digest.removeprefix(DIGEST_PREFIX))


def encode_reference(reference: BodyRef) -> bytes:
    """Return the JSON object for a body that was stored earlier."""
    return _encode(reference)


def decode_reference(reference: bytes, segment: int) -> BodyRef:
    """Return the reference that this JSON object is, as records in any segment can use it."""
    return msgspec.structs.replace(_decode_reference(reference), segment=segment)


_decode_reference = msgspec.json.Decoder(BodyRef).decode
