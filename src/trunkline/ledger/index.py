"""The index on the disk: one DuckDB file, written by one process, made again from the logs whenever it has to be.

`Index` is used by several threads: one adds, others ask. It can be lent: then this process lets go of the file, so that
another one can read it, and whoever wants it waits.
"""

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from trunkline.audit.files.batches import Position
from trunkline.audit.format.sealing import NO_KEYS
from trunkline.ledger.answers import Unanswerable
from trunkline.ledger.fold import Key, Lines, Running, Standing, running_again, unreadable_line
from trunkline.ledger.loading import LINES, rows_of
from trunkline.ledger.people import People, name_lines, write
from trunkline.ledger.schema import FACTS, PEOPLE, SCHEMA_VERSION, more_people, people, statements

DIRECTORY = "index"
FILE = "ledger.duckdb"
# What DuckDB has not yet put into the file, and a file that was damaged.
WAL, DAMAGED = ".wal", ".damaged"
# What DuckDB may take for itself; all processes of a gateway have to do with 200 MB.
MEMORY = "64MB"
SPILL = "2GB"
CHECKPOINT_AT = "32MB"


# By these words of DuckDB's its file is none any more: a disk was full when it was made, or has lost parts of it.
DAMAGE = ("not a valid DuckDB database file", "Could not read enough bytes", "Corrupt ", "replaying WAL")


class IndexUnusable(Unanswerable):
    """The index cannot be opened now: no permission, another process, no room."""


class IndexDamaged(IndexUnusable):
    """The index cannot be opened any more; it has to be made again: `trunkline index rebuild`."""


def is_damage(error: Exception) -> bool:
    """Whether the file is what is wrong, not what was asked or who else has it."""
    return isinstance(error, IndexDamaged) or any(words in str(error) for words in DAMAGE)


