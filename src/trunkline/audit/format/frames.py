"""Frames: the unit that a segment is made of.

A frame is a head of eight bytes (payload length u32, kind u8, codec u8, two zero bytes; little-endian), the payload,
and the CRC-32C (RFC 3720, B.4) of head and payload as u32.
"""

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Final, NamedTuple

import google_crc32c

HEAD: Final = Struct("<IBBH")
CHECKSUM_BYTES: Final = 4
OVERHEAD: Final = HEAD.size + CHECKSUM_BYTES
MAX_PAYLOAD = 1 << 30  # bytes; a length above it is damage, not data

BATCH = 1
RECORD = 2
BODY = 3
SEAL = 4
KINDS: Final = frozenset({BATCH, RECORD, BODY, SEAL})

_pack_head: Final = HEAD.pack
_pack_checksum: Final = Struct("<I").pack
crc32c: Final[Callable[[bytes], int]] = google_crc32c.value


class Frame(NamedTuple):
    """A frame as read: `offset` is where its head begins in the segment, `end` the first byte after it."""

    kind: int
    codec: int
    payload: bytes
    offset: int

    @property
    def end(self) -> int:
        """The offset of the first byte after the frame."""
        return self.offset + OVERHEAD + len(self.payload)


class BadFrame(ValueError):
    """Bytes that are not a whole, intact frame; `offset` says where."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"{reason} at offset {offset}")
        self.offset, self.reason = offset, reason


def encode_frame(kind: int, codec: int, payload: bytes) -> bytes:
    """Return the frame with this payload; raises ValueError if it is longer than MAX_PAYLOAD bytes."""
    length = len(payload)
    if length > MAX_PAYLOAD:
        raise ValueError(f"a frame of {length} bytes is above the limit of {MAX_PAYLOAD}")
    data = _pack_head(length, kind, codec, 0) + payload
    return data + _pack_checksum(crc32c(data))


def decode_frame(data: bytes, start: int, base: int) -> Frame:
    """Return the frame that begins at `data[start]`; `base` is the offset of `data` in the segment.

    Raises BadFrame.
    """
    if len(data) - start < OVERHEAD:
        raise BadFrame(base + start, "a frame is cut short")
    length, kind, codec, reserved = HEAD.unpack_from(data, start)
    if kind not in KINDS or reserved or length > MAX_PAYLOAD:
        raise BadFrame(base + start, "no frame begins")
    end = start + HEAD.size + length
    if end + CHECKSUM_BYTES > len(data):
        raise BadFrame(base + start, "a frame is cut short")
    if crc32c(data[start:end]) != int.from_bytes(data[end : end + CHECKSUM_BYTES], "little"):
        raise BadFrame(base + start, "a frame's checksum is wrong")
    return Frame(kind, codec, data[start + HEAD.size : end], base + start)


def decode_frames(data: bytes, base: int) -> Iterator[Frame]:
    """Yield the frames that fill `data` exactly; raises BadFrame at the first that is not whole and intact."""
    start = 0
    while start < len(data):
        frame = decode_frame(data, start, base)
        yield frame
        start = frame.end - base
