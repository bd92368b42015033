"""How far the index is, on standard error, for whoever looks at a terminal."""

import sys
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from trunkline.ledger.answers import IndexStatus

MEGABYTE = 1 << 20


class IndexProgress:
    """A bar over the bytes of the logs; nothing where standard error is no terminal."""

    def __init__(self) -> None:
        said = TextColumn("{task.fields[said]}")
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            said,
            TimeRemainingColumn(),
            console=Console(file=sys.stderr),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task: TaskID | None = None
        self._most = 0

    def show(self, status: IndexStatus) -> None:
        """Show how far it is."""
        self._most = max(self._most, status.unread_bytes)
        said = f"{status.records:,} records, {status.unread_bytes // MEGABYTE:,} MB of logs to go"
        if self._task is None:
            self._task = self._bar.add_task("indexing", total=self._most, said=said)
        self._bar.update(self._task, total=self._most, completed=self._most - status.unread_bytes, said=said)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
