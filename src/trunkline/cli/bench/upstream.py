"""Starts the fake provider and ends it."""

import contextlib
import select
import subprocess
import sys
from collections.abc import Iterator

from trunkline.cli.bench.places import on_cores
from trunkline.cli.failure import Failed

START_SECONDS = 15.0
STOP_SECONDS = 5.0


@contextlib.contextmanager
def provider(core: int, deltas: int, rate: float) -> Iterator[int]:
    """Run a fake provider on a core; gives its port. Raises Failed if it does not come up."""
    command = [sys.executable, "-P", "-m", "trunkline.cli.bench.provider", "--deltas", str(deltas), "--rate", str(rate)]
    with on_cores(core):
        # A session of its own: Ctrl-C is for whoever measures, who then ends this.
        process = subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
    try:
        yield _port(process)
    finally:
        _end(process)


def _port(process: subprocess.Popen[bytes]) -> int:
    out = process.stdout
    if out is None or not select.select([out], [], [], START_SECONDS)[0] or not (line := out.readline()):
        raise Failed("the fake provider did not start; what it wrote is above")
    return int(line)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        # Closes its standard input, which is its sign to go.
        process.communicate(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
