"""Control's own log: what changed, when and by whom, durable before it takes effect; and the state that it makes."""

import heapq
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from trunkline.audit.files.data_dir import LOGS, open_data_dir
from trunkline.audit.files.reader import StoredRecord, read_body, read_records
from trunkline.audit.files.vault.log_vault import log_vault
from trunkline.audit.files.writer import LogFailed, LogSettings, LogWriter
from trunkline.audit.format.references import BodyRef
from trunkline.audit.format.sealing import NO_KEYS, NOBODY, OpeningKeys, Owner
from trunkline.control.reads import AuditRead, read_written
from trunkline.control.state import TYPES, Change, State, fold
from trunkline.model.ids import prefix_of, uuid7
from trunkline.model.vault import NO_VAULT, Vault, VaultKeys

# A few records a day, and snapshots: nothing that needs a worker's large segments.
SEGMENT_BYTES = 4 * 1024 * 1024
PROCESS = "control"


class Unrecorded(Exception):
    """The log can't take a record, so what it would have said does not happen; the message says why."""


class Journal:
    """Writes changes and keeps their fold; `state` is what is durable. Use within one event loop."""

    def __init__(self, writer: LogWriter, state: State) -> None:
        self.state = state
        self._writer = writer

    @classmethod
    def open(cls, data_dir: Path, node: str, on_event: Callable[..., None], vault: Vault = NO_VAULT) -> "Journal":
        """Recover the log, go on with it, and fold what it has. Raises LogFailed, CorruptLog or OSError."""
        directory = open_data_dir(data_dir)
        origin = directory.origin(node, PROCESS)
        settings = LogSettings(segment_bytes=SEGMENT_BYTES)
        keys = log_vault(data_dir, node, PROCESS, vault)
        logs = directory.log_directory(node, PROCESS)
        writer, _ = LogWriter.open(logs, origin, settings, on_event=on_event, vault=keys)
        return cls(writer, read_state(data_dir))

    @property
    def directory(self) -> Path:
        """Where the log is."""
        return self._writer.directory

    @property
    def failure(self) -> str | None:
        """Why the log takes no more records; None while it does."""
        return self._writer.failure

    @property
    def opening(self) -> OpeningKeys:
        """What opens the bodies that the log has."""
        return self._writer.opening

    def person_of(self, owner: Owner) -> bytes | None:
        """Return the keyed digest by which the key store knows an owner, None where there is no vault."""
        return self._writer.person_of(owner)

    async def forget(self, persons: Collection[bytes]) -> int | None:
        """Let go of the keys of these persons; see `LogWriter`. Raises Unrecorded."""
        try:
            return await self._writer.forget(persons)
        except LogFailed as error:
            raise Unrecorded(f"the record log cannot be written: {error}") from error

    def adopt_keys(self, keys: VaultKeys) -> None:
        """Wrap new keys with the newest of these root keys."""
        self._writer.adopt_keys(keys)

    async def record(
        self, change: Change, bodies: Mapping[str, bytes] | None = None, tenant: str | None = None
    ) -> None:
        """Write a change; it is durable, and in `state`, when this returns. Raises Unrecorded.

        `tenant` is whose the bodies are, where they are one's.
        """
        await self._write(change, bodies, Owner(tenant) if tenant is not None else NOBODY)
        at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        self.state = fold(self.state, [(at, change)])

    async def note_read(self, read: AuditRead) -> None:
        """Write that somebody is about to be shown something; it is durable when this returns. Raises Unrecorded."""
        await self._write(read_written(read, partial(self._writer.written, kept=False)), None, NOBODY)

    def keep_users(self, tenant: str, users: Iterable[str]) -> None:
        """Keep the names of users whom what is recorded next is about."""
        for user in users:
            self._writer.written(tenant, "user", user)

    async def note(self, kind: str, payload: bytes) -> None:
        """Write a record that changes nothing of the state; it is durable when this returns. Raises Unrecorded."""
        await self._append(kind, payload, None, NOBODY)

    async def _write(self, record: Change | AuditRead, bodies: Mapping[str, bytes] | None, owner: Owner) -> None:
        fields = msgspec.to_builtins(record)
        kind = fields.pop("type")
        await self._append(kind, msgspec.json.encode(fields), bodies, owner)

    async def _append(self, kind: str, payload: bytes, bodies: Mapping[str, bytes] | None, owner: Owner) -> None:
        own = dict(bodies) if bodies else None
        try:
            await self._writer.wait(self._writer.append(kind, _new_id(), payload, own, owner=owner))
        except LogFailed as error:
            raise Unrecorded(f"the record log cannot be written: {error}") from error

    def look(self) -> None:
        """Do what time brings; to be called about once a second."""
        self._writer.heartbeat()

    async def close(self) -> None:
        """Seal the log."""
        await self._writer.close()


def read_state(data_dir: Path) -> State:
    """Return the state that the log makes, without writing to it. Raises CorruptLog or OSError.

    A machine that was renamed began a new log; what the old one says still holds.
    """
    logs = [list(_changes(directory)) for directory in sorted((data_dir / LOGS).glob(f"*/{PROCESS}"))]
    return fold(State(), heapq.merge(*logs, key=lambda change: change[0]))


def _changes(directory: Path) -> Iterator[tuple[str, Change]]:
    decoder: msgspec.json.Decoder[Change] = msgspec.json.Decoder(Change)
    for record in read_records(directory, upto="whole"):
        if record.type in TYPES:
            yield record.at, decoder.decode(record.bytes)


def read_directory(data_dir: Path, digest: str, keys: OpeningKeys = NO_KEYS) -> bytes | None:
    """Return the canonical bytes of a directory from the log that recorded it.

    Raises CorruptLog, OSError, KeyMissing or BodyErased.
    """
    for directory in (data_dir / LOGS).glob(f"*/{PROCESS}"):
        for record in read_records(directory, upto="whole"):
            if record.type.startswith("user.") and (body := _directory_in(directory, record, digest, keys)) is not None:
                return body
    return None


class _Users(msgspec.Struct):
    digest: str
    bodies: tuple[BodyRef, ...] = ()


def _directory_in(directory: Path, record: StoredRecord, digest: str, keys: OpeningKeys) -> bytes | None:
    users = msgspec.json.decode(record.bytes, type=_Users)
    if users.digest != digest or not users.bodies:
        return None
    return read_body(directory, users.bodies[0], record.segment, keys).get("directory")


def _new_id() -> str:
    return uuid7(prefix_of(time.time_ns() // 1_000_000), os.urandom(10).hex())
