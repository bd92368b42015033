"""How far long work is, on standard error, for whoever looks at a terminal."""

import sys
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from trunkline.audit.files.verification import Progress as Verified
from trunkline.ledger.answers import IndexStatus
from trunkline.ledger.evidence_answers import ExportStep
from trunkline.ledger.limit_answers import SimulationStep

MEGABYTE = 1 << 20


class _Bar:
    """A bar; nothing where standard error is no terminal."""

    def __init__(self, about: str) -> None:
        said = TextColumn("{task.fields[said]}")
        self._about = about
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

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _move(self, done: int, of: int, said: str) -> None:
        if self._task is None:
            self._task = self._bar.add_task(self._about, total=of, said=said)
        self._bar.update(self._task, total=of, completed=done, said=said)


class IndexProgress(_Bar):
    """A bar over the bytes of the logs."""

    def __init__(self) -> None:
        super().__init__("indexing")
        self._most = 0

    def show(self, status: IndexStatus) -> None:
        """Show how far it is."""
        self._most = max(self._most, status.unread_bytes)
        said = f"{status.records:,} records, {status.unread_bytes // MEGABYTE:,} MB of logs to go"
        self._move(self._most - status.unread_bytes, self._most, said)


class VerificationProgress(_Bar):
    """A bar over the bytes of the logs."""

    def __init__(self) -> None:
        super().__init__("verifying")

    def show(self, progress: Verified) -> None:
        """Show how far it is."""
        said = f"{progress.records:,} records, {progress.done // MEGABYTE:,} of {progress.of // MEGABYTE:,} MB"
        self._move(progress.done, progress.of, said)


class SimulationProgress(_Bar):
    """A bar over the calls."""

    def __init__(self) -> None:
        super().__init__("simulating")

    def show(self, step: SimulationStep) -> None:
        """Show how far it is."""
        self._move(step.done, step.of, f"{step.done:,} of {step.of:,} calls")


class ScanProgress(_Bar):
    """A bar over the calls."""

    def __init__(self) -> None:
        super().__init__("scanning")

    def show(self, done: int, of: int) -> None:
        """Show how far it is."""
        self._move(done, of, f"{done:,} of {of:,} calls")


class ExportProgress(_Bar):
    """A bar over the calls of an export."""

    def __init__(self) -> None:
        super().__init__("exporting")

    def show(self, step: ExportStep) -> None:
        """Show how far it is."""
        self._move(step.done, step.of, f"{step.done:,} of {step.of:,} calls")
