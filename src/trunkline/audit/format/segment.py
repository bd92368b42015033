"""What frames a segment apart from its records: the header block, batch heads, and the seal at its end.

A segment begins with a block of 4,096 bytes: magic, version, the length of the origin, the time of making, a random
salt, the origin, and a CRC-32C; zeros fill the rest. Every batch head and the seal repeat the salt and say at which
offset they stand, so that nothing that a caller got into a body, and nothing copied from elsewhere, passes for one.
"""

from struct import Struct
from typing import Final, NamedTuple

from trunkline.audit.format import frames
from trunkline.audit.format.frames import BadFrame, crc32c, decode_frame, encode_frame

MAGIC: Final = b"TRUNKLOG"
VERSION: Final = 1
HEADER_BYTES: Final = 4096  # a block of its own: writing records never touches it again
SALT_BYTES = 16
MAX_ORIGIN: Final = 1024  # bytes

_HEADER: Final = Struct("<8sHHQ16s")  # magic, version, origin length, made at (Unix ns), salt
_BATCH: Final = Struct("<16sQQQQI")  # salt, own offset, durable offset, first index, bytes that follow, records
_SEAL: Final = Struct("<16sQQQ")  # salt, own offset, offset of the frame of `log.sealed`, index after the last record

BATCH_BYTES: Final = frames.OVERHEAD + _BATCH.size
SEAL_BYTES = frames.OVERHEAD + _SEAL.size


class Header(NamedTuple):
    """A segment's header; `made_ns` is Unix time, `salt` is random."""

    origin: str
    made_ns: int
    salt: bytes


class BadHeader(ValueError):
    """The first block of a file is not an intact segment header of a version that we read."""


class BatchHead(NamedTuple):
    """The head of a batch, or, with a length of 0, a mark: a claim alone, which the next batch overwrites.

    `durable` is the offset up to which the segment had been flushed before this head was written; `length` counts the
    bytes of the frames that follow, `records` those of them that are records, the first of which has `first_index`.
    """

    offset: int
    durable: int
    first_index: int
    length: int
    records: int

    @property
    def end(self) -> int:
        """The offset of the first byte after the batch."""
        return self.offset + BATCH_BYTES + self.length


class Seal(NamedTuple):
    """The last frame of a sealed segment."""

    offset: int
    sealed_record: int
    next_index: int


def encode_header(header: Header) -> bytes:
    """Return the header block; raises ValueError if the origin is longer than MAX_ORIGIN bytes."""
    origin = header.origin.encode()
    if len(origin) > MAX_ORIGIN:
        raise ValueError(f"an origin of {len(origin)} bytes is above the limit of {MAX_ORIGIN}")
    data = _HEADER.pack(MAGIC, VERSION, len(origin), header.made_ns, header.salt) + origin
    checksum = crc32c(data).to_bytes(frames.CHECKSUM_BYTES, "little")
    return (data + checksum).ljust(HEADER_BYTES, b"\0")


def decode_header(block: bytes) -> Header:
    """Return the header in a segment's first block; raises BadHeader."""
    if len(block) < HEADER_BYTES:
        raise BadHeader("the file is shorter than a segment's header")
    magic, version, length, made_ns, salt = _HEADER.unpack_from(block)
    if magic != MAGIC:
        raise BadHeader("the file does not begin like a segment")
    if version != VERSION:
        raise BadHeader(f"the segment has format version {version}; this build reads version {VERSION}")
    end = _HEADER.size + length
    checksum = block[end : end + frames.CHECKSUM_BYTES]
    if length > MAX_ORIGIN or crc32c(block[:end]) != int.from_bytes(checksum, "little"):
        raise BadHeader("the segment header's checksum is wrong")
    return Header(block[_HEADER.size : end].decode(), made_ns, salt)


def encode_batch_head(head: BatchHead, salt: bytes) -> bytes:
    """Return the frame of a batch's head or of a mark."""
    payload = _BATCH.pack(salt, head.offset, head.durable, head.first_index, head.length, head.records)
    return encode_frame(frames.BATCH, 0, payload)


def decode_batch_head(data: bytes, salt: bytes, offset: int) -> BatchHead | None:
    """Return the batch head that `data` begins with, if it is one and belongs at `offset` of this segment."""
    payload = _own_frame(data, offset, frames.BATCH, _BATCH.size)
    if payload is None:
        return None
    found, stands_at, *rest = _BATCH.unpack(payload)
    return BatchHead(stands_at, *rest) if found == salt and stands_at == offset else None


def encode_seal(seal: Seal, salt: bytes) -> bytes:
    """Return the frame that ends a sealed segment."""
    return encode_frame(frames.SEAL, 0, _SEAL.pack(salt, seal.offset, seal.sealed_record, seal.next_index))


def decode_seal(data: bytes, salt: bytes, offset: int) -> Seal | None:
    """Return the seal that `data` begins with, if it is one and belongs at `offset` of this segment."""
    payload = _own_frame(data, offset, frames.SEAL, _SEAL.size)
    if payload is None:
        return None
    found, stands_at, *rest = _SEAL.unpack(payload)
    return Seal(stands_at, *rest) if found == salt and stands_at == offset else None


def _own_frame(data: bytes, offset: int, kind: int, size: int) -> bytes | None:
    try:
        frame = decode_frame(data, 0, offset)
    except BadFrame:
        return None
    return frame.payload if frame.kind == kind and len(frame.payload) == size else None
