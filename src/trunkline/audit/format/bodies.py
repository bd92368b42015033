"""Bodies: what was asked and answered, byte for byte, in frames that a record names by the digest of the stored bytes.

The parts of one body (a request, a response, its timing) are stored one after the other as a single piece, so that
a record costs one compression and one digest. A body frame's payload is the SHA-256 of the stored bytes (32 bytes),
the length of the call's id (u16), the length of the table of parts (u32), the id, the table, the stored bytes. The
table is the JSON object that stands in the record too: `{"request":[0,353]}`, offset and length before storing.
With a vault the stored bytes are encrypted (`sealing`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Final, NamedTuple

import msgspec

from trunkline.audit.format import codecs
from trunkline.audit.format.codecs import BadBody, Codec
from trunkline.audit.format.frames import BODY, Frame, encode_frame
from trunkline.audit.format.references import DIGEST_PREFIX, BodyRef, Table
from trunkline.audit.format.sealing import NO_KEYS, DataKey, OpeningKeys, bound_to, opened

Part = bytes | Sequence[bytes]
Bodies = Mapping[str, Part]

_FIXED: Final = Struct("<32sHI")
_pack_fixed: Final = _FIXED.pack
_decode_table: Final = msgspec.json.Decoder(Table).decode
_sha256: Final = hashlib.sha256

CODEC_NAMES: Final = {
    codecs.PLAIN: "none",
    codecs.ZSTD: "zstd",
    codecs.PLAIN + codecs.ENCRYPTED: "none" + codecs.AES256GCM,
    codecs.ZSTD + codecs.ENCRYPTED: "zstd" + codecs.AES256GCM,
}
HASHED_WITH_LOCK: Final = 2047
QUICKLY_HASHED: Final = 32 * 1024


class StoredBody(NamedTuple):
    """A body frame as read; `bound` is what an encrypted one is bound to."""

    digest: bytes
    call: str
    parts: Table
    codec: int
    stored: bytes
    bound: bytes


def encode_body(call: str, bodies: Bodies, codec: Codec, key: DataKey | None = None) -> tuple[bytes, bytes]:
    """Return the frame that holds these parts of a call, and the JSON object by which a record names it.

    With a key they are encrypted.
    """
    pieces: list[bytes] = []
    table = "{"
    size = 0
    for name, part in bodies.items():
        if isinstance(part, bytes):
            length = len(part)
            pieces.append(part)
        else:
            length = size_of(part)
            pieces.extend(part)
        table += f'"{name}":[{size},{length}],'
        size += length
    table = table[:-1] + "}" if bodies else "{}"
    stored = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    how = codecs.PLAIN_CODEC
    if size >= codec.least:
        how = codec
        stored = codec.pack(stored)
    labels = (call + table).encode()
    call_length = len(labels) - len(table)
    number, label = how.number, how.label
    if key is not None:
        number, label = how.encrypted_number, how.encrypted_label
        stored = key.seal(stored, bound_to(number, call_length, labels))
    digest = _digest(stored)
    fixed = _pack_fixed(digest, call_length, len(table))
    frame = encode_frame(BODY, number, b"".join((fixed, labels, stored)))
    reference = f'{{"digest":"sha256:{digest.hex()}","codec":"{label}","size":{len(stored)},"parts":{table}}}'
    return frame, reference.encode()


def size_of(part: Part) -> int:
    """Return the bytes of a part, before it is stored."""
    if isinstance(part, bytes):
        return len(part)
    size = 0
    for piece in part:
        size += len(piece)
    return size


def _digest(stored: bytes) -> bytes:
    """Return the SHA-256. hashlib lets go of the interpreter's lock for pieces from 2 KiB on; a call's few are too
    quick to be worth handing the lock to another thread and getting it back.
    """
    if not HASHED_WITH_LOCK < len(stored) <= QUICKLY_HASHED:
        return _sha256(stored).digest()
    digest, view = _sha256(), memoryview(stored)
    for start in range(0, len(stored), HASHED_WITH_LOCK):
        digest.update(view[start : start + HASHED_WITH_LOCK])
    return digest.digest()


def decode_body(frame: Frame) -> StoredBody:
    """Return what a body frame holds, not yet opened; raises BadBody if it is not laid out as one."""
    payload = frame.payload
    if len(payload) < _FIXED.size:
        raise BadBody("a body frame is too short")
    digest, call_length, table_length = _FIXED.unpack_from(payload)
    table_at = _FIXED.size + call_length
    stored_at = table_at + table_length
    if stored_at > len(payload):
        raise BadBody("a body frame is shorter than its own table")
    try:
        call = payload[_FIXED.size : table_at].decode()
        parts = _decode_table(payload[table_at:stored_at])
    except (UnicodeDecodeError, msgspec.MsgspecError) as error:
        raise BadBody(f"a body frame's table cannot be read: {error}") from None
    bound = bound_to(frame.codec, call_length, payload[_FIXED.size : stored_at])
    return StoredBody(digest, call, parts, frame.codec, payload[stored_at:], bound)


def reference_of(body: StoredBody, segment: int) -> BodyRef:
    """Return how a record in another place names this body of the given segment."""
    name = CODEC_NAMES.get(body.codec, str(body.codec))
    return BodyRef(DIGEST_PREFIX + body.digest.hex(), name, len(body.stored), body.parts, segment)


def parts_of(body: StoredBody, keys: OpeningKeys = NO_KEYS) -> dict[str, bytes]:
    """Return a body's parts by name; raises BadBody if the digest or the table does not fit the stored bytes.

    Raises KeyMissing or BodyErased if it is encrypted and there is no key for it, or no more.
    """
    if _sha256(body.stored).digest() != body.digest:
        raise BadBody("a body's digest is wrong")
    spans = sorted(body.parts.values())
    end = 0
    for offset, length in spans:
        if offset != end or length < 0:
            raise BadBody("a body's parts do not lie one after the other")
        end += length
    codec, stored = body.codec, body.stored
    if codec in CODEC_NAMES and codec >= codecs.ENCRYPTED:
        codec, stored = codec - codecs.ENCRYPTED, opened(stored, body.bound, keys)
    data = codecs.unpack(codec, stored, end)
    return {name: data[offset : offset + length] for name, (offset, length) in body.parts.items()}
