"""Signed notes with Ed25519, as C2SP has them (https://c2sp.org/signed-note), and keys in the form that goes with them.

A note is a text, an empty line, and a line for each signature: `— <name> <base64 of key id and signature>`. A public
key is `<name>+<key id>+<base64 of type and key>`, a private one the same with its seed, behind `PRIVATE+KEY+`.
"""

import hashlib
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from typing import Final, final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519: Final = b"\x01"
KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
KEY_ID_BYTES: Final = 4
PRIVATE: Final = "PRIVATE+KEY+"
# A checkpoint has some 300 bytes; what is much longer is no note that anybody wants to have checked.
MAX_NOTE: Final = 64 * 1024
MAX_SIGNATURES: Final = 100
DASH: Final = "\N{EM DASH} "


class BadKey(ValueError):
    """A text is no key, or not one of the kind that is used here."""


class BadNote(ValueError):
    """A note is not well-formed, or is not signed by the key that it has to be signed by."""


@final
class PublicKey:
    """A public key under a name: that of whoever signs. Never changed."""

    __slots__ = ("key", "name")

    def __init__(self, name: str, key: bytes) -> None:
        if not is_key_name(name) or len(key) != KEY_BYTES:
            raise BadKey("a key has a name without spaces and plus signs, and 32 bytes")
        self.name, self.key = name, key

    @classmethod
    def parse(cls, text: str) -> "PublicKey":
        """Return the key that a text such as `example.com/log+c74f20a3+ARpc...` is; raises BadKey."""
        name, key_id, key = _parsed(text)
        found = cls(name, key)
        if found.key_id.hex() != key_id:
            raise BadKey("the key's id does not belong to it: a part of it is missing or was changed")
        return found

    @property
    def key_id(self) -> bytes:
        """The four bytes that signatures name it by."""
        return _key_id(self.name, self.key)

    @property
    def text(self) -> str:
        """The key as others take it."""
        return f"{self.name}+{self.key_id.hex()}+{_encoded(ED25519 + self.key)}"

    def named(self, name: str) -> "PublicKey":
        """Return the same key under another name, as that of a log; raises BadKey."""
        return PublicKey(name, self.key)

    def has_signed(self, text: bytes, signature: bytes) -> bool:
        """Return whether these 64 bytes are its signature of the text (RFC 8032)."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


@final
class SigningKey:
    """A private key under a name. It is never shown but by `text`, for the file that it is kept in."""

    __slots__ = ("_key", "_seed", "public")

    def __init__(self, name: str, seed: bytes) -> None:
        if len(seed) != KEY_BYTES:
            raise BadKey("a private key has 32 bytes")
        self._seed = seed
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(name, self._key.public_key().public_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> "SigningKey":
        """Return the key that a text such as `PRIVATE+KEY+example.com/log+c74f20a3+AYEK...` is; raises BadKey."""
        if not text.startswith(PRIVATE):
            raise BadKey(f"a private key begins with {PRIVATE}")
        name, key_id, seed = _parsed(text.removeprefix(PRIVATE))
        found = cls(name, seed)
        if found.public.key_id.hex() != key_id:
            raise BadKey("the key's id does not belong to it: a part of it is missing or was changed")
        return found

    @property
    def text(self) -> str:
        """The key as its file has it."""
        public = self.public
        return f"{PRIVATE}{public.name}+{public.key_id.hex()}+{_encoded(ED25519 + self._seed)}"

    def sign(self, text: str, name: str) -> str:
        """Return the note of this text, signed under this name; raises ValueError if there can be none.

        The text ends with a line feed and has no other control characters.
        """
        if not _is_text(text):
            raise ValueError("the text of a note is lines that end with a line feed, without control characters")
        key = self.public.named(name)
        signature = _encoded(key.key_id + self._key.sign(text.encode()))
        return f"{text}\n{DASH}{name} {signature}\n"


def open_note(note: str, key: PublicKey) -> str:
    """Return the text of a note that this key has signed; raises BadNote.

    Signatures of keys that have another name or id are not looked at, as the specification has it.
    """
    text, signatures = _split(note)
    found = False
    for line in signatures:
        name, key_id, signature = _signature(line)
        if name != key.name or key_id != key.key_id or found:
            continue
        if not key.has_signed(text.encode(), signature):
            raise BadNote(f"the signature of {name} is wrong")
        found = True
    if not found:
        raise BadNote(f"it is not signed by {key.name}+{key.key_id.hex()}")
    return text


def is_key_name(name: str) -> bool:
    """Return whether a key may be called so."""
    return bool(name) and "+" not in name and not any(char.isspace() or char < " " for char in name)


def _split(note: str) -> tuple[str, list[str]]:
    if len(note) > MAX_NOTE:
        raise BadNote("it is too long for a signed note")
    text, between, lines = note.rpartition("\n\n")
    if not between or not _is_text(text + "\n") or not lines.endswith("\n"):
        raise BadNote("it is no signed note: a text, an empty line, and lines with signatures")
    signatures = lines[:-1].split("\n")
    if len(signatures) > MAX_SIGNATURES:
        raise BadNote("it has too many signatures")
    return text + "\n", signatures


def _signature(line: str) -> tuple[str, bytes, bytes]:
    """Return name, key id and signature of a line."""
    name, between, encoded = line.removeprefix(DASH).partition(" ")
    if not line.startswith(DASH) or not between or not is_key_name(name):
        raise BadNote("a line below the text is no signature")
    try:
        data = b64decode(encoded, validate=True)
    except (BadBase64, ValueError):
        raise BadNote("a signature is no base64") from None
    if len(data) <= KEY_ID_BYTES:
        raise BadNote("a signature is too short")
    return name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:]


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return text.endswith("\n") and not any(char < " " and char != "\n" for char in text)


def _parsed(text: str) -> tuple[str, str, bytes]:
    """Return name, key id in hexadecimal, and the 32 bytes; base64 may have plus signs of its own."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise BadKey("a key is <name>+<key id>+<base64>")
    name, key_id, encoded = parts
    try:
        data = b64decode(encoded, validate=True)
    except (BadBase64, ValueError):
        raise BadKey("the last part of a key is base64") from None
    if data[:1] != ED25519 or len(data) != 1 + KEY_BYTES or _encoded(data) != encoded:
        raise BadKey("it is no Ed25519 key of the kind that signs notes (type 1, 32 bytes)")
    return name, key_id, data[1:]


def _key_id(name: str, key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + key).digest()[:KEY_ID_BYTES]


def _encoded(data: bytes) -> str:
    return b64encode(data).decode()
