"""The proofs of the logs beside control's other work: followed and signed in a thread, recorded in control's own log.

A round: the logs are read into their trees, in slices; what has grown is signed; control's log records what was
signed; then the checkpoints are put in place; last of all control's own log is signed, which covers all of that.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from trunkline.audit.files.data_dir import DataDirError, read_deployment
from trunkline.audit.files.disk import Disk
from trunkline.audit.files.key_file import KEY_FILE, PUBLIC_KEY_FILE, KeyUnusable, make_key, publish_key, read_key
from trunkline.audit.files.log_proofs import LogProofs
from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.log_of_logs import CHECKPOINTS, encode_checkpoints
from trunkline.audit.format.notes import SigningKey
from trunkline.control.journal import Journal, Unrecorded
from trunkline.operations import OperationalLog

# Records of each log in a slice: a few hundredths of a second, after which other threads have had their turn.
SLICE = 8192
# A slice with fewer has read all that there was.
FEW = 512
POLL = 1.0
# With a poll in between, a checkpoint is never older than ten seconds while control keeps up.
SIGN_EVERY = 8.0
AGAIN_AFTER = 30.0
# At the end: what is left then is signed by the next start. The supervisor waits for ten seconds.
FINISH_WITHIN = 4.0
Result = TypeVar("Result")


class ProofDesk:
    """Signs the logs of a data directory; use within one event loop. `key_file` None is the one beside the logs."""

    def __init__(self, data_dir: Path, own: Path, key_file: Path | None, journal: Journal, log: OperationalLog) -> None:
        self._data_dir, self._own, self._key_file = data_dir, own, key_file
        self._journal, self._log = journal, log
        self._proofs: LogProofs | None = None
        self._thread = ThreadPoolExecutor(1, "proofs")
        self._signed_at = self._complete_at = time.monotonic()

    @property
    def lag_seconds(self) -> float:
        """How long ago all that the logs had was under a signed checkpoint."""
        return time.monotonic() - self._complete_at

    async def run(self) -> None:
        """Follow and sign until cancelled. What goes wrong is reported and tried again: no call depends on it."""
        while True:
            try:
                await self._follow()
            except (CorruptLog, DataDirError, KeyUnusable, OSError, Unrecorded) as error:
                self._failed(str(error))
            except Exception as error:  # noqa: BLE001 - the loop that must not die
                self._failed(f"{type(error).__name__}: {error}")
            await self._in_thread(self._let_go)
            await asyncio.sleep(AGAIN_AFTER)

    async def finish(self) -> None:
        """Sign what the logs have by now, our own last: `run` has been cancelled, and the journal ends in between."""
        give_up = time.monotonic() + FINISH_WITHIN
        try:
            proofs = await self._in_thread(self._opened)
            while await self._in_thread(lambda: proofs.step(SLICE)) and time.monotonic() < give_up:
                if proofs.urgent:
                    await self._sign(proofs)
            await self._sign(proofs)
            await self._journal.close()
            while await self._in_thread(lambda: proofs.sign_own(SLICE)) and time.monotonic() < give_up:
                pass
        except (CorruptLog, DataDirError, KeyUnusable, OSError, Unrecorded) as error:
            self._failed(str(error))
        finally:
            self._thread.submit(self._let_go)
            self._thread.shutdown()

    async def _follow(self) -> None:
        proofs = await self._in_thread(self._opened)
        while True:
            began = time.monotonic()
            read = await self._in_thread(lambda: proofs.step(SLICE))
            if proofs.urgent or began - self._signed_at >= SIGN_EVERY:
                await self._sign(proofs)
                self._signed_at = began
                if read < FEW:
                    self._complete_at = began
            if read < FEW:
                await asyncio.sleep(POLL)

    async def _sign(self, proofs: LogProofs) -> None:
        signed = await self._in_thread(proofs.sign)
        if signed:
            await self._journal.note(CHECKPOINTS, encode_checkpoints(signed))
            await self._in_thread(proofs.publish)
        await self._in_thread(lambda: proofs.sign_own(SLICE))

    def _opened(self) -> LogProofs:
        if self._proofs is None:
            key = self._key()
            publish_key(self._data_dir, key.public)
            self._proofs = LogProofs(self._data_dir, self._own, key, self._stopped, Disk())
        return self._proofs

    def _key(self) -> SigningKey:
        """Return the key; one that nobody configured is made with the first start."""
        deployment = read_deployment(self._data_dir)
        if self._key_file is not None:
            return read_key(self._key_file, deployment)
        path = self._data_dir / KEY_FILE
        if path.exists() or (self._data_dir / PUBLIC_KEY_FILE).exists():
            return read_key(path, deployment)
        key = make_key(path, deployment)
        self._log.event("info", "audit_key_made", file=str(path), public_key=key.public.text)
        return key

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _let_go(self) -> None:
        proofs, self._proofs = self._proofs, None
        if proofs is not None:
            proofs.close()

    def _stopped(self, error: CorruptLog) -> None:
        self._log.event("error", "proof_stopped", file=str(error.file), offset=error.offset, reason=error.reason)

    def _failed(self, reason: str) -> None:
        self._log.event("error", "proof_failed", reason=" ".join(reason.split()))
