"""What control knows: a fold of its log. Pure: the same records give the same state, whoever folds them, whenever."""

from collections.abc import Iterable

import msgspec

from trunkline.config.units import LATEST_EXPIRY
from trunkline.model.operators import Role
from trunkline.model.snapshot import Directory, Key


class SnapshotPut(msgspec.Struct, frozen=True, tag_field="type", tag="snapshot", omit_defaults=True):
    """A snapshot is about to be put in force; its canonical bytes are the record's body `snapshot`."""

    digest: str
    who: str
    why: str


class KeyCreated(msgspec.Struct, frozen=True, tag_field="type", tag="key.created", omit_defaults=True):
    """A key was made; `digest` is the SHA-256 of its secret, which is nowhere. `expires` is a Unix second."""

    key: str
    tenant: str
    digest: str
    who: str
    routes: tuple[str, ...] | None = None
    team: str | None = None
    expires: int | None = None


class KeyRevoked(msgspec.Struct, frozen=True, tag_field="type", tag="key.revoked", omit_defaults=True):
    """A key stopped for good."""

    key: str
    who: str
    why: str | None = None


class UsersRead(msgspec.Struct, frozen=True, tag_field="type", tag="user.directory", omit_defaults=True):
    """A directory that the file names is about to be put in force; its canonical bytes are the body `directory`."""

    tenant: str
    digest: str
    users: int
    who: str


class UsersImported(msgspec.Struct, frozen=True, tag_field="type", tag="user.imported", omit_defaults=True):
    """A tenant's directory was replaced by command; its canonical bytes are the body `directory`. None has 0 users."""

    tenant: str
    digest: str
    users: int
    who: str


class CostsImported(msgspec.Struct, frozen=True, tag_field="type", tag="cost.imported", omit_defaults=True):
    """Costs that no provider of models charges were added; the body `costs` has a line of JSON for each."""

    tenant: str
    digest: str
    rows: int
    amount: str
    who: str


class HoldPlaced(msgspec.Struct, frozen=True, tag_field="type", tag="hold.placed", omit_defaults=True):
    """Records of a tenant must be kept, whatever they are worth otherwise, and for whom is not said keeps all of them.

    What is named narrows it: a `user`, a `subject`, a `session`, a `call`, and the time of the calls, `since` up to
    before `until` (RFC 3339, UTC).
    """

    hold: str
    tenant: str
    who: str
    reason: str
    user: str | None = None
    subject: str | None = None
    session: str | None = None
    call: str | None = None
    since: str | None = None
    until: str | None = None


class HoldReleased(msgspec.Struct, frozen=True, tag_field="type", tag="hold.released", omit_defaults=True):
    """A hold ended, for good."""

    hold: str
    who: str
    reason: str


class OperatorsPut(msgspec.Struct, frozen=True, tag_field="type", tag="operators", omit_defaults=True):
    """From now on these may ask the admin API over the console's port: their roles by their names."""

    operators: dict[str, Role]
    who: str


Change = (
    SnapshotPut
    | KeyCreated
    | KeyRevoked
    | UsersRead
    | UsersImported
    | CostsImported
    | OperatorsPut
    | HoldPlaced
    | HoldReleased
)
TYPES = frozenset(
    {
        "snapshot",
        "key.created",
        "key.revoked",
        "user.directory",
        "user.imported",
        "cost.imported",
        "operators",
        "hold.placed",
        "hold.released",
    }
)


class KeyEntry(msgspec.Struct, frozen=True):
    """A key of the log with its story; times are as the records have them."""

    created: KeyCreated
    created_at: str
    revoked: KeyRevoked | None = None
    revoked_at: str | None = None

    @property
    def key(self) -> Key:
        """The key as a snapshot has it."""
        made = self.created
        # No such key is made, but a log says what it says, and one that outlives the calendar would break every list.
        expires = None if made.expires is None else min(made.expires, LATEST_EXPIRY)
        return Key(
            id=made.key,
            tenant=made.tenant,
            digests=(made.digest,),
            routes=made.routes,
            team=made.team,
            expires=expires,
            source="log",
        )


class HoldEntry(msgspec.Struct, frozen=True):
    """A hold with its story; times are as the records have them."""

    placed: HoldPlaced
    placed_at: str
    released: HoldReleased | None = None
    released_at: str | None = None


class State(msgspec.Struct, frozen=True):
    """The keys by id, in the order in which they were made, and the digest of the last snapshot.

    `imported` are the directories that commands have made, by tenant; `directories` the digests of all that the log
    has the bytes of. `costs` are the digests of imported costs, with the time of each; `operators` the roles, by name.
    `holds` are all there were.
    """

    keys: dict[str, KeyEntry] = {}
    snapshot: str | None = None
    imported: dict[str, Directory] = {}
    directories: frozenset[str] = frozenset()
    costs: dict[str, str] = {}
    operators: dict[str, Role] = {}
    holds: dict[str, HoldEntry] = {}

    def holds_in_force(self) -> tuple[HoldPlaced, ...]:
        """Return the holds that were not released."""
        return tuple(entry.placed for entry in self.holds.values() if entry.released is None)

    def valid_keys(self) -> tuple[Key, ...]:
        """Return the keys that were not revoked; expired ones are among them, refused by whoever looks at the time."""
        return tuple(entry.key for entry in self.keys.values() if entry.revoked is None)


def fold(state: State, changes: Iterable[tuple[str, Change]]) -> State:
    """Return the state after these changes, each with the time of its record.

    An id is made once and revoked once: what comes again changes nothing, so that the same record twice is harmless.
    """
    keys, snapshot = dict(state.keys), state.snapshot
    imported, directories, costs = dict(state.imported), set(state.directories), dict(state.costs)
    operators, holds = state.operators, dict(state.holds)
    for at, change in changes:
        match change:
            case SnapshotPut(digest):
                snapshot = digest
            case KeyCreated(key):
                keys.setdefault(key, KeyEntry(change, at))
            case KeyRevoked(key):
                entry = keys.get(key)
                if entry is not None and entry.revoked is None:
                    keys[key] = msgspec.structs.replace(entry, revoked=change, revoked_at=at)
            case UsersRead(_, digest):
                directories.add(digest)
            case UsersImported(tenant, digest, users):
                directories.add(digest)
                imported.pop(tenant, None)
                if users:
                    imported[tenant] = Directory(digest, users, "log")
            case CostsImported(_, digest):
                costs.setdefault(digest, at)
            case OperatorsPut(named):
                operators = named
            case HoldPlaced() | HoldReleased():
                _fold_hold(holds, at, change)
    return State(keys, snapshot, imported, frozenset(directories), costs, operators, holds)


def _fold_hold(holds: dict[str, HoldEntry], at: str, change: HoldPlaced | HoldReleased) -> None:
    if isinstance(change, HoldPlaced):
        holds.setdefault(change.hold, HoldEntry(change, at))
        return
    held = holds.get(change.hold)
    if held is not None and held.released is None:
        holds[change.hold] = msgspec.structs.replace(held, released=change, released_at=at)
