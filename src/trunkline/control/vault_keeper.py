"""Erasing persons and changing keys, by whoever keeps the vault: control, or a command where no gateway runs.

An erasure is in control's log, with the ids of what is to be destroyed, before any of it is: one that was cut off is
finished by the next start, and a key store that is restored from a backup is told of it.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import msgspec

from trunkline.audit.files.data_dir import LOGS
from trunkline.audit.files.reader import read_records, read_whole
from trunkline.audit.files.vault.erasing import destroy_entries, entries_of
from trunkline.audit.files.vault.key_file import key_file_path
from trunkline.audit.files.vault.rotation import Rotation, rotate
from trunkline.audit.format.key_entries import DATA_KEY
from trunkline.audit.format.sealing import OpeningKeys, Owner
from trunkline.control.answers import Erase, Erasure, Refused
from trunkline.control.forgetting import Forgetting
from trunkline.control.journal import PROCESS, Journal
from trunkline.model.vault import KeySettings

ERASURE, ROTATED = "erasure", "vault.rotated"
WhyNot = Callable[[Erase, Collection[int]], str | None]


class Erased(msgspec.Struct, frozen=True):
    """The record of an erasure. `person` is the keyed digest of whom, `ids` are the entries, all hexadecimal."""

    who: str
    tenant: str
    kind: str
    person: str
    keys: int
    names: int
    ids: tuple[str, ...]


class VaultKeeper:
    """Use within one event loop.

    `why_not` returns why somebody may not be erased, None where they may; it is told of which months there is data.
    """

    def __init__(self, data_dir: Path, journal: Journal, forgetting: Forgetting, why_not: WhyNot) -> None:
        self._data_dir, self._journal = data_dir, journal
        self._node = journal.directory.parent.name
        self._forgetting, self._why_not = forgetting, why_not
        self._turn = asyncio.Lock()

    async def erase(self, asked: Erase, who: str) -> Erasure:
        """Destroy the keys and names of a person; when this returns no process has any. Raises Refused, Unrecorded."""
        if (asked.subject is None) == (asked.user is None):
            raise Refused("name either a subject or a user")
        kind, name = ("subject", asked.subject) if asked.subject is not None else ("user", asked.user)
        person = self._journal.person_of(Owner(asked.tenant, f"{kind}:{name}"))
        if person is None:
            raise Refused("there is no vault whose key is at hand: what is not encrypted cannot be erased")
        async with self._turn:
            there = await asyncio.to_thread(entries_of, self._data_dir, (person,), {})
            months = {entry.month for entry in there if entry.kind == DATA_KEY}
            if (reason := self._why_not(asked, months)) is not None:
                raise Refused(reason)
            return await self._erase(asked, who, kind, person)

    async def rotate(self, settings: KeySettings, who: str) -> Rotation:
        """Change the key-encryption key. Raises VaultUnusable, Unrecorded."""
        async with self._turn:
            changed = await asyncio.to_thread(rotate, self._data_dir, settings)
            self._journal.adopt_keys(changed.keys)
            said = {"who": who, "before": changed.before, "after": changed.after}
            await self._journal.note(ROTATED, msgspec.json.encode(said))
            return changed

    async def finish(self) -> int:
        """Destroy what erasures on record have left, by a crash or a restored backup; return how much that was."""
        return await asyncio.to_thread(replay_erasures, self._data_dir, self._journal.opening)

    async def _erase(self, asked: Erase, who: str, kind: str, person: bytes) -> Erasure:
        persons = (person,)
        upto: dict[Path, int] = {}
        if not asked.dry_run:
            upto = {
                key_file_path(self._data_dir, self._node, f"worker-{worker}"): end
                for worker, end in (await self._forgetting.forget(persons)).items()
            }
            if (own := await self._journal.forget(persons)) is not None:
                upto[key_file_path(self._data_dir, self._node, PROCESS)] = own
        found = await asyncio.to_thread(entries_of, self._data_dir, persons, upto)
        keys = sum(entry.kind == DATA_KEY for entry in found)
        months = tuple(sorted({entry.month for entry in found if entry.kind == DATA_KEY}))
        done = Erasure(asked.tenant, kind, keys, len(found) - keys, months, asked.dry_run)
        if asked.dry_run:
            return done
        ids = {entry.id for entry in found}
        said = Erased(who, asked.tenant, kind, person.hex(), keys, done.names, tuple(sorted(one.hex() for one in ids)))
        await self._journal.note(ERASURE, msgspec.json.encode(said))
        await asyncio.to_thread(destroy_entries, self._data_dir, ids, upto)
        await self._forgetting.forget(persons)  # a worker that was replaced meanwhile has read them again
        return done


def replay_erasures(data_dir: Path, keys: OpeningKeys) -> int:
    """Destroy what the erasures on record say is destroyed; return how much there was. Raises CorruptLog, OSError."""
    ids = {bytes.fromhex(one) for erased in erasures(data_dir, keys) for one in erased.ids}
    return destroy_entries(data_dir, ids, {}) if ids else 0


def erasures(data_dir: Path, keys: OpeningKeys) -> Iterator[Erased]:
    """Yield the erasures on record. Raises CorruptLog, OSError, KeyMissing."""
    for log in sorted((data_dir / LOGS).glob(f"*/{PROCESS}")):
        for record in read_records(log, upto="whole"):
            if record.type == ERASURE:
                yield msgspec.json.decode(read_whole(log, record, keys), type=Erased)
