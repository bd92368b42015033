"""Entries of a key file: data keys and names, each wrapped, in slots of 256 bytes; and what is left of a destroyed one.

An entry takes one slot or, with a long name, several. A disk writes a slot whole or not at all, as it is part of one
sector, so that destroying a key in its place leaves either the key or what says that it is gone. The first slot:

    kind u8, version u8, slots u16, CRC-32C u32, made u64 (Unix seconds), id (16), person (16), month u32 (such as
    202611), root key's id (8), tenant's length u16, payload's length u16; then the tenant, the payload, zeros

The checksum covers all slots but for itself; of what is destroyed, the first slot alone, in which the id is all that is
left. `person` is a keyed digest of whose the entry is, zeros where that is nobody.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from trunkline.audit.format.frames import crc32c

SLOT: Final = 256  # bytes
HEADER: Final = b"trunkline keys 1\n".ljust(SLOT, b"\0")  # the first slot of a file
VERSION: Final = 1
DATA_KEY, NAME, DESTROYED = 1, 2, 3
KINDS: Final = frozenset({DATA_KEY, NAME, DESTROYED})
ID_AT: Final = 16
ID_BYTES: Final = 16
PERSON_BYTES: Final = 16
ROOT_BYTES: Final = 8
MOST_SLOTS: Final = 64
NO_PERSON: Final = bytes(PERSON_BYTES)

_HEAD: Final = Struct("<BBHIQ16s16sI8sHH")
_CHECKSUM_AT, _CHECKSUM_END = 4, 8
_FREE: Final = bytes(SLOT)
_pack: Final = _HEAD.pack
_checksum: Final = Struct("<I").pack_into


class KeyEntry(NamedTuple):
    """An entry; `payload` is the key or the name as it is wrapped, under the root key of this id."""

    kind: int
    made: int
    id: bytes
    person: bytes
    month: int
    root: bytes
    tenant: str
    payload: bytes


class Placed(NamedTuple):
    """What stands at an offset of a file: an entry, None where that is damaged or torn; `end` is where it ends."""

    offset: int
    end: int
    entry: KeyEntry | None


def encode_entry(entry: KeyEntry) -> bytes:
    """Return an entry's slots; raises ValueError if it would need more than MOST_SLOTS."""
    tenant = entry.tenant.encode()
    slots = -(-(_HEAD.size + len(tenant) + len(entry.payload)) // SLOT)
    if slots > MOST_SLOTS:
        raise ValueError(f"an entry of {slots} slots is above the limit of {MOST_SLOTS}")
    head = _pack(
        entry.kind,
        VERSION,
        slots,
        0,
        entry.made,
        entry.id,
        entry.person,
        entry.month,
        entry.root,
        len(tenant),
        len(entry.payload),
    )
    data = bytearray(head + tenant + entry.payload)
    data += bytes(slots * SLOT - len(data))
    _checksum(data, _CHECKSUM_AT, _sum(bytes(data)))
    return bytes(data)


def bound_to(entry: KeyEntry) -> bytes:
    """Return what an entry's payload is bound to where it is wrapped: all else that the entry says."""
    return encode_entry(entry._replace(payload=b""))


def destroyed(data: bytes) -> bytes:
    """Return what takes the place of an entry's slots: as many, with its id and nothing else."""
    _, _, slots, *_ = _HEAD.unpack_from(data)
    entry_id = data[ID_AT : ID_AT + ID_BYTES]
    head = bytearray(_pack(DESTROYED, VERSION, slots, 0, 0, entry_id, NO_PERSON, 0, bytes(ROOT_BYTES), 0, 0))
    head += bytes(SLOT - len(head))
    _checksum(head, _CHECKSUM_AT, _sum(bytes(head)))
    return bytes(head) + bytes(len(data) - SLOT)


def entry_at(data: bytes, offset: int) -> Placed | None:
    """Return what stands at this offset, None where nothing has been written."""
    first = data[offset : offset + SLOT]
    if first == _FREE[: len(first)]:
        return None
    damaged = Placed(offset, min(offset + SLOT, len(data)), None)
    if len(first) < SLOT:
        return damaged
    kind, version, slots, checksum, made, entry_id, person, month, root, tenant_bytes, size = _HEAD.unpack_from(first)
    end = offset + slots * SLOT
    if kind not in KINDS or version != VERSION or not 0 < slots <= MOST_SLOTS:
        return damaged
    if kind == DESTROYED:
        if _sum(first) != checksum:
            return damaged
        return Placed(offset, min(end, len(data)), KeyEntry(kind, made, entry_id, person, month, root, "", b""))
    if end > len(data) or _sum(data[offset:end]) != checksum:
        return damaged
    tenant_at = offset + _HEAD.size
    payload_at = tenant_at + tenant_bytes
    if payload_at + size > end:
        return damaged
    try:
        tenant = data[tenant_at:payload_at].decode()
    except UnicodeDecodeError:
        return damaged
    payload = data[payload_at : payload_at + size]
    return Placed(offset, end, KeyEntry(kind, made, entry_id, person, month, root, tenant, payload))


def entries(data: bytes) -> Iterator[Placed]:
    """Yield what stands in a file behind its header, the damaged parts too, one slot at a time."""
    offset = SLOT
    while offset < len(data):
        found = entry_at(data, offset)
        if found is None:
            offset += SLOT
        else:
            yield found
            offset = found.end


def _sum(data: bytes) -> int:
    return crc32c(data[:_CHECKSUM_AT] + data[_CHECKSUM_END:])
