"""The root keys of a vault: in one small file, each wrapped with a key-encryption key.

They are what changes when the key-encryption key does: one file is replaced, whole or not at all, however many data
keys there are. A new one is made then too, so that what is wrapped from there on was never under the old one.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from trunkline.audit.files.directories import make_private_directory
from trunkline.audit.files.vault.key_encryption import KeyEncryption, VaultUnusable, replace_file, write_new
from trunkline.audit.format.key_entries import ROOT_BYTES
from trunkline.model.vault import KEY_BYTES, RootKey, VaultKeys

VAULT: Final = "vault"
ROOTS: Final = "root.keys"
PERSONS: Final = "persons"
FORMAT: Final = 1


class Wrapped(msgspec.Struct, frozen=True):
    """A key as the file has it: `wrapped` with the key-encryption key of the id `by`."""

    id: str
    by: str
    wrapped: bytes


class RootFile(msgspec.Struct, frozen=True):
    """What the file says."""

    format: int
    roots: tuple[Wrapped, ...]
    persons: Wrapped


def roots_path(data_dir: Path) -> Path:
    """Return where the root keys of a data directory are."""
    return data_dir / VAULT / ROOTS


def read_roots(path: Path) -> RootFile | None:
    """Return what the file of root keys says, None where there is none; raises VaultUnusable."""
    try:
        return decode_roots(path.read_bytes(), path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise VaultUnusable(f"the key store {path} cannot be read: {error.strerror}") from None


def encode_roots(made: RootFile) -> bytes:
    """Return the bytes of the file."""
    return msgspec.json.encode(made)


def decode_roots(data: bytes, path: Path) -> RootFile:
    """Return what the bytes of the file at this path say; raises VaultUnusable."""
    try:
        found = msgspec.json.decode(data, type=RootFile)
    except msgspec.MsgspecError as error:
        raise VaultUnusable(f"the key store {path} is damaged: {error}: restore its backup") from None
    if found.format != FORMAT or not found.roots:
        raise VaultUnusable(f"the key store {path} has format {found.format}, this build reads format {FORMAT}")
    return found


def make_roots(path: Path, current: KeyEncryption) -> RootFile:
    """Make the file where there is none; of two processes that do so at once, the first one's holds.

    Raises VaultUnusable.
    """
    made = RootFile(FORMAT, (_new(os.urandom(ROOT_BYTES).hex(), current),), _new(PERSONS, current))
    try:
        make_private_directory(path.parent)
        write_new(path, encode_roots(made))
    except FileExistsError:
        return read_roots(path) or made
    except OSError as error:
        raise VaultUnusable(f"the key store {path} cannot be made: {error.strerror}") from None
    return made


def open_roots(found: RootFile, known: Mapping[str, KeyEncryption]) -> VaultKeys:
    """Return the root keys; `known` are key-encryption keys by their ids. Raises VaultUnusable if one is missing."""
    roots = tuple(RootKey(wrapped.id, _unwrapped(wrapped, known)) for wrapped in found.roots)
    return VaultKeys(roots, _unwrapped(found.persons, known))


def rewrapped(found: RootFile, known: Mapping[str, KeyEncryption], current: KeyEncryption) -> RootFile:
    """Return the file with each key wrapped with the current key-encryption key, and a new root key at the end.

    Raises VaultUnusable.
    """
    again = [_again(wrapped, known, current) for wrapped in found.roots]
    return RootFile(
        FORMAT, (*again, _new(os.urandom(ROOT_BYTES).hex(), current)), _again(found.persons, known, current)
    )


def is_wrapped_by(found: RootFile, current: KeyEncryption) -> bool:
    """Whether all is wrapped with this key-encryption key."""
    return all(wrapped.by == current.id for wrapped in (*found.roots, found.persons))


def write_roots(path: Path, made: RootFile) -> None:
    """Put the file in its place; raises VaultUnusable."""
    try:
        replace_file(path, encode_roots(made))
    except OSError as error:
        raise VaultUnusable(f"the key store {path} cannot be written: {error.strerror}") from None


def _new(name: str, current: KeyEncryption) -> Wrapped:
    return Wrapped(name, current.id, current.wrap(os.urandom(KEY_BYTES), _context(name)))


def _again(wrapped: Wrapped, known: Mapping[str, KeyEncryption], current: KeyEncryption) -> Wrapped:
    if wrapped.by == current.id:
        return wrapped
    return Wrapped(wrapped.id, current.id, current.wrap(_unwrapped(wrapped, known), _context(wrapped.id)))


def _unwrapped(wrapped: Wrapped, known: Mapping[str, KeyEncryption]) -> bytes:
    by = known.get(wrapped.by)
    if by is None:
        raise VaultUnusable(
            f"the vault key is missing: the key store is wrapped with the key {wrapped.by}, and"
            f" {'there is none' if not known else 'what is configured is ' + ', '.join(known)};"
            " name it in audit.vault, or among its previous_keys"
        )
    key = by.unwrap(wrapped.wrapped, _context(wrapped.id))
    if len(key) != KEY_BYTES:
        raise VaultUnusable(f"the key-encryption key {wrapped.by} has unwrapped {len(key)} bytes, not {KEY_BYTES}")
    return key


def _context(name: str) -> bytes:
    return b"trunkline root key\0" + name.encode()
