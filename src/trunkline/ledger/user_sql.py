"""Running a query of a user's own, in a process of its own, for a bounded time."""

import os
import select
import subprocess
import sys
import time

import msgspec

from trunkline.ledger.answers import Misunderstood, Table, Unanswerable
from trunkline.ledger.index import Index
from trunkline.ledger.sandbox import Answered, Task

MEMORY_MB = 256
SECONDS = 10
MOST_ROWS = 100_000
ANSWER_BYTES = 32 << 20
LONGEST_QUERY = 100_000
# A process at nice 19 beside a busy worker may need long to import the database; that time is not the query's.
START_SECONDS = 60.0
PIECE = 1 << 16


class TookTooLong(Exception):
    """The process did not say what it had to in its time."""


def run_sql(index: Index, query: str, rows: int) -> Table:
    """Return the answer to a SELECT over the views, at most so many rows. Raises Misunderstood or Unanswerable."""
    if not 1 <= rows <= MOST_ROWS:
        raise Misunderstood(f"the limit has to be between 1 and {MOST_ROWS:,}")
    if len(query) > LONGEST_QUERY:
        raise Misunderstood(f"a query has at most {LONGEST_QUERY:,} characters")
    with index.lent() as path, index.people.listed() as names:
        answered = _ask(Task(str(path.resolve()), names, query, MEMORY_MB, SECONDS, rows, ANSWER_BYTES))
    if answered.error is not None:
        kind = Misunderstood if answered.misunderstood else Unanswerable
        raise kind(f"the query was not answered: {answered.error}")
    return Table(answered.columns, answered.rows, answered.more)


def _ask(task: Task) -> Answered:
    arguments = [sys.executable, "-P", "-m", "trunkline.ledger.sandbox"]
    # Nothing of our environment: it has secrets.
    with subprocess.Popen(  # noqa: S603 - our own interpreter and module
        arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
        pass_fds=(task.names,),
    ) as child:
        try:
            return _talk(child, task)
        except TookTooLong:
            raise Unanswerable(
                f"the query was not answered: it took longer than the {task.seconds} s that one may take"
            ) from None
        finally:
            child.kill()


def _talk(child: "subprocess.Popen[bytes]", task: Task) -> Answered:
    if child.stdin is None or child.stdout is None:
        raise ValueError("the process was started with pipes")
    try:
        child.stdin.write(msgspec.json.encode(task))
        child.stdin.close()
    except BrokenPipeError:
        raise Unanswerable("the query was not answered: its process could not be started") from None
    output = child.stdout.fileno()
    begun = _read(output, 1, time.monotonic() + START_SECONDS)
    data = _read(output, task.answer_bytes * 2, time.monotonic() + task.seconds) if begun else b""
    try:
        return msgspec.json.decode(data, type=Answered)
    except msgspec.MsgspecError:
        return Answered(
            error=f"it needs more than the {task.memory_mb} MB of memory, or the {task.seconds} s, of a query"
        )


def _read(descriptor: int, most: int, until: float) -> bytes:
    """Read so many bytes or to the end. Raises TookTooLong."""
    data = bytearray()
    while len(data) < most:
        if not select.select([descriptor], [], [], max(0.0, until - time.monotonic()))[0]:
            raise TookTooLong
        piece = os.read(descriptor, min(PIECE, most - len(data)))
        if not piece:
            break
        data += piece
    return bytes(data)
