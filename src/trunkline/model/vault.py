"""The keys of a vault as they travel between processes, in memory alone, and how the outermost one is written."""

import base64
import binascii
from typing import Final

import msgspec

KEY_BYTES: Final = 32
LEAST_DISTINCT: Final = 16  # of 32 random bytes, fewer than so many different ones do not happen
HOW: Final = "make one with `openssl rand -base64 32`"


class BadKey(ValueError):
    """A text that is no key; the message says why."""


def parse_key(text: str) -> bytes:
    """Return the 32 bytes that a text is, in base64 or hexadecimal; raises BadKey."""
    text = text.strip()
    try:
        key = bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise BadKey("is neither base64 nor hexadecimal") from None
    if len(key) != KEY_BYTES:
        raise BadKey(f"has {len(key)} bytes, not {KEY_BYTES}")
    if len(set(key)) < LEAST_DISTINCT:
        raise BadKey("is not random")
    return key


class KeySettings(msgspec.Struct, frozen=True):
    """Where the key-encryption key of a vault comes from, and whether new bodies are encrypted.

    `key` is the key itself, `previous` are others that may still be needed; `service` is the plugin that wraps keys
    instead, with its settings. With none of them the key is a file in the data directory.
    """

    seals: bool = True
    key: bytes | None = None
    previous: tuple[bytes, ...] = ()
    service: str | None = None
    service_settings: dict[str, object] = {}

    def __repr__(self) -> str:
        """Say that there is something, not what."""
        return "KeySettings(...)"


class RootKey(msgspec.Struct, frozen=True):
    """A key that wraps data keys and names; `id` is hexadecimal."""

    id: str
    key: bytes

    def __repr__(self) -> str:
        """Say which, and not what it is."""
        return f"RootKey({self.id})"


class VaultKeys(msgspec.Struct, frozen=True):
    """The root keys of a vault, of which the last one wraps what is new, and the key of persons' digests."""

    roots: tuple[RootKey, ...]
    persons: bytes

    def __repr__(self) -> str:
        """Say that there is something, not what."""
        return "VaultKeys(...)"


class Vault(msgspec.Struct, frozen=True):
    """What a process needs of the vault: its keys, if there are any, and whether new bodies are encrypted."""

    keys: VaultKeys | None
    seals: bool


NO_VAULT: Final = Vault(None, seals=False)
