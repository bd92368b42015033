"""How the stored bytes of a body are encrypted: AES-256-GCM under a key that the stored bytes name.

`key id (16) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`. What is authenticated beside it is the codec, the call's id and the
table of parts, so that the bytes are of no use under another call, or with other parts.
"""

from collections.abc import Callable, Collection
from struct import Struct
from typing import Final, NamedTuple, Protocol, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from trunkline.audit.format.codecs import BadBody
from trunkline.audit.format.key_entries import KeyEntry
from trunkline.model.names import PersonKind

KEY_BYTES: Final = 32
ID_BYTES: Final = 16
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
SEALED_BYTES: Final = ID_BYTES + NONCE_BYTES + TAG_BYTES  # what sealing adds
_CONTENT_AT: Final = ID_BYTES + NONCE_BYTES
_pack_bound: Final = Struct("<BH").pack


class Owner(NamedTuple):
    """Whose content a body is: a tenant's, and there the person's that it is about, empty where none is named."""

    tenant: str
    person: str = ""


NOBODY: Final = Owner("", "")


def owner_of(tenant: str, subject: str | None, user: str | None) -> Owner:
    """Return the owner of a call's content: the subject that it is about, where that is not the user who made it."""
    if subject is not None and subject != user:
        return Owner(tenant, f"subject:{subject}")
    return Owner(tenant, f"user:{user}" if user is not None else "")


class Unopened(Exception):
    """A body that is as it was written and cannot be read; the message says why."""


class KeyMissing(Unopened):
    """The key of a body is not at hand."""


class BodyErased(Unopened):
    """The key of a body has been destroyed, and with it what the body said."""


@final
class DataKey:
    """A key for the bodies of one owner in one month. `random` gives so many random bytes."""

    __slots__ = ("_cipher", "_random", "key_id")

    def __init__(self, key_id: bytes, key: bytes, random: Callable[[int], bytes]) -> None:
        self.key_id, self._random = key_id, random
        self._cipher = AESGCM(key)

    def seal(self, data: bytes, bound: bytes) -> bytes:
        """Return the stored bytes; `bound` has to be the same where they are opened."""
        nonce = self._random(NONCE_BYTES)
        return self.key_id + nonce + self._cipher.encrypt(nonce, data, bound)

    def open(self, stored: bytes, bound: bytes) -> bytes:
        """Return what was sealed; raises BadBody if that is not what was, or not with this `bound`."""
        try:
            return self._cipher.decrypt(stored[ID_BYTES:_CONTENT_AT], stored[_CONTENT_AT:], bound)
        except InvalidTag:
            raise BadBody("a body cannot be decrypted: it is not what was sealed with its key for this call") from None


class SealingKeys(Protocol):
    """Where the keys to seal with come from."""

    def key_for(self, owner: Owner) -> DataKey:
        """Return the key of an owner for now."""


class OpeningKeys(Protocol):
    """Where the keys to open with come from."""

    def key(self, key_id: bytes) -> DataKey:
        """Return the key of this id; raises KeyMissing or BodyErased."""

    def names(self, written: Collection[str]) -> dict[str, str]:
        """Return the names that pseudonyms stand for, as far as they are known."""

    def name_in(self, entry: KeyEntry) -> str:
        """Return the person that an entry of a key file keeps; raises KeyMissing."""

    def written(self, tenant: str, kind: PersonKind, name: str) -> str:
        """Return how records name a person; raises KeyMissing."""


@final
class NoKeys:
    """Where there is no vault, or its key is not at hand: `reason` says so."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def key(self, key_id: bytes) -> DataKey:  # noqa: ARG002
        """Raise KeyMissing."""
        raise KeyMissing(self._reason)

    def names(self, written: Collection[str]) -> dict[str, str]:  # noqa: ARG002
        """Return nothing."""
        return {}

    def name_in(self, entry: KeyEntry) -> str:  # noqa: ARG002
        """Raise KeyMissing."""
        raise KeyMissing(self._reason)

    def written(self, tenant: str, kind: PersonKind, name: str) -> str:  # noqa: ARG002
        """Raise KeyMissing."""
        raise KeyMissing(self._reason)


NO_KEYS: Final = NoKeys("the body is encrypted and there is no vault to open it with")


def bound_to(codec: int, call_length: int, labels: bytes) -> bytes:
    """Return what a body is bound to; `labels` are the call's id, of so many bytes, and the table of its parts."""
    return _pack_bound(codec, call_length) + labels


def opened(stored: bytes, bound: bytes, keys: OpeningKeys) -> bytes:
    """Return what was sealed; raises BadBody, KeyMissing or BodyErased."""
    if len(stored) < SEALED_BYTES:
        raise BadBody("an encrypted body is too short")
    return keys.key(stored[:ID_BYTES]).open(stored, bound)
