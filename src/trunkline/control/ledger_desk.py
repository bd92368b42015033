"""The ledger beside control's other work: followed in a thread, asked in others, imported when control is up."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.sealing import NO_KEYS, OpeningKeys
from trunkline.ledger.answers import FEW, Unanswerable
from trunkline.ledger.telemetry import CallCounts
from trunkline.operations import OperationalLog

if TYPE_CHECKING:
    from trunkline.ledger.ledger import Ledger

POLL = 1.0
AGAIN_AFTER = 30.0
# A question may come while the database is still being imported, at nice 19 beside a busy worker.
OPEN_WITHIN = 45.0
Result = TypeVar("Result")


class LedgerDesk:
    """Keeps the ledger of a data directory up to date and lets questions at it; use within one event loop."""

    def __init__(self, data_dir: Path, log: OperationalLog, keys: OpeningKeys = NO_KEYS) -> None:
        self._data_dir, self._keys, self._log = data_dir, keys, log
        self._ledger: Ledger | None = None
        self._opened = asyncio.Event()
        self._failure = ""
        self._following = ThreadPoolExecutor(1, "ledger-follower")
        self._asking = ThreadPoolExecutor(2, "ledger-question")

    async def run(self) -> None:
        """Follow the logs until cancelled. What goes wrong is reported and tried again: no call depends on it."""
        try:
            while True:
                try:
                    await self._follow()
                except Exception as error:  # noqa: BLE001 - the loop that must not die
                    reason = " ".join(str(error).split()) or type(error).__name__
                    self._failure = f"the index cannot be used: {reason}; `trunkline index rebuild` makes it again"
                    self._log.event("error", "index_failed", reason=reason)
                await asyncio.sleep(AGAIN_AFTER)
        finally:
            await asyncio.to_thread(self._end)

    async def ask(self, question: Callable[["Ledger"], Result]) -> Result:
        """Return the answer to a question. Raises Unanswerable, or what the question raises."""
        try:
            await asyncio.wait_for(self._opened.wait(), OPEN_WITHIN)
        except TimeoutError:
            raise Unanswerable(self._failure or "the index is still being opened: try again") from None
        if self._ledger is None:
            raise Unanswerable(self._failure or "control is stopping")
        return await asyncio.get_running_loop().run_in_executor(self._asking, question, self._ledger)

    def counted(self) -> tuple[CallCounts, float | None]:
        """Return what has been counted, and how long ago the index had everything; None before there is an index."""
        ledger = self._ledger
        return (ledger.counts, ledger.lag_seconds) if ledger is not None else (CallCounts(), None)

    async def clear(self) -> None:
        """Begin the index anew, also one that cannot be opened. Raises Unanswerable."""
        ledger = await asyncio.get_running_loop().run_in_executor(self._following, self._made)
        await asyncio.get_running_loop().run_in_executor(self._asking, ledger.clear)
        self._ledger = ledger
        self._opened.set()

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        ledger = await loop.run_in_executor(self._following, self._made)
        damage = await loop.run_in_executor(self._following, ledger.open)
        if damage is not None:
            self._log.event("warning", "index_begun_anew", reason=" ".join(damage.split()))
        self._ledger = ledger
        self._opened.set()
        while True:
            if await loop.run_in_executor(self._following, ledger.step) < FEW:
                await asyncio.sleep(POLL)

    def _made(self) -> "Ledger":
        from trunkline.ledger.ledger import Ledger  # noqa: PLC0415 - the database takes long to import, and 60 MB

        return self._ledger or Ledger(self._data_dir, self._damaged, self._keys)

    def _damaged(self, error: CorruptLog) -> None:
        self._log.event("error", "index_stopped", file=str(error.file), offset=error.offset, reason=error.reason)

    def _end(self) -> None:
        ledger, self._ledger = self._ledger, None
        self._asking.shutdown(cancel_futures=True)
        self._following.shutdown(cancel_futures=True)
        if ledger is not None:
            ledger.close()
