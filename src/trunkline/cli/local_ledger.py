"""The ledger without a gateway: the index is brought up to date here, and asked, under the lock of its directory."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.sealing import OpeningKeys
from trunkline.cli.failure import Failed, Misused
from trunkline.cli.ledger_client import OnProgress
from trunkline.cli.progress import IndexProgress
from trunkline.control.answers import ExpiredLog
from trunkline.control.reads import read_by_export, read_by_scan
from trunkline.ledger.answers import (
    CallsQuestion,
    Forget,
    Forgotten,
    IndexStatus,
    Misunderstood,
    SessionsQuestion,
    SqlQuestion,
    Story,
    Table,
    Transcript,
    Unanswerable,
)
from trunkline.ledger.cost_answers import CostReport, CostsQuestion, PaidQuestion, PaidReport
from trunkline.ledger.evidence_answers import Chunk, ExportData, ExportEnd, ExportQuestion, ExportStep, ReplayEnd
from trunkline.ledger.index import IndexDamaged
from trunkline.ledger.ledger import Ledger
from trunkline.ledger.limit_answers import SimulationQuestion, SimulationReport, SimulationStep
from trunkline.ledger.place_answers import Places, PlacesQuestion
from trunkline.model.snapshot import Snapshot
from trunkline.operations import neutral


class LocalLedger:
    """Opens the index for each question, and reads what the logs have since got.

    `who` asks; `keys` open what is encrypted; `note` records that what was asked or answered is about to be shown;
    raises Failed where it cannot.
    """

    def __init__(self, data_dir: Path, who: str, note: Callable[..., None], keys: OpeningKeys) -> None:
        self._data_dir, self._who, self._note, self._keys = data_dir, who, note, keys
        os.umask(0o077)  # the database makes files of its own: they are for nobody else either

    def calls(self, asked: CallsQuestion) -> Table:
        """Return calls, newest first. Raises Failed or Misused."""
        with self.up_to_date() as ledger:
            return ledger.calls(asked)

    def call(self, named: str, *, bodies: bool) -> Story:
        """Return the story of a call. Raises Failed or Misused."""
        with self.up_to_date() as ledger:
            story = ledger.call(named, bodies=bodies)
            if story.bodies:
                self._note(action="bodies", calls=1, call=story.call)
            return story

    def replay(self, named: str) -> Iterator[Chunk | ReplayEnd]:
        """Yield what was released of a call, and its end. Raises Failed or Misused."""
        with self.up_to_date() as ledger:
            found = ledger.replay(named)
            self._note(action="replay", calls=1, call=found.call)
            yield from found.words()

    def export(self, asked: ExportQuestion) -> Iterator[ExportData | ExportStep | ExportEnd]:
        """Yield a file of calls with all that is on record of them. Raises Failed or Misused."""
        with self.up_to_date() as ledger:
            found = ledger.export(asked)
            self._note(**read_by_export(asked, found.calls))
            yield from found.words(self._who)

    def sessions(self, asked: SessionsQuestion) -> Table:
        """Return sessions, the latest first. Raises Failed or Misused."""
        with self.up_to_date() as ledger:
            return ledger.sessions(asked)

    def session(self, session: str, tenant: str | None) -> Transcript:
        """Return a session as one conversation. Raises Failed or Misused."""
        with self.up_to_date() as ledger:
            told = ledger.session(session, tenant)
            self._note(action="session", calls=told.calls, session=told.session, tenant=told.tenant)
            return told

    def sql(self, asked: SqlQuestion) -> Table:
        """Return the answer to a query. Raises Failed or Misused."""
        with self.up_to_date() as ledger:
            return ledger.sql(asked)

    def costs(self, asked: CostsQuestion) -> CostReport:
        """Return what calls have cost. Raises Failed or Misused."""
        with self.up_to_date() as ledger:
            return ledger.costs(asked)

    def paid(self, asked: PaidQuestion) -> PaidReport:
        """Return what was paid to providers. Raises Failed or Misused."""
        with self.up_to_date() as ledger:
            return ledger.paid(asked)

    def places(self, asked: PlacesQuestion) -> Places:
        """Return where calls stand in the logs, the oldest first. Raises Failed or Misused."""
        with self.up_to_date() as ledger:
            found = ledger.places(asked)
            if asked.after is None and found.of:
                self._note(**read_by_scan(asked, found.of))
            return found

    def rebuild(self, on_progress: OnProgress) -> IndexStatus:
        """Make the index again. Raises Failed."""
        with self._failures():
            ledger = Ledger(self._data_dir, _damaged, self._keys)
            try:
                ledger.clear()
                ledger.catch_up(on_progress)
                return ledger.status()
            finally:
                ledger.close()

    def expire(self, gone: Sequence[ExpiredLog]) -> None:
        """Take out of the index what was deleted of the logs. Raises Failed."""
        if gone:
            with self.up_to_date() as ledger:
                for log in gone:
                    ledger.expire(log.log, log.following or 0)

    def forget(self, asked: Forget) -> Forgotten:
        """Take old rows out of the index. Raises Failed or Misused."""
        with self.up_to_date() as ledger:
            return ledger.forget(asked)

    def simulate(
        self, snapshot: Snapshot, asked: SimulationQuestion, on_step: Callable[[SimulationStep], None]
    ) -> SimulationReport:
        """Return what the limits of a snapshot would have done to past calls. Raises Failed or Misused."""
        with self.up_to_date() as ledger:
            simulation = ledger.simulation(snapshot.tenants, snapshot.keys, asked)
            while simulation.advance():
                on_step(simulation.step())
            return simulation.report()

    @contextmanager
    def up_to_date(self) -> Iterator[Ledger]:
        """Open the index, brought up to date. Raises Failed or Misused, also for what is asked of it meanwhile."""
        with self._failures():
            ledger = Ledger(self._data_dir, _damaged, self._keys)
            try:
                if (damage := ledger.open()) is not None:
                    said = neutral(" ".join(damage.split()))
                    sys.stderr.write(f"trunkline: {said}; it is made again from the logs\n")
                with IndexProgress() as progress:
                    ledger.catch_up(progress.show)
                yield ledger
            finally:
                ledger.close()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except Misunderstood as error:
            raise Misused(str(error)) from None
        except IndexDamaged as error:
            raise Failed(f"{error}; `trunkline index rebuild` makes it again from the logs") from None
        except Unanswerable as error:
            raise Failed(str(error)) from None
        except (duckdb.Error, OSError) as error:
            raise Failed(f"the index in {self._data_dir} cannot be used: {error}") from None


def _damaged(error: CorruptLog) -> None:
    sys.stderr.write(f"trunkline: {neutral(str(error))}; what stands behind that is not in the index\n")
