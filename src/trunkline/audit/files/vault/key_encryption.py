"""The key-encryption key: what the key store is worth nothing without, and is never in it."""

import base64
import hashlib
import os
import stat
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from trunkline.audit.files.disk import FILE_MODE, sync_directory
from trunkline.model.vault import HOW, BadKey, parse_key

NONCE_BYTES: Final = 12
MAX_BYTES: Final = 4096
OTHERS: Final = 0o077


class VaultUnusable(Exception):
    """The key store, or the key that it is wrapped with, cannot be used; the message says why and what to do."""


class KeyEncryption(Protocol):
    """Wraps keys, as a key management service does. It may block; it is asked when processes start, never for a call.

    `context` is bound to what is wrapped: unwrapping needs the same. Both raise VaultUnusable.
    """

    @property
    def id(self) -> str:
        """Which key this is: visible ASCII, the same for as long as the key is."""

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Return the key as it may be stored."""

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return the key that was wrapped."""


class LocalKeyEncryption:
    """A key-encryption key of 32 bytes in memory: AES-256-GCM."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self.id = hashlib.sha256(b"trunkline key-encryption key\0" + key).hexdigest()[:16]

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Return the key as it may be stored: nonce, ciphertext, tag."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return the key that was wrapped; raises VaultUnusable."""
        try:
            return self._cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            raise VaultUnusable("a key in the key store is not what was wrapped: restore its backup") from None


def encode_key(key: bytes) -> str:
    """Return the text of a key."""
    return base64.b64encode(key).decode()


def read_key(path: Path) -> bytes:
    """Return the key in a file; raises VaultUnusable."""
    try:
        with path.open("rb") as file:
            mode, data = os.fstat(file.fileno()).st_mode, file.read(MAX_BYTES)
        if stat.S_IMODE(mode) & OTHERS:
            raise VaultUnusable(f"others may read the vault key {path}: run `chmod 600 {path}`")
        return parse_key(data.decode())
    except FileNotFoundError:
        raise VaultUnusable(f"the vault key is missing: there is no file {path}: put it back") from None
    except OSError as error:
        raise VaultUnusable(f"the vault key {path} cannot be read: {error.strerror}") from None
    except (BadKey, UnicodeDecodeError) as error:
        raise VaultUnusable(f"{path} is no vault key: {error}; {HOW}") from None


def write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, for nobody but us, durably. Raises FileExistsError and OSError."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    _write(draft, data)
    try:
        os.link(draft, path)  # unlike a rename it replaces nothing that has been made meanwhile
    finally:
        draft.unlink()
    sync_directory(path.parent)


def replace_file(path: Path, data: bytes) -> None:
    """Write a file in the place of another, durably: after a crash either is there whole. Raises OSError."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    _write(draft, data)
    draft.rename(path)
    sync_directory(path.parent)


def _write(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    try:
        os.write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
