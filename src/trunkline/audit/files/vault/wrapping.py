"""Data keys and names as a key file has them: wrapped with a root key, and bound to what else their entry says."""

import hmac
import os
from typing import Final, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from trunkline.audit.format.key_entries import DATA_KEY, NAME, NO_PERSON, PERSON_BYTES, KeyEntry, bound_to
from trunkline.audit.format.sealing import ID_BYTES, KEY_BYTES, NONCE_BYTES, DataKey, KeyMissing, Owner
from trunkline.model.vault import VaultKeys

NANOSECONDS: Final = 1_000_000_000
AT_ONCE: Final = 6144


@final
class RandomBytes:
    """Random bytes of the system for one thread, many at a time: asking for them hands the interpreter's lock over."""

    def __init__(self) -> None:
        self._data, self._at = b"", 0

    def take(self, count: int) -> bytes:
        """Return so many, at most AT_ONCE; none is ever returned twice."""
        start, end = self._at, self._at + count
        if end > len(self._data):
            self._data, start, end = os.urandom(AT_ONCE), 0, count
        self._at = end
        return self._data[start:end]


@final
class Wrapping:
    """Wraps with the newest of a vault's root keys, unwraps with any."""

    def __init__(self, keys: VaultKeys) -> None:
        self._persons = keys.persons
        self._ciphers: dict[bytes, AESGCM] = {}
        self._current = b""
        self._random = RandomBytes()
        self.adopt(keys)

    def adopt(self, keys: VaultKeys) -> None:
        """Wrap with the newest of these root keys from here on."""
        self._ciphers = {bytes.fromhex(root.id): AESGCM(root.key) for root in keys.roots}
        self._current = bytes.fromhex(keys.roots[-1].id)

    def knows(self, root: bytes) -> bool:
        """Whether there is the root key of this id."""
        return root in self._ciphers

    def person_of(self, owner: Owner) -> bytes:
        """Return the keyed digest of whose an entry is, such as `Owner("harbor", "subject:c-118")`."""
        if not owner.person:
            return NO_PERSON
        named = f"{owner.tenant}\0{owner.person}".encode()
        return hmac.digest(self._persons, named, "sha256")[:PERSON_BYTES]

    def new_key(self, owner: Owner, person: bytes, month: int, now_ns: int) -> tuple[DataKey, KeyEntry]:
        """Return a new data key, and the entry that keeps it."""
        key_id, key = os.urandom(ID_BYTES), os.urandom(KEY_BYTES)
        blank = KeyEntry(DATA_KEY, now_ns // NANOSECONDS, key_id, person, month, self._current, owner.tenant, b"")
        return DataKey(key_id, key, self._random.take), self._wrapped(blank, key)

    def new_name(self, entry_id: bytes, tenant: str, person: bytes, name: str, now_ns: int) -> KeyEntry:
        """Return the entry that keeps a name under an id of 16 bytes."""
        blank = KeyEntry(NAME, now_ns // NANOSECONDS, entry_id, person, 0, self._current, tenant, b"")
        return self._wrapped(blank, name.encode())

    def data_key(self, entry: KeyEntry) -> DataKey:
        """Return the data key of an entry; raises KeyMissing."""
        return DataKey(entry.id, self._unwrapped(entry), self._random.take)

    def name(self, entry: KeyEntry) -> str:
        """Return the name of an entry; raises KeyMissing."""
        return self._unwrapped(entry).decode()

    def _wrapped(self, blank: KeyEntry, secret: bytes) -> KeyEntry:
        nonce = os.urandom(NONCE_BYTES)
        return blank._replace(payload=nonce + self._ciphers[self._current].encrypt(nonce, secret, bound_to(blank)))

    def _unwrapped(self, entry: KeyEntry) -> bytes:
        cipher = self._ciphers.get(entry.root)
        if cipher is None:
            raise KeyMissing(f"the root key {entry.root.hex()} is missing from the key store: restore its backup")
        nonce, sealed = entry.payload[:NONCE_BYTES], entry.payload[NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, sealed, bound_to(entry))
        except (InvalidTag, ValueError):
            raise KeyMissing(f"the key {entry.id.hex()} is not what was wrapped: restore the key store") from None
