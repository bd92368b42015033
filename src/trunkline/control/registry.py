"""What may be asked of control, one thing at a time: apply the file, change keys and users, list them."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import msgspec

from trunkline.config.canonical import digest_of, encode_snapshot
from trunkline.config.compiled import Compiled
from trunkline.config.differences import diff
from trunkline.config.directory import read_directory
from trunkline.config.places import nearest
from trunkline.config.problems import ConfigInvalid
from trunkline.control.answers import (
    Applied,
    ImportedCosts,
    ImportedUsers,
    KeyView,
    MadeKey,
    NewCosts,
    NewKey,
    NewUsers,
    Refused,
    UserList,
    UserQuery,
)
from trunkline.control.configuration import Configuration, check_restart
from trunkline.control.directories import Directories, changed, directories_of, looked_up
from trunkline.control.journal import Journal
from trunkline.control.keys import make, view_of, views
from trunkline.control.other_costs import PART, prepared
from trunkline.control.reads import AuditRead
from trunkline.control.snapshots import SnapshotStore
from trunkline.control.state import KeyRevoked, SnapshotPut
from trunkline.control.vault_desk import VaultDesk
from trunkline.model.snapshot import Key, Secrets, Snapshot


class NotPublished(Exception):
    """The workers could not all be given the snapshot, so none has it; the message says why."""


class Publisher(Protocol):
    """Puts a snapshot in force on every worker, or on none."""

    async def publish(self, path: Path, digest: str, snapshot: Snapshot, secrets: Secrets | None) -> None:
        """Return once it is in force; `secrets` None keeps those in force. Raises NotPublished."""


class NoWorkers:
    """Publishes to nobody: no gateway runs."""

    async def publish(self, path: Path, digest: str, snapshot: Snapshot, secrets: Secrets | None) -> None:
        """Do nothing: the next start puts the same in force."""


class Registry:
    """Keeps the snapshot in force in step with the file and with the keys and users of the log.

    Every change is in the log, durably, before a worker gets it. `data_dir` and `console` (its address) are what the
    running processes were started with.
    """

    def __init__(
        self,
        configuration: Configuration,
        journal: Journal,
        store: SnapshotStore,
        publisher: Publisher,
        data_dir: Path,
        console: str | None,
    ) -> None:
        self.configuration = configuration
        self.admin_token_digest: str | None = None
        self.vault: VaultDesk | None = None  # who changes the vault, where that can be
        self._journal, self._store, self._publisher = journal, store, publisher
        self.data_dir, self._console = data_dir, console
        self._directories = Directories(journal, store, data_dir)
        self._in_force: Snapshot | None = None
        self._digest = ""
        self._turn = asyncio.Lock()

    @property
    def digest(self) -> str:
        """The digest of the snapshot in force; empty before there is one."""
        return self._digest

    @property
    def snapshot(self) -> Snapshot | None:
        """The snapshot in force, None before there is one."""
        return self._in_force

    def resume(self, snapshot: Snapshot) -> None:
        """Take over a snapshot that the workers have already."""
        self._in_force, self._digest = snapshot, digest_of(encode_snapshot(snapshot))

    async def apply(self, who: str, why: str) -> Applied:
        """Put what the file says in force. Raises ConfigInvalid, NotPublished, or Unrecorded; then nothing changes."""
        async with self._turn:
            compiled = await asyncio.to_thread(self.configuration.compile, self._journal.state)
            return await self._adopt(compiled, who, why)

    async def proposed(self) -> Snapshot:
        """Return what the file would put in force, with the keys of the log; nothing changes. Raises Refused."""
        async with self._turn:
            try:
                return (await asyncio.to_thread(self.configuration.compile, self._journal.state)).snapshot
            except ConfigInvalid as invalid:
                raise Refused("the configuration is not good", [str(problem) for problem in invalid.problems]) from None

    async def adopt(self, compiled: Compiled, who: str, why: str) -> Applied:
        """Put a configuration in force that was compiled with the keys of the log; raises what `apply` raises."""
        async with self._turn:
            return await self._adopt(compiled, who, why)

    async def rebuild(self, who: str, why: str) -> None:
        """Bring the keys and users of the snapshot in force to what the log says; the rest stays."""
        async with self._turn:
            await self._put_state(who, why)

    async def create_key(self, asked: NewKey, who: str) -> MadeKey:
        """Make a key, in force when this returns. Raises Refused, NotPublished or Unrecorded; then there is none."""
        async with self._turn:
            now = time.time()
            created, secret = make(asked, self._journal.state, self._standing(), now, who)
            await self._journal.record(created)
            try:
                await self._put_state(who, f"key {created.key} created")
            except BaseException:
                await self._journal.record(KeyRevoked(created.key, who, "it could not be put in force"))
                raise
            return MadeKey(view_of(self._journal.state.keys[created.key], now), secret)

    async def revoke_key(self, key_id: str, who: str) -> KeyView:
        """Stop a key of the log for good. Asked again, it tells the workers again. Raises what `create_key` raises."""
        async with self._turn:
            entry = self._journal.state.keys.get(key_id)
            if entry is None:
                raise Refused(self._no_such_key(key_id))
            if entry.revoked is None:
                await self._journal.record(KeyRevoked(key_id, who))
            try:
                await self._put_state(who, f"key {key_id} revoked")
            except NotPublished as error:
                raise NotPublished(f"{error}; the log has the key as revoked: run the command again") from error
            return view_of(self._journal.state.keys[key_id], time.time())

    def all_keys(self) -> list[KeyView]:
        """Return every key there is or was."""
        return views(self._journal.state, self._standing(), time.time())

    async def import_users(self, asked: NewUsers, who: str) -> ImportedUsers:
        """Replace a tenant's directory. Raises Refused, ConfigInvalid, NotPublished or Unrecorded.

        After NotPublished the log has the new one, which the next change, or the same command again, puts in force.
        """
        async with self._turn:
            before = self._directory_of(asked.tenant)
            roll = await asyncio.to_thread(read_directory, asked.text, asked.file)
            imported = self._journal.state.imported.get(asked.tenant)
            if roll.digest != (imported.digest if imported is not None else digest_of(b"")):
                await self._directories.record(asked.tenant, roll, who)
            try:
                await self._put_state(who, f"users of {asked.tenant} imported", {roll.digest: roll.data})
            except NotPublished as error:
                raise NotPublished(f"{error}; the log has the new directory: run the command again") from error
            return await asyncio.to_thread(changed, asked.tenant, before, roll.data)

    async def import_costs(self, asked: NewCosts, who: str) -> ImportedCosts:
        """Add costs that no provider of models charges. Raises Refused, ConfigInvalid or Unrecorded."""
        async with self._turn:
            tenants = self._standing().tenants
            if asked.tenant not in tenants:
                raise Refused(f"there is no tenant `{asked.tenant[:100]}`; {nearest(asked.tenant, tenants)}")
            tenant, state = tenants[asked.tenant], self._journal.state
            record, body, users = await asyncio.to_thread(prepared, asked, tenant, self._store.directory, state, who)
            self._journal.keep_users(record.tenant, users)
            await self._journal.record(record, {PART: body})
            return ImportedCosts(record.tenant, record.rows, record.amount)

    async def note(self, read: AuditRead) -> None:
        """Record that somebody is about to be shown what was asked or answered. Raises Unrecorded: then nobody is."""
        await self._journal.note_read(read)

    def users(self, query: UserQuery) -> UserList:
        """Return rows of the directories in force."""
        return looked_up(self._standing(), self._store.directory, query)

    def _directory_of(self, tenant: str) -> bytes:
        """Return the directory that an import replaces; raises Refused where none may be imported."""
        tenants = self._standing().tenants
        if tenant not in tenants:
            raise Refused(f"there is no tenant `{tenant[:100]}`; {nearest(tenant, tenants)}")
        directory = tenants[tenant].directory
        if directory is None:
            return b""
        if directory.source == "file":
            raise Refused(
                f"the users of `{tenant}` are in the file that {self.configuration.path} names;"
                " change that one and run `trunkline apply`"
            )
        return self._store.directory(directory.digest) or b""

    async def _adopt(self, compiled: Compiled, who: str, why: str) -> Applied:
        before = self._in_force
        if before is not None:
            check_restart(before, self.data_dir, self._console, compiled, self.configuration.path)
        await self._directories.keep(compiled.snapshot, compiled.directories, who)
        await self._put(compiled.snapshot, compiled.canonical, compiled.secrets, who, why)
        self.admin_token_digest = compiled.console.admin_token_digest if compiled.console else None
        return Applied(compiled.digest, tuple(diff(before, compiled.snapshot)) if before is not None else ())

    async def _put_state(self, who: str, why: str, directories: Mapping[str, bytes] = MappingProxyType({})) -> None:
        standing = self._standing()
        keys: dict[str, Key] = {name: key for name, key in standing.keys.items() if key.source == "file"}
        keys |= {key.id: key for key in self._journal.state.valid_keys()}
        imported = self._journal.state.imported
        tenants = {
            name: tenant
            if tenant.directory is not None and tenant.directory.source == "file"
            else msgspec.structs.replace(tenant, directory=imported.get(name))
            for name, tenant in standing.tenants.items()
        }
        snapshot = msgspec.structs.replace(standing, keys=keys, tenants=tenants)
        await self._directories.keep(snapshot, directories, who)
        await self._put(snapshot, encode_snapshot(snapshot), None, who, why)

    async def _put(self, snapshot: Snapshot, canonical: bytes, secrets: Secrets | None, who: str, why: str) -> None:
        """Record a snapshot, publish it, point to it: in this order, so that no call names one that the log lacks."""
        digest = digest_of(canonical)
        path = await asyncio.to_thread(self._store.put, digest, canonical)
        if digest != self._journal.state.snapshot:
            await self._journal.record(SnapshotPut(digest, who, why), {"snapshot": canonical})
        await self._publisher.publish(path, digest, snapshot, secrets)
        self._in_force, self._digest = snapshot, digest
        with contextlib.suppress(OSError):  # it is in force whatever the pointer says; the next change writes it again
            named = {directory.digest for directory in directories_of(snapshot).values()}
            await asyncio.to_thread(self._store.point, digest, named)

    def _standing(self) -> Snapshot:
        if self._in_force is None:
            raise Refused("no configuration is in force; mend the file (`trunkline check`) and apply it")
        return self._in_force

    def _no_such_key(self, key_id: str) -> str:
        known = self._in_force.keys if self._in_force is not None else {}
        if key_id in known:
            return f"the key `{key_id}` is in {self.configuration.path}; take it out there and run `trunkline apply`"
        return f"there is no key `{key_id[:100]}`; `trunkline keys list` shows them"
