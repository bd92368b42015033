"""Makes the ids of calls and records."""

import os
import time

from trunkline.model.ids import uuid7

RANDOM_BYTES = 10
POOL = RANDOM_BYTES * 400  # one system call for so many ids


class IdSource:
    """UUIDv7s from the wall clock and the system's random source."""

    def __init__(self) -> None:
        self._pool, self._at = b"", 0

    def __call__(self) -> str:
        """Return a new id."""
        if self._at >= len(self._pool):
            self._pool, self._at = os.urandom(POOL), 0
        start = self._at
        self._at = start + RANDOM_BYTES
        return uuid7(time.time_ns() // 1_000_000, self._pool[start : self._at])
