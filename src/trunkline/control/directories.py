"""The directories of users: recorded, laid beside the snapshot that names them, and looked into."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.sealing import Unopened
from trunkline.config.canonical import decode_directory, digest_of
from trunkline.config.directory import Roll
from trunkline.control.answers import ImportedUsers, UserList, UserQuery, UserView
from trunkline.control.journal import Journal, Unrecorded, read_directory
from trunkline.control.snapshots import SnapshotStore
from trunkline.control.state import UsersImported, UsersRead
from trunkline.model.directory import Member
from trunkline.model.snapshot import Directory, Snapshot


class Directories:
    """Keeps the directories that a snapshot names where the workers look for them, and in the log for good."""

    def __init__(self, journal: Journal, store: SnapshotStore, data_dir: Path) -> None:
        self._journal, self._store, self._data_dir = journal, store, data_dir

    async def keep(self, snapshot: Snapshot, data: Mapping[str, bytes], who: str) -> None:
        """Record the directories of a snapshot that the log lacks, and have all of them on the disk.

        `data` has the bytes of those that were just read, by digest. Raises Unrecorded or OSError.
        """
        for name, directory in directories_of(snapshot).items():
            known = data.get(directory.digest)
            if directory.digest not in self._journal.state.directories and known is not None:
                read = UsersRead(name, directory.digest, directory.users, who)
                await self._journal.record(read, {"directory": known}, name)
            await asyncio.to_thread(self._lay, directory.digest, known)

    async def record(self, tenant: str, roll: Roll, who: str) -> None:
        """Record that a tenant's directory is replaced. Raises Unrecorded."""
        imported = UsersImported(tenant, roll.digest, roll.users, who)
        await self._journal.record(imported, {"directory": roll.data} if roll.users else None, tenant)

    def _lay(self, digest: str, data: bytes | None) -> None:
        if self._store.directory(digest) is None:
            self._store.put_directory(digest, data if data is not None else self._from_log(digest))

    def _from_log(self, digest: str) -> bytes:
        try:
            data = read_directory(self._data_dir, digest, self._journal.opening)
        except (CorruptLog, Unopened) as error:
            raise Unrecorded(f"the directory {digest} cannot be read from control's log: {error}") from None
        if data is None or digest_of(data) != digest:
            raise Unrecorded(f"the directory {digest} is neither on the disk nor in control's log")
        return data


def directories_of(snapshot: Snapshot) -> dict[str, Directory]:
    """Return the directories that a snapshot names, by tenant."""
    return {name: tenant.directory for name, tenant in snapshot.tenants.items() if tenant.directory is not None}


def changed(tenant: str, before: bytes, after: bytes) -> ImportedUsers:
    """Return what an import has changed."""
    old = {member.user: member for member in decode_directory(before)}
    new = {member.user: member for member in decode_directory(after)}
    both = old.keys() & new.keys()
    return ImportedUsers(
        tenant=tenant,
        users=len(new),
        added=len(new.keys() - old.keys()),
        removed=len(old.keys() - new.keys()),
        changed=sum(old[user] != new[user] for user in both),
    )


def looked_up(snapshot: Snapshot, read: Callable[[str], bytes | None], query: UserQuery) -> UserList:
    """Return the rows that a query asks for, at most its `limit`, and how many there are; `read` finds directories."""
    total = 0
    rows: list[UserView] = []
    for tenant, directory in directories_of(snapshot).items():
        if query.tenant is not None and tenant != query.tenant:
            continue
        for member in decode_directory(read(directory.digest) or b""):
            for view in _views(tenant, directory.source, member, query):
                total += 1
                if len(rows) < query.limit:
                    rows.append(view)
    return UserList(tuple(rows), total)


def _views(tenant: str, source: str, member: Member, query: UserQuery) -> Iterator[UserView]:
    if query.user is not None and member.user != query.user:
        return
    for row in member.memberships:
        if query.team is not None and row.team != query.team:
            continue
        if query.on is not None and not (row.first or "") <= query.on <= (row.last or "~"):
            continue
        yield UserView(tenant, member.user, row.name, row.team, row.cost_center, row.first, row.last, source)
