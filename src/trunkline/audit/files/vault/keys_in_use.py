"""The keys that a writer seals with: those of this month, the ones used last in memory, new ones on their way to disk.

Nothing here waits. A new key's entry is handed to the log's flusher before the body that it seals, and flushed first.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from typing import Final, NamedTuple, final

from trunkline.audit.files.vault.wrapping import NANOSECONDS, Wrapping
from trunkline.audit.format.key_entries import DATA_KEY, KeyEntry, encode_entry
from trunkline.audit.format.sealing import DataKey, KeyMissing, Owner
from trunkline.model.vault import VaultKeys

MOST_OPEN: Final = 4096  # keys in memory, three kilobytes each
MOST_KNOWN: Final = 32_768  # of an earlier run of this process, still wrapped


class _Held(NamedTuple):
    key: DataKey
    person: bytes


@final
class KeysInUse:
    """For one thread, that of the event loop. `found` are the entries of the process's key file, oldest first."""

    def __init__(
        self, keys: VaultKeys, found: Iterable[KeyEntry], clock: Callable[[], int], most_open: int = MOST_OPEN
    ) -> None:
        self._wrapping = Wrapping(keys)
        self._clock, self._most = clock, most_open
        self._open: OrderedDict[Owner, _Held] = OrderedDict()
        self._new: list[bytes] = []
        self._month = 0
        self._from = self._until = 0
        self._turn_to(clock())
        ours = [entry for entry in found if entry.kind == DATA_KEY and entry.month == self._month]
        self._known = {(entry.tenant, entry.person): entry for entry in ours[-MOST_KNOWN:]}

    def key_for(self, owner: Owner) -> DataKey:
        """Return the key of an owner for now; a new one has an entry that is to be taken before it is used."""
        now = self._clock()
        if not self._from <= now < self._until:
            self._open.clear()
            self._known.clear()
            self._turn_to(now)
        held = self._open.get(owner)
        if held is not None:
            self._open.move_to_end(owner)
            return held.key
        return self._take_up(owner, now)

    def keep_name(self, entry_id: bytes, owner: Owner, name: str) -> None:
        """Keep a name under an id of 16 bytes; it is as durable as a key is. `owner` is whose name it is."""
        entry = self._wrapping.new_name(entry_id, owner.tenant, self._wrapping.person_of(owner), name, self._clock())
        self._new.append(encode_entry(entry))

    def person_of(self, owner: Owner) -> bytes:
        """Return the keyed digest by which the key store knows an owner."""
        return self._wrapping.person_of(owner)

    @property
    def has_new(self) -> bool:
        """Whether entries wait to be written before anything else is."""
        return len(self._new) > 0

    def take_new(self) -> bytes:
        """Return the entries that are to be written now."""
        entries, self._new = b"".join(self._new), []
        return entries

    def forget(self, persons: Collection[bytes]) -> None:
        """Let go of the keys of these persons: the next body of one gets a new key."""
        for owner in [owner for owner, held in self._open.items() if held.person in persons]:
            del self._open[owner]
        for place in [place for place in self._known if place[1] in persons]:
            del self._known[place]

    def adopt(self, keys: VaultKeys) -> None:
        """Wrap new keys with the newest of these root keys."""
        self._wrapping.adopt(keys)

    def _take_up(self, owner: Owner, now: int) -> DataKey:
        person = self._wrapping.person_of(owner)
        key = self._found(owner.tenant, person)
        if key is None:
            key, entry = self._wrapping.new_key(owner, person, self._month, now)
            self._new.append(encode_entry(entry))
        self._open[owner] = _Held(key, person)
        if len(self._open) > self._most:
            self._open.popitem(last=False)
        return key

    def _found(self, tenant: str, person: bytes) -> DataKey | None:
        entry = self._known.pop((tenant, person), None)
        if entry is None:
            return None
        try:
            return self._wrapping.data_key(entry)
        except KeyMissing:  # a new one does as well; readers say what is wrong with this one
            return None

    def _turn_to(self, now: int) -> None:
        today = datetime.fromtimestamp(now // NANOSECONDS, UTC)
        begun = datetime(today.year, today.month, 1, tzinfo=UTC)
        over = datetime(today.year + today.month // 12, today.month % 12 + 1, 1, tzinfo=UTC)
        self._month = today.year * 100 + today.month
        self._from, self._until = int(begun.timestamp()) * NANOSECONDS, int(over.timestamp()) * NANOSECONDS
