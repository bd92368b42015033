"""`python -m trunkline.ledger.sandbox`: a process of its own for one query of a user's.

It reads the question from standard input, answers on standard output, and has by then given up everything else: it can
write no file, take no more memory or processor time than it was given, and the index is open for reading only. Whatever
a query makes DuckDB do, the process that asked ends this one when its time is up.
"""

import resource
import sys
from typing import Any

import duckdb
import msgspec

from trunkline.ledger.gate import refusal
from trunkline.ledger.schema import people
from trunkline.ledger.sql_words import quote_at
from trunkline.ledger.values import plain_value

ROWS_AT_A_TIME = 1000
MEGABYTE = 1 << 20


class Task(msgspec.Struct, frozen=True):
    """One query, the open file with the names of persons, and the query's bounds.

    They are megabytes for DuckDB, seconds of processor time, rows, and bytes of the answer.
    """

    path: str
    names: int
    query: str
    memory_mb: int
    seconds: int
    rows: int
    answer_bytes: int


class Answered(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of it: a table, or an error and whether it is one of the query's."""

    columns: tuple[str, ...] = ()
    rows: list[list[Any]] = []
    more: bool = False
    error: str | None = None
    misunderstood: bool = False


def answer(task: Task) -> Answered:
    """Return the answer to a query, or why there is none."""
    try:
        with _read_only(task) as connection:
            tree = connection.execute("SELECT json_serialize_sql(?)", [quote_at(task.query)]).fetchone()
            refused = refusal(msgspec.json.decode(tree[0])) if tree is not None else "it cannot be read"
            if refused is not None:
                return Answered(error=refused, misunderstood=True)
            return _rows(connection, task)
    except (duckdb.OutOfMemoryException, MemoryError):
        return Answered(error=f"it needs more than the {task.memory_mb} MB of memory that a query may have")
    except (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError) as error:
        return Answered(error=_first_line(error), misunderstood=True)
    except (duckdb.Error, RecursionError) as error:
        return Answered(error=_first_line(error))


def _read_only(task: Task) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(  # in memory, where names may be put in; the index beside it is for reading only
        config={
            "threads": 1,
            "memory_limit": f"{task.memory_mb}MB",
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
        },
    )
    path = task.path.replace("'", "''")
    connection.execute(f"ATTACH '{path}' AS ledger (READ_ONLY); USE ledger")
    for statement in people(f"/proc/self/fd/{task.names}"):
        connection.execute(statement)
    connection.execute("SET TimeZone = 'UTC'; SET enable_external_access = false; SET lock_configuration = true")
    return connection


def _rows(connection: duckdb.DuckDBPyConnection, task: Task) -> Answered:
    connection.execute(quote_at(task.query))
    columns = tuple(column[0] for column in connection.description or ())
    rows: list[list[Any]] = []
    size = 0
    while found := connection.fetchmany(min(ROWS_AT_A_TIME, task.rows + 1 - len(rows))):
        for row in found:
            if len(rows) == task.rows:
                return Answered(columns, rows, more=True)
            rows.append([plain_value(value) for value in row])
            size += len(msgspec.json.encode(rows[-1]))
            if size > task.answer_bytes:
                return Answered(error=f"the answer is above {task.answer_bytes // MEGABYTE} MB: ask for less of it")
    return Answered(columns, rows)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:1000]


def _give_up(task: Task) -> None:
    """Let the kernel hold the bounds, whatever the library does."""
    everything = (task.memory_mb + 512) * MEGABYTE
    for what, bound in (
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CPU, task.seconds + 1),
        (resource.RLIMIT_DATA, everything),
    ):
        resource.setrlimit(what, (bound, bound))


def main() -> None:
    """Answer the question on standard input."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    _give_up(task)
    sys.stdout.buffer.write(b"\n")  # from here on the time is the query's
    sys.stdout.buffer.flush()
    sys.stdout.buffer.write(msgspec.json.encode(answer(task)))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
