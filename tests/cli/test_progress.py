"""Bars on a terminal: how far it is, and how much there is to go."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

from trunkline.audit.files.verification import Progress
from trunkline.cli.progress import MEGABYTE, ExportProgress, IndexProgress, SimulationProgress, VerificationProgress
from trunkline.ledger.answers import IndexStatus
from trunkline.ledger.evidence_answers import ExportStep
from trunkline.ledger.limit_answers import SimulationStep


class Terminal(io.StringIO):
    """Standard error that somebody looks at."""

    def isatty(self) -> bool:
        return True


def shown(terminal: io.StringIO) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())


def status(records: int, unread: int) -> IndexStatus:
    said = {"records": records, "unread_bytes": unread}
    return IndexStatus(**{name: said.get(name) for name in IndexStatus.__struct_fields__})


@contextmanager
def looking(monkeypatch) -> Iterator[Terminal]:
    """In the test itself, for between its phases standard error is taken back."""
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    with redirect_stderr(Terminal()) as terminal:
        yield terminal


def test_a_rebuild_shows_the_records_that_it_has_and_the_bytes_that_it_has_not(monkeypatch):
    with looking(monkeypatch) as terminal, IndexProgress() as progress:
        progress.show(status(0, 40 * MEGABYTE))
        progress.show(status(12_345, 10 * MEGABYTE))
    said = shown(terminal)
    assert "indexing" in said
    assert "12,345 records, 10 MB of logs to go" in said


def test_a_simulation_shows_the_calls_that_it_has_played(monkeypatch):
    with looking(monkeypatch) as terminal, SimulationProgress() as progress:
        progress.show(SimulationStep(done=2_000, of=10_000))
    assert "2,000 of 10,000 calls" in shown(terminal)


def test_an_export_shows_the_calls_that_it_has(monkeypatch):
    with looking(monkeypatch) as terminal, ExportProgress() as progress:
        progress.show(ExportStep(done=1_200, of=3_000))
    assert "1,200 of 3,000 calls" in shown(terminal)


def test_a_check_of_the_logs_shows_the_records_and_bytes_that_it_has_read(monkeypatch):
    with looking(monkeypatch) as terminal, VerificationProgress() as progress:
        progress.show(Progress(3 * MEGABYTE, 40 * MEGABYTE, 12_345))
    said = shown(terminal)
    assert "verifying" in said
    assert "12,345 records, 3 of 40 MB" in said


def test_nothing_is_shown_where_nobody_looks():
    with redirect_stderr(io.StringIO()) as nobody, IndexProgress() as progress:
        progress.show(status(1, 1))
    assert nobody.getvalue() == ""
