"""The pseudonyms that a writer names persons by, and their names on the way to the key file.

A name is kept once by each process, in front of the first record that has its pseudonym; the pseudonyms used last are
in memory, so that a call pays for two looks into a dictionary.
"""

import os
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple, final

from trunkline.audit.files.vault.keys_in_use import KeysInUse
from trunkline.audit.format.key_entries import ID_BYTES, NAME, KeyEntry
from trunkline.audit.format.pseudonyms import person, pseudonym
from trunkline.model.names import PersonKind

MOST_WRITTEN: Final = 16_384  # pseudonyms in memory, some 300 bytes each; then all are made anew
MOST_KEPT: Final = 262_144  # digests of names that are known to be in the file; beyond, some are kept once more


class _Written(NamedTuple):
    text: str
    digest: bytes


@final
class NamesInUse:
    """For one thread, that of the event loop. `found` are the entries of the process's key file."""

    def __init__(self, keys: KeysInUse, found: Iterable[KeyEntry]) -> None:
        self._keys = keys
        self._written: dict[tuple[str, str, str], _Written] = {}
        self._kept = set([entry.person for entry in found if entry.kind == NAME][-MOST_KEPT:])

    def written(self, tenant: str, kind: PersonKind, name: str) -> str:
        """Return how a record names a person; a new name has an entry that is to be taken before that record."""
        place = (tenant, kind, name)
        known = self._written.get(place)
        if known is not None:
            return known.text
        owner = person(tenant, kind, name)
        digest = self._keys.person_of(owner)
        made = _Written(pseudonym(kind, digest), digest)
        if made.digest not in self._kept:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept.add(made.digest)
            self._keys.keep_name(os.urandom(ID_BYTES), owner, owner.person)
        if len(self._written) >= MOST_WRITTEN:
            self._written.clear()
        self._written[place] = made
        return made.text

    def unkept(self, tenant: str, kind: PersonKind, name: str) -> str:
        """Return how a record names a person whose name need not be known for it: one that was only asked for."""
        return pseudonym(kind, self._keys.person_of(person(tenant, kind, name)))

    def forget(self, persons: Collection[bytes]) -> None:
        """Let go of the names of these persons: who calls again is kept again."""
        for place in [place for place, written in self._written.items() if written.digest in persons]:
            del self._written[place]
        self._kept.difference_update(persons)