class Index:
    """The index of a data directory, whose lock this process holds."""

    def __init__(self, data_dir: Path, people: People | None = None) -> None:
        self.people = people if people is not None else People(data_dir, NO_KEYS)
        self._directory = data_dir / DIRECTORY
        self._path = self._directory / FILE
        self._turn = threading.RLock()
        self._spools: dict[str, Spool] = {}
        self._names: int | None = None  # a file in memory in which names go to DuckDB
        self._connection: duckdb.DuckDBPyConnection | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def open(self) -> bool:
        """Open the index, made anew if there is none or one of another version; return whether it was made.

        Raises IndexUnusable or OSError.
        """
        with self._turn:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            self._connected()
            if self._version() == SCHEMA_VERSION:
                return False
            self.close()
            self._remove()
            self._connection = self._connect()
            self._make()
            return True

    def close(self) -> None:
        """Let go of the file; what was added is in it."""
        with self._turn:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
            for spool in self._spools.values():
                spool.close()
            self._spools = {}
            if self._names is not None:
                os.close(self._names)
                self._names = None

    def set_aside(self) -> Path:
        """Move a damaged file out of the way, in place of the last one that was; return where it is. Raises OSError."""
        with self._turn:
            self.close()
            aside = self._path.with_name(FILE + DAMAGED)
            self._path.replace(aside)
            self._path.with_name(FILE + WAL).unlink(missing_ok=True)
            return aside

    def clear(self) -> None:
        """Throw away all that is in it."""
        with self._turn:
            self.close()
            self._directory.mkdir(mode=0o700, exist_ok=True)
            self._remove()
            self._path.with_name(FILE + DAMAGED).unlink(missing_ok=True)
            self.open()

    @contextmanager
    def lent(self) -> Iterator[Path]:
        """Let another process read the file for as long as the context lasts; who wants the index here waits."""
        with self._turn:
            self.close()
            try:
                yield self._path
            finally:
                with suppress(IndexUnusable):  # whoever wants it next tries again, and is told
                    self._connection = self._connect()

    def ask(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query of ours. Raises Unanswerable where it needs too much memory."""
        with self._turn:
            try:
                self._take_names()
                return self._connected().execute(sql, list(values)).fetchall()
            except duckdb.OutOfMemoryException:
                raise Unanswerable(f"that needs more than the index's {MEMORY}: ask for a shorter time") from None

    def forget(self, before: datetime) -> int:
        """Take out what was opened, refused, or spent besides, before then; return how many rows that were."""
        with self._turn:
            connection = self._connected()
            connection.execute("BEGIN")
            rows = 0
            for table in ("calls", "refusals", "imports"):
                done = connection.execute(f'DELETE FROM {FACTS}.{table} WHERE "at" < ?', [before]).fetchone()
                rows += int(done[0]) if done is not None else 0
            connection.execute(
                f"DELETE FROM {FACTS}.judgements WHERE (log, call) NOT IN (SELECT log, id FROM {FACTS}.calls)"
            )
            connection.execute("COMMIT")
            connection.execute("CHECKPOINT")  # gives the room back
            return rows

    def expire(self, log: str, following: int) -> int:
        """Take out what stands in segments of a log that begin before this record; return how many rows that were."""
        with self._turn:
            connection = self._connected()
            connection.execute("BEGIN")
            number = f"(SELECT log FROM {FACTS}.logs WHERE directory = ?)"
            rows = 0
            for table in ("calls", "refusals", "imports", "judgements"):
                done = connection.execute(
                    f"DELETE FROM {FACTS}.{table} WHERE log = {number} AND segment < ?", [log, following]
                ).fetchone()
                rows += int(done[0]) if done is not None else 0
            connection.execute("COMMIT")
            connection.execute("CHECKPOINT")
            return rows

    def positions(self) -> dict[str, tuple[int, Position]]:
        """Return for each log that is known, by its directory below the logs', its number and where to read on."""
        found = self.ask(f'SELECT directory, log, segment, "offset" FROM {FACTS}.logs')
        return {directory: (log, Position(segment, offset)) for directory, log, segment, offset in found}

    def running(self) -> list[tuple[Key, Running]]:
        """Return the calls that have been opened and have not ended."""
        found = self.ask(f'SELECT CAST(id AS VARCHAR), opened, log, segment, "offset" FROM {FACTS}.running')
        return [
            ((log, call), running_again(opened.encode(), Standing(log, *rest))) for call, opened, log, *rest in found
        ]

    def add(
        self,
        lines: Lines,
        begun: Iterable[bytes],
        ended: Sequence[Key],
        positions: Iterable[tuple[int, str, Position]],
    ) -> None:
        """Add what was read, and how far that is, in one transaction: both are there, or neither.

        `begun` are lines for `running`; `ended` are calls to be taken out of it. Raises duckdb.Error.
        """
        with self._turn:
            kept = (lines, list(begun), ended, list(positions))
            try:
                self._add(*kept)
            except (duckdb.DataError, duckdb.InvalidInputException):
                # A value that no column takes, such as a text with a zero byte: that record is unreadable, no other.
                self._weed(lines)
                self._add(*kept)

    def _add(
        self, lines: Lines, begun: Sequence[bytes], ended: Sequence[Key], positions: Sequence[tuple[int, str, Position]]
    ) -> None:
        connection = self._connected()
        connection.execute("BEGIN")
        try:
            for table, of_table in _tables(lines):
                self._take(table, of_table)
            self._take("unreadable", lines.unreadable)
            if ended:
                logs, calls = zip(*ended, strict=True)
                connection.execute(
                    f"DELETE FROM {FACTS}.running WHERE (log, id) IN (SELECT unnest(?::INTEGER[]), unnest(?::UUID[]))",
                    [list(logs), list(calls)],
                )
            self._take("running", begun)
            for log, directory, position in positions:
                connection.execute(f"DELETE FROM {FACTS}.logs WHERE log = ?", [log])
                connection.execute(f"INSERT INTO {FACTS}.logs VALUES (?, ?, ?, ?)", [log, directory, *position])
            connection.execute("COMMIT")
        except BaseException:
            self._give_up(connection)
            raise

    def _give_up(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Take back what was begun; after a commit that failed only a new connection can begin again."""
        try:
            connection.execute("ROLLBACK")
        except duckdb.Error:
            self._connection = None
            with suppress(duckdb.Error):
                connection.close()

    def _weed(self, lines: Lines) -> None:
        """Take the lines that DuckDB does not take out of a step, and note their records as unreadable."""
        for table, of_table in _tables(lines):
            bad = dict(self._bad(table, of_table))
            of_table[:] = [line for line in of_table if line not in bad]
            lines.unreadable.extend(unreadable_line(line, reason) for line, reason in bad.items())

    def _bad(self, table: str, lines: Sequence[bytes]) -> Iterator[tuple[bytes, str]]:
        if not lines:
            return
        try:
            self._connected().execute(self._spools[table].read(lines)).fetchall()
        except duckdb.Error as error:
            if len(lines) == 1:
                yield lines[0], str(error).partition("\n")[0]
                return
            middle = len(lines) // 2
            yield from self._bad(table, lines[:middle])
            yield from self._bad(table, lines[middle:])

    def _take(self, table: str, lines: Sequence[bytes]) -> None:
        if lines:
            self._connected().execute(self._spools[table].insert(lines))

    def _take_names(self) -> None:
        """Tell DuckDB the names that have come and gone."""
        connection = self._connected()
        added, gone = self.people.taken(everything=False)
        if gone:
            connection.execute(
                f"DELETE FROM {PEOPLE}.names WHERE written IN (SELECT unnest(?::VARCHAR[]))", [list(gone)]
            )
        if added and self._names is not None:
            write(self._names, name_lines(added))
            connection.execute(more_people(f"/proc/self/fd/{self._names}"))

    def _connected(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> duckdb.DuckDBPyConnection:
        try:
            connection = duckdb.connect(
                str(self._path),
                config={
                    "threads": 1,
                    "memory_limit": MEMORY,
                    "temp_directory": str(self._directory / "spill"),
                    "max_temp_directory_size": SPILL,
                    "checkpoint_threshold": CHECKPOINT_AT,
                    "autoinstall_known_extensions": False,
                    "autoload_known_extensions": False,
                },
            )
            os.chmod(self._path, 0o600)
            self._spools = {table: Spool(table) for table in LINES}
            if self._names is None:
                self._names = os.memfd_create("trunkline-people")
            write(self._names, name_lines(self.people.taken(everything=True)[0]))
            told = f"/proc/self/fd/{self._names}"
            for statement in people(told):
                connection.execute(statement)
            # From here on it reads no file but what we hand it in memory.
            paths = [*(spool.path for spool in self._spools.values()), told]
            connection.execute(f"SET allowed_paths = [{', '.join(map(repr, paths))}]")
            connection.execute(
                "SET TimeZone = 'UTC'; SET enable_external_access = false; SET lock_configuration = true"
            )
        except duckdb.Error as error:
            kind = IndexDamaged if is_damage(error) else IndexUnusable
            raise kind(f"{self._path} cannot be opened: {error}") from None
        return connection

    def _version(self) -> int | None:
        try:
            ((version,),) = self.ask(f"SELECT version FROM {FACTS}.meta")
        except (duckdb.Error, ValueError):
            return None
        return int(version)

    def _make(self) -> None:
        connection = self._connected()
        connection.execute("BEGIN")
        for statement in statements():
            connection.execute(statement)
        connection.execute("COMMIT")

    def _remove(self) -> None:
        for suffix in ("", WAL):
            self._path.with_name(FILE + suffix).unlink(missing_ok=True)


def _tables(lines: Lines) -> list[tuple[str, list[bytes]]]:
    """Return the lines that records make, by their table."""
    return [
        ("calls", lines.calls),
        ("judgements", lines.judgements),
        ("refusals", lines.refusals),
        ("imports", lines.imports),
        ("reads", lines.reads),
        ("samples", lines.samples),
        ("chosen", lines.chosen),
        ("decisions", lines.decisions),
    ]


class Spool:
    """A file in memory in which lines go to DuckDB."""

    def __init__(self, table: str) -> None:
        self._fd = os.memfd_create(f"trunkline-{table}")
        self.path = f"/proc/self/fd/{self._fd}"
        self._table = table

    def insert(self, lines: Sequence[bytes]) -> str:
        """Put these lines in, in place of what was there, and return the statement that takes them into the table."""
        return f"INSERT INTO {FACTS}.{self._table} {self.read(lines)}"

    def read(self, lines: Sequence[bytes]) -> str:
        """Put these lines in, in place of what was there, and return the query whose rows they are."""
        write(self._fd, b"\n".join(lines))
        return rows_of(self._table, self.path)

    def close(self) -> None:
        """Give the memory back."""
        os.close(self._fd)
