"""A snapshot as bytes and back. Light on purpose: the worker imports this and nothing else of the package.

The bytes are canonical JSON (RFC 8785), so that equal snapshots have equal bytes and the SHA-256 of the bytes names
the snapshot in every record. Decimals are strings: JSON's numbers are binary floats.
"""

import hashlib

import msgspec
import rfc8785

from trunkline.model.snapshot import Snapshot

_DECODER = msgspec.json.Decoder(Snapshot)


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """Return the canonical bytes of a snapshot."""
    return rfc8785.dumps(msgspec.to_builtins(snapshot))


def decode_snapshot(data: bytes) -> Snapshot:
    """Return the snapshot of these bytes; raises `msgspec.ValidationError` or `msgspec.DecodeError` if it is none."""
    return _DECODER.decode(data)


def digest_of(data: bytes) -> str:
    """Return the name of the snapshot with these bytes: their SHA-256, hexadecimal."""
    return hashlib.sha256(data).hexdigest()
