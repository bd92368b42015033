"""Makes the ids of calls and records."""

import os
import time
from typing import Final

from trunkline.model.ids import RANDOM_DIGITS, prefix_of, uuid7

DIGITS: Final = RANDOM_DIGITS * 400  # one system call for so many ids


class IdSource:
    """UUIDv7s from the wall clock and the system's random source."""

    def __init__(self) -> None:
        self._pool, self._at = "", 0
        self._millisecond, self._prefix = -1, ""

    def __call__(self) -> str:
        """Return a new id."""
        millisecond = time.time_ns() // 1_000_000
        if millisecond != self._millisecond:
            self._millisecond, self._prefix = millisecond, prefix_of(millisecond)
        start = self._at
        end = start + RANDOM_DIGITS
        if end > len(self._pool):
            self._pool = os.urandom(DIGITS // 2).hex()
            start, end = 0, RANDOM_DIGITS
        self._at = end
        return uuid7(self._prefix, self._pool[start:end])
