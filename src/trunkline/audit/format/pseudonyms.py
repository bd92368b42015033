"""How a record names a person where there is a vault: by a keyed digest, which only the key store turns into a name.

`u~` for a user and `s~` for a subject, then the digest of 16 bytes in base32: `u~mfrggzdfmztwq2lknnwg23tpoa`. The
digest is the one by which the key store knows whose a key is (`sealing.Owner`), with the tenant in it: the same name is
another pseudonym elsewhere.
"""

from base64 import b32decode, b32encode
from typing import Final

from trunkline.audit.format.sealing import Owner
from trunkline.model.names import PSEUDONYM, PersonKind

DIGEST_BYTES: Final = 16
_PADDING: Final = "======"


def person(tenant: str, kind: PersonKind, name: str) -> Owner:
    """Return a person of a tenant, as the key store knows whose something is."""
    return Owner(tenant, f"{kind}:{name}")


def pseudonym(kind: str, digest: bytes) -> str:
    """Return how a record names a person of this kind and digest."""
    return f"{kind[0]}~{b32encode(digest).decode().rstrip('=').lower()}"


def digest_in(written: str) -> bytes | None:
    """Return the digest in a pseudonym, None where a text is none."""
    if not PSEUDONYM.fullmatch(written):
        return None
    return b32decode(written[2:].upper() + _PADDING)


def kind_and_name(kept: str) -> tuple[str, str]:
    """Return kind and name of a person as the key store keeps both: `user:ann`."""
    kind, _, name = kept.partition(":")
    return kind, name
