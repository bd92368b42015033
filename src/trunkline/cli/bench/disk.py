"""How long this disk takes to make a little durable: the floor below every call that is recorded before its answer."""

import os
import tempfile
import time
from pathlib import Path

from trunkline.cli.bench.plan import Spread, spread

# About what the record of one call takes.
RECORD_BYTES = 4096
TIMES = 200
# A disk as slow as this is asked fewer times.
LIMIT_SECONDS = 2.0


def durable_writes(directory: Path) -> Spread:
    """Append to a new file in a directory and flush it, again and again; returns the times of one append."""
    took: list[float] = []
    record = bytes(RECORD_BYTES)
    with tempfile.NamedTemporaryFile(dir=directory, prefix="trunkline-bench-", buffering=0) as file:
        until = time.perf_counter() + LIMIT_SECONDS
        while len(took) < TIMES and time.perf_counter() < until:
            began = time.perf_counter()
            file.write(record)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return spread(took)
