"""Opening a worker's log, and trying again where somebody may mend what is in the way."""

import asyncio
import re
from collections.abc import Callable

from trunkline.audit.files.data_dir import DataDirError
from trunkline.audit.files.writer import CorruptLog, LogFailed, LogWriter, OnEvent, Recovery
from trunkline.operations import OperationalLog

RETRY_EVERY = 2.0  # seconds; a look at a full disk is cheap, and room is made by hand
NUMBERS = re.compile("[0-9]+")  # a disk that is full to another byte is no news

Opened = tuple[LogWriter, Recovery]


class LogOpening:
    """Opens a log with `open_log`, which blocks, and tells the operator what is in the way.

    `open_log` gets where to say what happens to the log. A corrupt one is not looked at again: going on would need
    somebody who decides what becomes of it.
    """

    def __init__(self, open_log: Callable[[OnEvent], Opened], operations: OperationalLog) -> None:
        self._open_log, self._operations = open_log, operations
        self._corrupt = self._under_way = False
        self._heard: list[tuple[str, dict[str, object]]] = []
        self._said: set[str] = set()

    def now(self) -> Opened | None:
        """Open the log; None where it cannot be, and the operational log says why."""
        self._under_way = True
        return self._taken(self._attempt())

    async def in_time(self) -> Opened | None:
        """Try again, without being in the event loop's way, until the log is open; None if it never will be."""
        while not self._corrupt:
            await asyncio.sleep(RETRY_EVERY)
            self._under_way = True
            opened = self._taken(await asyncio.to_thread(self._attempt))
            if opened is not None:
                return opened
        return None

    def _attempt(self) -> Opened | Exception:
        """Return the log, or what keeps it closed."""
        try:
            return self._open_log(self._hear)
        except (CorruptLog, DataDirError, LogFailed, OSError) as error:
            return error

    def _taken(self, found: Opened | Exception) -> Opened | None:
        self._under_way = False
        if not isinstance(found, Exception):
            self._tell()
            return found
        self._heard = [heard for heard in self._heard if heard[0] != "log_failed"]  # said here, once
        self._tell()
        reason = str(found)
        if isinstance(found, CorruptLog):
            self._corrupt = True
            self._operations.event("error", "log_corrupt", reason=reason)
        elif (kind := NUMBERS.sub("", reason)) not in self._said:
            self._said.add(kind)
            self._operations.event("error", "log_failed", reason=reason)
        return None

    def _hear(self, name: str, /, **facts: object) -> None:
        """Pass on what happens to the log; what an attempt says comes from its thread, and waits for its end."""
        self._heard.append((name, facts))
        if not self._under_way:
            self._tell()

    def _tell(self) -> None:
        heard, self._heard = self._heard, []
        for name, facts in heard:
            self._operations.event("error" if name == "log_failed" else "warning", name, **facts)
