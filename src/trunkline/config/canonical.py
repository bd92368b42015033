"""A snapshot, and a directory, as bytes and back. Light on purpose: the worker imports nothing else of the package.

The bytes are canonical JSON (RFC 8785), so that equal snapshots have equal bytes and the SHA-256 of the bytes names
the snapshot in every record. Decimals are strings: JSON's numbers are binary floats.

A directory is a line of JSON for each user, in the order of their names, and is named by its SHA-256 too.
"""

import hashlib
from collections.abc import Iterable, Iterator

import msgspec
import rfc8785

from trunkline.model.directory import Member
from trunkline.model.snapshot import Snapshot

# Between two pieces of so many bytes another thread can run: a worker that reads a directory is carrying calls.
PIECE_BYTES = 64 * 1024
_DECODER = msgspec.json.Decoder(Snapshot)
_MEMBERS = msgspec.json.Decoder(Member)


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """Return the canonical bytes of a snapshot."""
    return rfc8785.dumps(msgspec.to_builtins(snapshot))


def decode_snapshot(data: bytes) -> Snapshot:
    """Return the snapshot of these bytes; raises `msgspec.ValidationError` or `msgspec.DecodeError` if it is none."""
    return _DECODER.decode(data)


def digest_of(data: bytes) -> str:
    """Return the name of the snapshot with these bytes: their SHA-256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def encode_directory(members: Iterable[Member]) -> bytes:
    """Return the canonical bytes of a directory."""
    return msgspec.json.Encoder().encode_lines(sorted(members, key=lambda member: member.user))


def decode_directory(data: bytes) -> Iterator[Member]:
    """Yield the members of a directory's canonical bytes, piece by piece; raises like `decode_snapshot`."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start + PIECE_BYTES) + 1 or len(data)
        yield from _MEMBERS.decode_lines(memoryview(data)[start:end])
        start = end
