"""The writer's side of a record log: what one thread hands over becomes durable, in order, or the log has failed."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Final, NamedTuple, Protocol

import msgspec

from trunkline import __version__
from trunkline.audit.files.directories import lock_directory, make_private_directory
from trunkline.audit.files.disk import Disk
from trunkline.audit.files.flush_times import FlushTimes
from trunkline.audit.files.flusher import Barrier, Flusher, Item, KeyEntries, Roll
from trunkline.audit.files.handover import Handover
from trunkline.audit.files.recovery import Recovery, recover
from trunkline.audit.files.segments import NextSegment
from trunkline.audit.files.settings import CorruptLog, LogFailed, LogSettings
from trunkline.audit.files.vault.key_encryption import VaultUnusable
from trunkline.audit.files.vault.key_file import KeyFile
from trunkline.audit.files.vault.keys_in_use import KeysInUse
from trunkline.audit.files.vault.log_vault import LogVault
from trunkline.audit.files.vault.names_in_use import NamesInUse
from trunkline.audit.files.vault.wrapping import Wrapping
from trunkline.audit.files.waiters import Waiters
from trunkline.audit.format.bodies import Bodies
from trunkline.audit.format.codecs import zstd_codec
from trunkline.audit.format.composer import Composer, Draft, record_frame
from trunkline.audit.format.open_calls import OpenCalls
from trunkline.audit.format.records import HEARTBEAT, MAX_RECORD, NANOSECONDS, SEALED, STARTED
from trunkline.audit.format.references import BodyRef
from trunkline.audit.format.sealing import NO_KEYS, NOBODY, OpeningKeys, Owner, Unopened
from trunkline.audit.format.segment import BATCH_BYTES, HEADER_BYTES
from trunkline.model.ids import prefix_of, uuid7
from trunkline.model.names import PersonKind
from trunkline.model.vault import VaultKeys

__all__ = ["Bodies", "BodyRef", "CorruptLog", "LogFailed", "LogSettings", "LogWriter", "Recovery"]

# Kept free in a segment for the record that seals it: a small part of a small segment.
SEAL_ROOM: Final = 64 * 1024
SEAL_SHARE: Final = 8
NANOSECONDS_PER_MS: Final = 1_000_000
EMPTY: Final = b"{}"


class OnEvent(Protocol):
    """Told what happens to a log: `log_failed` with its reason, `log_tail_cut` with file, offset and bytes.

    `log_tail_cut` also of the file of its keys.
    """

    def __call__(self, name: str, /, **facts: object) -> None: ...


class _Surroundings(NamedTuple):
    """What a log works with."""

    directory: Path
    origin: str
    settings: LogSettings
    clock: Callable[[], int]
    on_event: OnEvent
    disk: Disk
    vault: LogVault | None


class _Begun(NamedTuple):
    """Where the log ended, what it goes on in, the keys that it seals with, and the names that it does not write."""

    found: Recovery
    following: NextSegment
    flusher: Flusher
    keys: KeysInUse | None
    names: NamesInUse | None


class LogWriter:
    """Appends to one log. It belongs to one thread, that of the event loop whose coroutines wait."""

    def __init__(self, around: _Surroundings, begun: _Begun, lock: int) -> None:
        settings = around.settings
        found, _, flusher, self._keys, self._names = begun
        self.directory = around.directory
        self._vault = around.vault
        self.opening: OpeningKeys = around.vault.opening if around.vault is not None else NO_KEYS
        self._settings, self._clock, self._on_event = settings, around.clock, around.on_event
        self._lock, self._flusher = lock, flusher
        self._handover = Handover(flusher.put)
        self._waiters = Waiters(flusher, self._handover, settings.flush_bound, self._say_failed)
        self._composer = Composer(around.origin, zstd_codec(settings.compress_from), self._keys)
        self._open = OpenCalls(found.open_calls)
        self._index = found.next_index
        self._position = self._queued = 0
        self._segment, self._used = flusher.segment.first_index, flusher.segment.offset
        self._capacity = settings.segment_bytes - min(SEAL_ROOM, settings.segment_bytes // SEAL_SHARE)
        self._last_ns = around.clock()
        self._begun_ns = flusher.segment.header.made_ns
        self._closed = False

    @classmethod
    def open(
        cls,
        directory: Path,
        origin: str,
        settings: LogSettings,
        *,
        clock: Callable[[], int] = time.time_ns,
        on_event: OnEvent,
        disk: Disk | None = None,
        vault: LogVault | None = None,
    ) -> tuple["LogWriter", Recovery]:
        """Recover the log in this directory, or begin it, and append `log.started`; blocks until that is durable.

        Raises CorruptLog if durable bytes are damaged, LogFailed if the log cannot be written or another process
        writes it. `clock` gives Unix nanoseconds. Without a vault nothing is encrypted.
        """
        around = _Surroundings(directory, origin, settings, clock, on_event, disk or Disk(), vault)
        try:
            make_private_directory(directory)
            lock = lock_directory(directory)
        except OSError as error:
            raise LogFailed(str(error)) from None
        try:
            begun = _take_up(around)
        except (OSError, Unopened, VaultUnusable) as error:
            os.close(lock)
            raise LogFailed(str(error)) from None
        except (CorruptLog, LogFailed):
            os.close(lock)
            raise
        writer = cls(around, begun, lock)
        writer._begin(begun.found, begun.following)
        return writer, begun.found

    def _begin(self, found: Recovery, following: NextSegment) -> None:
        """Append `log.started`; where that fails a thread may be writing all the same, and the lock goes with it."""
        self._flusher.start(self._waiters.progressed)
        following.prepare(self._flusher.fail)
        try:
            self._append_own(STARTED, msgspec.json.encode(_started(found)))
            self.flush()
        except LogFailed:
            self.close_sync()
            raise

    # What callers append

    def append(
        self,
        kind: str,
        record_id: str,
        payload: bytes,
        bodies: Bodies | None = None,
        frames: Sequence[BodyRef] | None = None,
        owner: Owner = NOBODY,
    ) -> int:
        """Put a record on its way, and the bodies of its own in one frame before it; return the position to wait for.

        `payload` is a JSON object without the envelope's members; for `call.opened`, `call.closed` and
        `call.abandoned` its first member is `call`. `frames` are bodies that `append_body` kept earlier. `owner` is
        whose the bodies are. Never blocks. Raises LogFailed if the log has failed or as much waits for the disk as may.
        """
        self._admit()
        draft = self._composer.draft(kind, record_id, payload, bodies, frames, owner)
        self._make_room(draft.size)
        return self._put_record(draft)

    def append_body(self, call: str, bodies: Bodies, owner: Owner = NOBODY) -> BodyRef:
        """Put parts of a call on their way for which there is no record yet; return what the record will name them by.

        Raises LogFailed like `append`.
        """
        self._admit()
        frame, named = self._composer.body(call, bodies, self._segment, owner)
        if self._make_room(len(frame)):
            named = msgspec.structs.replace(named, segment=self._segment)
        self._put(Item(frame, 0))
        self._open.body(call, named)
        return named

    def heartbeat(self) -> None:
        """Do what time brings: `log.heartbeat` in an idle log, a new segment when this one is old, notice a hung disk.

        To be called about once a second.
        """
        self._waiters.look()
        if self.failure is not None or self._closed:
            return
        now = self._clock()
        with suppress(LogFailed):  # too much waits: the log is not idle
            if abs(now - self._begun_ns) > self._settings.segment_age * NANOSECONDS:
                self._admit()
                self._roll()
            elif abs(now - self._last_ns) > self._settings.heartbeat_every * NANOSECONDS:
                self._append_own(HEARTBEAT, EMPTY)

    # What has become of it

    @property
    def durable(self) -> int:
        """The highest position that is on the disk."""
        return self._flusher.durable

    @property
    def next_index(self) -> int:
        """The index that the next record will have."""
        return self._index

    @property
    def failure(self) -> str | None:
        """Why the log has failed, for good; None while it works."""
        return self._flusher.failure

    @property
    def healthy(self) -> bool:
        """Whether the log works; a disk that does not answer within the bound makes it fail."""
        if self._flusher.busy_since:
            self._waiters.look()
        return self._flusher.failure is None and not self._closed

    @property
    def flush_times(self) -> FlushTimes:
        """How long flushes took."""
        return self._flusher.times

    @property
    def last_flush_seconds(self) -> float:
        """How long the last flush took."""
        return self._flusher.times.last_seconds

    def written(self, tenant: str, kind: PersonKind, name: str, *, kept: bool = True) -> str:
        """Return how a record of this log names a person: by a pseudonym where there is a vault, else by the name.

        The name is kept with the next record, unless it was only asked for (`kept` is false).
        """
        if self._names is None:
            return name
        return self._names.written(tenant, kind, name) if kept else self._names.unkept(tenant, kind, name)

    @property
    def backlog(self) -> int:
        """The bytes that wait for the disk."""
        return self._queued - self._flusher.taken

    def wait(self, position: int) -> Awaitable[None]:
        """Return when the record at this position is durable; raises LogFailed if the log fails before."""
        return self._waiters.wait(position)

    def wait_sync(self, position: int) -> None:
        """Block until the record at this position is durable; raises LogFailed if the log fails before."""
        if self.durable < position:
            self.flush()

    def flush(self) -> None:
        """Block until all that was appended is durable; raises LogFailed if the log fails before."""
        passed = Event()
        self._handover.add(Barrier(passed))
        self._handover.now()
        while self.durable < self._position and self.failure is None:
            if not passed.wait(self._settings.flush_bound):
                self._waiters.look()
        if self.durable < self._position:
            self._waiters.settle()
            raise LogFailed(self.failure)

    async def forget(self, persons: Collection[bytes]) -> int | None:
        """Let go of the keys of these persons; return how far the key file goes that may have them.

        Bodies that are appended from here on are sealed with new keys, behind that. None where nothing is sealed, and
        nothing is written to that file. Raises LogFailed.
        """
        if self._keys is None:
            return None
        self._keys.forget(persons)
        if self._names is not None:
            self._names.forget(persons)
        if self._keys.has_new:  # for a record that was not taken: it is to be found where keys are destroyed
            self._handover.add(KeyEntries(self._keys.take_new()))
        passed = Event()
        self._handover.add(Barrier(passed))
        self._handover.now()
        if not await asyncio.to_thread(passed.wait, self._settings.flush_bound) or self.failure is not None:
            raise LogFailed(self.failure or "the disk does not answer")
        return self._flusher.keys_end

    def person_of(self, owner: Owner) -> bytes | None:
        """Return the keyed digest by which the key store knows an owner, None where there is no vault."""
        if self._vault is None:
            return None
        return Wrapping(self._vault.keys).person_of(owner)

    def adopt_keys(self, keys: VaultKeys) -> None:
        """Wrap new keys with the newest of these root keys."""
        if self._keys is not None:
            self._keys.adopt(keys)
        if self._vault is not None:
            self._vault.opening.adopt(keys)

    async def close(self) -> None:
        """Append `log.sealed`, make all durable and end; a log that has failed just ends."""
        self._end()
        await asyncio.to_thread(self._flusher.join, self._settings.flush_bound)
        self._let_go()

    def close_sync(self) -> None:
        """Close without an event loop."""
        self._end()
        self._flusher.join(self._settings.flush_bound)
        self._let_go()

    # Inside

    def _admit(self) -> None:
        failure = self._flusher.failure
        if failure is not None:
            self._waiters.settle()
            raise LogFailed(failure)
        if self._closed:
            raise LogFailed("the log has been closed")
        if self._queued - self._flusher.taken > self._settings.queue_bytes:
            raise LogFailed(f"{self.backlog} bytes wait for the disk")

    def _make_room(self, size: int) -> bool:
        """Go on in the next segment if this one has no room for so many bytes; return whether that was done."""
        if self._used + size + BATCH_BYTES <= self._capacity or self._used == HEADER_BYTES:
            return False
        self._roll()
        return True

    def _put_record(self, draft: Draft) -> int:
        now, index = self._clock(), self._index
        record = self._composer.record(draft, now, index)
        if len(record) > MAX_RECORD:
            raise LogFailed(f"a record of {len(record)} bytes is above the limit of {MAX_RECORD}")
        self._index, self._last_ns = index + 1, now
        if draft.call is not None:
            whole = self._composer.whole_record(draft, record, now, index)
            self._open.record(draft.kind, draft.call, whole, self._segment)
        return self._put(Item(draft.frames + record_frame(record), 1))

    def _put(self, item: Item) -> int:
        if self._keys is not None and self._keys.has_new:
            self._handover.add(KeyEntries(self._keys.take_new()))
        size = len(item.frames)
        self._queued += size
        self._used += size + BATCH_BYTES
        self._position += 1
        self._handover.add(item)
        return self._position

    def _append_own(self, kind: str, payload: bytes) -> int:
        """Append a record that is about the log itself."""
        return self.append(kind, self._new_id(), payload)

    def _new_id(self) -> str:
        return uuid7(prefix_of(self._clock() // NANOSECONDS_PER_MS), os.urandom(10).hex())

    def _roll(self, *, ends: bool = False) -> None:
        """Seal the segment, with the calls that are open now, and go on in the next one."""
        draft = self._composer.draft(SEALED, self._new_id(), self._open.payload(), None, None, NOBODY)
        if draft.frames:
            self._put(Item(draft.frames, 0))
        now = self._clock()
        frame = record_frame(self._composer.record(draft, now, self._index))
        self._handover.add(Roll(frame, ends))
        self._queued += len(frame)
        self._position += 1
        self._index += 1
        self._segment, self._used = self._index, HEADER_BYTES
        self._begun_ns = self._last_ns = now

    def _end(self) -> None:
        if not self._closed and self.failure is None:
            self._roll(ends=True)
        else:
            self._handover.add(Barrier(Event()))  # wakes the thread, which sees that it is over
        self._handover.now()
        self._closed = True

    def _let_go(self) -> None:
        self._waiters.look()
        self._waiters.stop()
        if self._lock >= 0 and not self._flusher.running:  # a write that hangs may still happen: nobody else may write
            os.close(self._lock)
            self._lock = -1

    def _say_failed(self, reason: str) -> None:
        self._on_event("log_failed", reason=reason)


def _take_up(around: _Surroundings) -> _Begun:
    """Find where the log ended and what it goes on in; raises CorruptLog, LogFailed, Unopened and OSError."""
    directory, origin, settings, clock, on_event, disk, vault = around
    found = recover(directory, origin, disk, vault.opening if vault is not None else NO_KEYS)
    if found.segment is not None and found.cut_bytes:
        on_event("log_tail_cut", file=str(found.segment.path), offset=found.cut_at, bytes=found.cut_bytes)
    following = NextSegment(directory, origin, settings, clock, disk)
    key_file, keys, names = _take_up_keys(vault, around)
    try:
        segment = found.segment or following.take(found.next_index)
    except (OSError, LogFailed):
        if key_file is not None:
            key_file.close()
        raise
    flusher = Flusher(segment, found.next_index, following, settings, disk, key_file)
    return _Begun(found, following, flusher, keys, names)


def _take_up_keys(
    vault: LogVault | None, around: _Surroundings
) -> tuple[KeyFile | None, KeysInUse | None, NamesInUse | None]:
    if vault is None or not vault.seals:
        return None, None, None
    opened = KeyFile.open(vault.key_file, around.disk)
    if opened.cut_bytes:
        file = str(vault.key_file)
        around.on_event("log_tail_cut", file=file, offset=opened.file.end, bytes=opened.cut_bytes)
    keys = KeysInUse(vault.keys, opened.entries, around.clock)
    return opened.file, keys, NamesInUse(keys, opened.entries)


def _started(found: Recovery) -> dict[str, object]:
    recovered = {
        "records": found.records,
        "open_calls": len(found.open_calls),
        "cut_at": found.cut_at,
        "cut_bytes": found.cut_bytes,
    }
    return {"build": __version__, "recovered": recovered}
