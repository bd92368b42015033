"""The thread that makes records durable: takes all that waits, writes it in one go, flushes once, and says so.

There is no timer: while one batch is being flushed the next one gathers. A write or flush that fails is never tried
again, because what the kernel then holds is not known; the log has failed.
"""

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple, final

from trunkline.audit.files.disk import Disk
from trunkline.audit.files.flush_times import FlushTimes
from trunkline.audit.files.segments import NextSegment, Segment
from trunkline.audit.files.settings import LogFailed, LogSettings
from trunkline.audit.files.vault.key_file import KeyFile

MOST_ITEMS: Final = 4096  # in one batch
LOOK_EVERY = 1.0  # seconds between looks at the room on the disk


@final
class Item:
    """Frames that belong together: they are in one batch, and become durable at once. Never changed."""

    __slots__ = ("frames", "records")

    def __init__(self, frames: bytes, records: int) -> None:
        self.frames, self.records = frames, records


class KeyEntries(NamedTuple):
    """Entries for the file of keys: durable before anything that comes after them is written."""

    data: bytes


class Roll(NamedTuple):
    """The frame of `log.sealed`; after it the log goes on in the next segment, or ends."""

    frame: bytes
    ends: bool


class Barrier(NamedTuple):
    """Asks to be told when all before it is durable, or the log has failed."""

    passed: threading.Event


Work = Item | KeyEntries | Roll | Barrier


class Flusher:
    """Owns the segment that is written. `put` is for one thread, everything public may be read by any.

    `taken` counts the bytes that no longer wait, `durable` the items that are durable, `busy_since` is when the disk
    was last asked for something that it has not done yet (monotonic ns), else 0. `keys_end` is how far the file of keys
    goes, where there is one.
    """

    def __init__(
        self,
        segment: Segment,
        next_index: int,
        following: NextSegment,
        settings: LogSettings,
        disk: Disk,
        key_file: KeyFile | None,
    ) -> None:
        self._key_file = key_file
        self.keys_end = key_file.end if key_file is not None else 0
        self.segment, self._index, self._following = segment, next_index, following
        self._settings, self._disk = settings, disk
        self._queue: SimpleQueue[list[Work]] = SimpleQueue()
        self.put = self._queue.put
        self.taken = 0
        self.durable = 0
        self.failure: str | None = None
        self.busy_since = 0
        self.times = FlushTimes()
        self._looked_at = 0.0
        self._marked = True
        self._on_progress: Callable[[], None] = _nobody
        self._writing = threading.Thread(target=self._run, name="log-flusher", daemon=True)

    def start(self, on_progress: Callable[[], None]) -> None:
        """Begin; `on_progress` is called from the thread whenever `durable` or `failure` has changed."""
        self._on_progress = on_progress
        self._writing.start()

    def join(self, timeout: float) -> None:
        """Wait for the thread to end, at most so many seconds."""
        self._writing.join(timeout)

    @property
    def running(self) -> bool:
        """Whether the thread has not ended."""
        return self._writing.is_alive()

    def fail(self, reason: str) -> None:
        """Declare the log failed, for good; the first reason stands. May be called from any thread."""
        if self.failure is None:
            self.failure = reason
            self._on_progress()

    def overdue(self) -> bool:
        """Whether the disk has not answered within the bound."""
        since = self.busy_since
        return since > 0 and time.monotonic_ns() - since > self._settings.flush_bound * 1e9

    def _run(self) -> None:
        going = True
        while going and self.failure is None:
            work = self._gather()
            try:
                self._look_at_disk()
                going = self._carry_out(work)
                self._mark()
            except (OSError, LogFailed) as error:
                self.fail(str(error))
            except Exception as error:  # noqa: BLE001  a thread that dies silently would leave every caller waiting
                self.fail(f"{type(error).__name__}: {error}")
            self.busy_since = 0
            self._release(work)
        self._let_go(sealed=self.failure is None)

    def _gather(self) -> list[Work]:
        """Return all that waits, in order; nothing only where nothing came for a while."""
        queue = self._queue
        try:
            work = queue.get(timeout=LOOK_EVERY)
        except Empty:
            return []
        take = queue.get_nowait
        while len(work) < MOST_ITEMS and not queue.empty():
            work.extend(take())
        return work

    def _look_at_disk(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < LOOK_EVERY:
            return
        self._looked_at = now
        self.busy_since = time.monotonic_ns()
        free = self._disk.free_bytes(self.segment.path.parent)
        self.busy_since = 0
        if free < self._settings.min_free_bytes:
            raise LogFailed(f"the disk is nearly full: {free} bytes are free")

    def _carry_out(self, work: list[Work]) -> bool:
        """Write and flush; return whether the log goes on."""
        frames: list[bytes] = []
        records = 0
        for one in work:
            if isinstance(one, Item):
                frames.append(one.frames)
                records += one.records
            elif isinstance(one, KeyEntries):
                self._keep_keys(one.data)  # before the batch, for what needs them comes after them
            elif isinstance(one, Roll):
                self._flush([*frames, one.frame], records + 1)
                self.segment.seal(self.segment.offset - len(one.frame), self._index)
                self._marked = True
                if one.ends:
                    return False
                self._begin_next()
                frames, records = [], 0
        if frames:
            self._flush(frames, records)
        return True

    def _keep_keys(self, data: bytes) -> None:
        if self._key_file is not None:
            self.busy_since = time.monotonic_ns()
            self._key_file.append(data)
            self.busy_since = 0
            self.keys_end = self._key_file.end

    def _flush(self, frames: list[bytes], records: int) -> None:
        started = self.busy_since = time.monotonic_ns()
        self.segment.write(frames, self._index, records)
        self._count(frames, records, started)
        self._marked = False
        self._mark()
        self._on_progress()

    def _mark(self) -> None:
        """Unless the next batch is about to say it, say that the last one is durable."""
        if not self._marked and self._queue.empty():
            self.segment.mark(self._index)
            self._marked = True

    def _begin_next(self) -> None:
        """Go on in the next segment; `busy_since` still stands, for it may have to be waited for."""
        self.segment = self._following.take(self._index)
        self._following.prepare(self.fail)

    def _count(self, frames: list[bytes], records: int, started: int) -> None:
        self.times.add(time.monotonic_ns() - started)
        self._index += records
        self.taken += sum(map(len, frames))
        self.durable += len(frames)

    def _release(self, work: list[Work]) -> None:
        for one in work:
            if isinstance(one, Barrier):
                one.passed.set()

    def _let_go(self, *, sealed: bool) -> None:
        self._following.end()
        if self._key_file is not None:
            self._key_file.close()
        if not sealed:
            self.segment.close()
            while not self._queue.empty():
                self._release(self._queue.get_nowait())


def _nobody() -> None:
    """Before anybody listens."""
