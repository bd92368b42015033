"""The same work without a gateway: the functions of control, under the lock of its directory."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from trunkline.audit.files.data_dir import DataDirError
from trunkline.audit.files.vault.key_encryption import VaultUnusable
from trunkline.audit.files.vault.opening import open_vault
from trunkline.audit.files.writer import CorruptLog, LogFailed
from trunkline.audit.format.sealing import Unopened
from trunkline.channel.messages import LimitsQuestion
from trunkline.cli.failure import Failed, failed_by
from trunkline.cli.local_ledger import LocalLedger
from trunkline.cli.local_reviews import LocalReviews
from trunkline.config.compiled import Compiled
from trunkline.config.differences import diff
from trunkline.config.problems import ConfigInvalid
from trunkline.control.answers import (
    Applied,
    Erase,
    Erasure,
    ExpiredLog,
    HoldView,
    ImportedCosts,
    ImportedUsers,
    KeyView,
    LimitsInUse,
    MadeKey,
    NewCosts,
    NewHold,
    NewKey,
    NewUsers,
    ProposedGuardrails,
    Refused,
    Rotated,
    UserList,
    UserQuery,
)
from trunkline.control.configuration import Configuration
from trunkline.control.directories import looked_up
from trunkline.control.forgetting import NobodyWrites
from trunkline.control.holds import hold_views, why_not_erase
from trunkline.control.journal import Journal, Unrecorded, read_directory, read_state
from trunkline.control.keys import views
from trunkline.control.reads import AuditRead
from trunkline.control.registry import NoWorkers, Registry
from trunkline.control.snapshots import SnapshotStore
from trunkline.control.users import user_name
from trunkline.control.vault_keeper import VaultKeeper
from trunkline.control.vault_keys import key_settings_of, stored_keys
from trunkline.ledger.limit_answers import SimulationQuestion, SimulationReport, SimulationStep
from trunkline.model.vault import NO_VAULT, Vault

Result = TypeVar("Result")


class InProcess:
    """A gateway that does not run: what is changed here, the next start puts in force. We hold its lock."""

    running = False

    def __init__(self, configuration: Configuration, data_dir: Path) -> None:
        self._configuration, self._data_dir = configuration, data_dir
        self._store = SnapshotStore(data_dir)
        self._who = user_name(os.getuid())
        self._keys = stored_keys(configuration, data_dir)
        self.ledger = LocalLedger(data_dir, self._who, self._note, self._keys)
        self.reviews = LocalReviews(self.ledger, self._who, self._record)

    def apply(self) -> Applied:
        """Check the file and make it the last good one. Raises Failed."""
        before = self._store.current()

        async def work(registry: Registry, compiled: Compiled) -> Applied:
            applied = await registry.adopt(compiled, self._who, "applied")
            # What the registry says has changed are the operators: it had no snapshot before.
            lines = (*diff(before[1], compiled.snapshot), *applied.lines) if before is not None else ()
            return Applied(applied.digest, lines)

        return self._change(work)

    def keys(self) -> list[KeyView]:
        """Return every key. Raises Failed."""
        with _failures(self._data_dir):
            state = read_state(self._data_dir)
            return views(state, self._configuration.compile(state).snapshot, time.time())

    def create_key(self, asked: NewKey) -> MadeKey:
        """Make a key. Raises Failed."""

        async def work(registry: Registry, compiled: Compiled) -> MadeKey:
            registry.resume(compiled.snapshot)
            return await registry.create_key(asked, self._who)

        return self._change(work)

    def revoke_key(self, key_id: str) -> KeyView:
        """Stop a key. Raises Failed."""

        async def work(registry: Registry, compiled: Compiled) -> KeyView:
            registry.resume(compiled.snapshot)
            return await registry.revoke_key(key_id, self._who)

        return self._change(work)

    def holds(self, *, every: bool) -> list[HoldView]:
        """Return the holds in force, or every hold there was. Raises Failed."""
        with _failures(self._data_dir):
            return hold_views(read_state(self._data_dir), self._keys.names, every=every)

    def place_hold(self, asked: NewHold) -> HoldView:
        """Place a hold. Raises Failed."""

        async def work(registry: Registry, compiled: Compiled) -> HoldView:
            registry.resume(compiled.snapshot)
            return await registry.place_hold(asked, self._who)

        return self._change(work)

    def release_hold(self, hold: str, reason: str) -> HoldView:
        """End a hold. Raises Failed."""

        async def work(registry: Registry, compiled: Compiled) -> HoldView:
            registry.resume(compiled.snapshot)
            return await registry.release_hold(hold, reason, self._who)

        return self._change(work)

    def retention(self, *, apply: bool) -> list[ExpiredLog]:
        """Return by log what has expired; with `apply` delete it, or a good part of it. Raises Failed."""

        async def work(registry: Registry, compiled: Compiled) -> list[ExpiredLog]:
            registry.resume(compiled.snapshot)
            return await (registry.expire(self._who) if apply else registry.expired())

        found = self._change(work)
        if apply:
            self.ledger.expire(found)
        return found

    def import_users(self, asked: NewUsers) -> ImportedUsers:
        """Replace a tenant's directory. Raises Failed."""

        async def work(registry: Registry, compiled: Compiled) -> ImportedUsers:
            registry.resume(compiled.snapshot)
            return await registry.import_users(asked, self._who)

        return self._change(work)

    def import_costs(self, asked: NewCosts) -> ImportedCosts:
        """Add costs. Raises Failed."""

        async def work(registry: Registry, compiled: Compiled) -> ImportedCosts:
            registry.resume(compiled.snapshot)
            return await registry.import_costs(asked, self._who)

        return self._change(work)

    def users(self, query: UserQuery) -> UserList:
        """Return rows of the directories that the next start puts in force. Raises Failed."""
        with _failures(self._data_dir):
            compiled = self._configuration.compile(read_state(self._data_dir))

            def read(digest: str) -> bytes | None:
                return compiled.directories.get(digest) or read_directory(self._data_dir, digest, self._keys)

            return looked_up(compiled.snapshot, read, query)

    def limits(self, asked: LimitsQuestion) -> LimitsInUse:  # noqa: ARG002 - there is nobody to ask
        """Raise Failed: what is in use is known by the workers alone."""
        raise Failed(
            f"no gateway runs on {self._data_dir}: how limits are used is known while one does; start it with"
            " `trunkline serve`. What they would have done to past calls: `trunkline limits simulate`"
        )

    def simulate(self, asked: SimulationQuestion, on_step: Callable[[SimulationStep], None]) -> SimulationReport:
        """Return what the limits of the file would have done to past calls. Raises Failed or Misused."""
        with _failures(self._data_dir):
            snapshot = self._configuration.compile(read_state(self._data_dir)).snapshot
        return self.ledger.simulate(snapshot, asked, on_step)

    def erase(self, asked: Erase) -> Erasure:
        """Destroy the keys and names of a person. Raises Failed."""
        with _failures(self._data_dir):
            compiled = self._configuration.compile(read_state(self._data_dir))
            return asyncio.run(self._kept(compiled, lambda keeper: keeper.erase(asked, self._who)))

    def rotate_vault(self) -> Rotated:
        """Change the key-encryption key of the vault. Raises Failed."""
        with _failures(self._data_dir):
            compiled = self._configuration.compile(read_state(self._data_dir))
            done = asyncio.run(self._kept(compiled, lambda keeper: keeper.rotate(compiled.vault, self._who)))
            return Rotated(done.before, done.after)

    async def _kept(self, compiled: Compiled, work: Callable[[VaultKeeper], Awaitable[Result]]) -> Result:
        vault = open_vault(self._data_dir, compiled.vault)
        journal = Journal.open(self._data_dir, compiled.snapshot.node, lambda _name, /, **_facts: None, vault)
        try:

            def why_not(asked: Erase, months: Collection[int]) -> str | None:
                holds, names = journal.state.holds_in_force(), journal.opening.names
                return why_not_erase(holds, names, compiled.snapshot, time.time(), asked, months)

            keeper = VaultKeeper(self._data_dir, journal, NobodyWrites(), why_not)
            await keeper.finish()
            return await work(keeper)
        finally:
            await journal.close()

    def guardrails(self) -> ProposedGuardrails:
        """Return the policies of the file. Raises Failed."""
        with _failures(self._data_dir):
            return ProposedGuardrails.of(self._configuration.compile(read_state(self._data_dir)).snapshot)

    def _note(self, **what: Any) -> None:
        """Record that what was asked or answered is about to be shown (`AuditRead`). Raises Failed: then it is not."""
        self._record(AuditRead(who=self._who, **what))

    def _record(self, record: msgspec.Struct, bodies: Mapping[str, bytes] | None = None) -> str:
        """Put on record what changes nothing that is in force, and return the record's id. Raises Failed."""
        with _failures(self._data_dir):
            return asyncio.run(self._recorded(record, bodies, self._node()))

    async def _recorded(self, record: msgspec.Struct, bodies: Mapping[str, bytes] | None, node: str) -> str:
        journal = Journal.open(self._data_dir, node, lambda _name, /, **_facts: None, self._vault())
        try:
            return await journal.note_record(record, bodies)
        finally:
            await journal.close()

    def _vault(self) -> Vault:
        """Return the vault for a record without bodies: without a key it is written all the same."""
        try:
            return open_vault(self._data_dir, key_settings_of(self._configuration.path))
        except (ConfigInvalid, VaultUnusable):
            return NO_VAULT

    def _node(self) -> str:
        """Return the machine's name for its log: as of the last gateway here, for the file may not be good."""
        current = self._store.current()
        return current[1].node if current is not None else self._configuration.compile().snapshot.node

    def _change(self, work: Callable[[Registry, Compiled], Awaitable[Result]]) -> Result:
        """Do the work on what the file says now."""
        with _failures(self._data_dir):
            compiled = self._configuration.compile(read_state(self._data_dir))
            return asyncio.run(self._work(work, compiled))

    async def _work(self, work: Callable[[Registry, Compiled], Awaitable[Result]], compiled: Compiled) -> Result:
        vault = open_vault(self._data_dir, compiled.vault)
        journal = Journal.open(self._data_dir, compiled.snapshot.node, lambda _name, /, **_facts: None, vault)
        try:
            registry = Registry(self._configuration, journal, self._store, NoWorkers(), self._data_dir, None)
            return await work(registry, compiled)
        finally:
            await journal.close()


@contextmanager
def _failures(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except ConfigInvalid as invalid:
        raise failed_by(invalid) from None
    except (Refused, Unrecorded, DataDirError, Unopened, VaultUnusable) as error:
        raise Failed(str(error)) from None
    except (LogFailed, CorruptLog, OSError) as error:
        raise Failed(f"the record log in {data_dir} cannot be used: {error}") from None
