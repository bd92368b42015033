"""The ledger of a data directory as a whole: one object that follows the logs and answers questions."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from msgspec.structs import replace

from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.sealing import NO_KEYS, OpeningKeys
from trunkline.ledger.answers import (
    FEW,
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
from trunkline.ledger.archive import Archive
from trunkline.ledger.cost_answers import CostReport, CostsQuestion, PaidQuestion, PaidReport
from trunkline.ledger.costs import paid, report
from trunkline.ledger.evidence_answers import ExportQuestion
from trunkline.ledger.export import Exporting
from trunkline.ledger.follow import STEP_RECORDS, Counting, Follower
from trunkline.ledger.index import Index, IndexUnusable, is_damage
from trunkline.ledger.limit_answers import SimulationQuestion
from trunkline.ledger.people import People
from trunkline.ledger.place_answers import Places, PlacesQuestion
from trunkline.ledger.places import places_of
from trunkline.ledger.questions import list_calls, list_sessions, show_call
from trunkline.ledger.replay import Replay, replay_of
from trunkline.ledger.reviews import Reviews
from trunkline.ledger.sessions import show_session
from trunkline.ledger.simulation import Simulation
from trunkline.ledger.telemetry import CallCounts
from trunkline.ledger.user_sql import run_sql
from trunkline.model.snapshot import Key, Tenant

# Steps before an answer, so that it has what has just happened: a second's calls, not a night's.
FRESH_STEPS = 4
# An index that had almost everything so lately has what matters, however busy the gateway is.
NEAR_SECONDS = 5.0


class Ledger:
    """For any number of threads; the process has the lock of the data directory. `keys` open what is encrypted."""

    def __init__(self, data_dir: Path, on_corrupt: Callable[[CorruptLog], None], keys: OpeningKeys = NO_KEYS) -> None:
        self._data_dir, self._on_corrupt, self._keys = data_dir, on_corrupt, keys
        self._people = People(data_dir, keys)
        self._archive = Archive(data_dir, keys, self._people)
        self._index = Index(data_dir, self._people)
        self._turn = threading.RLock()
        self._follower: Follower | None = None
        self._records = 0
        self._caught_up = False
        self._caught_up_at = time.monotonic()
        self._counting: Counting | None = None

    def open(self) -> str | None:
        """Open the index; return why it had to be begun anew, None if it had not.

        A damaged one is set aside: all that was in it comes again from the logs. Raises IndexUnusable, duckdb.Error or
        OSError.
        """
        damage = None
        with self._turn:
            if self._follower is None:
                try:
                    self._begin()
                except (IndexUnusable, duckdb.Error) as error:
                    if not is_damage(error):
                        raise
                    damage = f"{error}; it is set aside as {self._index.set_aside().name}"
                    self._begin()
        return damage

    def close(self) -> None:
        """Let go of the index and of the logs."""
        with self._turn:
            if self._follower is not None:
                self._follower.close()
                self._follower = None
            self._index.close()

    def step(self, most: int = STEP_RECORDS) -> int:
        """Read what is next in the logs; return how many records those were. Raises duckdb.Error or OSError."""
        with self._turn:
            done = self._following().step(most)
            self._records += done
            self._caught_up = done == 0
            if done < FEW:
                self._caught_up_at = time.monotonic()
            return done

    def catch_up(self, on_step: Callable[[IndexStatus], None] = lambda _: None) -> None:
        """Read all that there is by now."""
        while self.step():
            on_step(self.status())

    def clear(self) -> None:
        """Begin the index anew; what follows reads all logs again."""
        with self._turn:
            if self._follower is not None:
                self._follower.close()
            self._index.clear()
            self._records, self._caught_up = 0, False
            self._follow()

    def expire(self, log: str, following: int) -> int:
        """Take out of the index what stood in a log, `<node>/<process>`, before this record; return how many rows."""
        self._refresh()
        return self._index.expire(log, following)

    def forget(self, asked: Forget) -> Forgotten:
        """Take old rows out of the index, where they are for as long as nobody makes it again. Raises Misunderstood."""
        try:
            before = datetime.fromtimestamp(asked.before, UTC)
        except (ValueError, OverflowError, OSError):
            raise Misunderstood("the calendar has no such time") from None
        self._refresh()
        return Forgotten(self._index.forget(before))

    @property
    def counts(self) -> CallCounts:
        """What has been counted since the ledger was opened."""
        return self._counting.counts if self._counting is not None else CallCounts()

    @property
    def lag_seconds(self) -> float:
        """How long ago the index had all that the logs have."""
        return time.monotonic() - self._caught_up_at

    def status(self) -> IndexStatus:
        """Return how far the index is."""
        with self._turn:
            return IndexStatus(self._records, self._following().unread_bytes(), self._caught_up)

    def sql(self, asked: SqlQuestion) -> Table:
        """Return the answer to a query of a user's own. Raises Misunderstood or Unanswerable."""
        behind = self._refresh()
        return replace(run_sql(self._index, asked.query, asked.limit), behind=behind)

    def calls(self, asked: CallsQuestion) -> Table:
        """Return calls, newest first. Raises Misunderstood."""
        behind = self._refresh()
        return replace(list_calls(self._index, asked), behind=behind)

    def costs(self, asked: CostsQuestion) -> CostReport:
        """Return what calls have cost. Raises Misunderstood."""
        behind = self._refresh()
        return replace(report(self._index, asked), behind=behind)

    def paid(self, asked: PaidQuestion) -> PaidReport:
        """Return what was paid to providers. Raises Misunderstood."""
        behind = self._refresh()
        return replace(paid(self._index, asked), behind=behind)

    def call(self, named: str, *, bodies: bool) -> Story:
        """Return a call's story. Raises Misunderstood or Unanswerable."""
        self._refresh()
        return show_call(self._index, self._archive, named, bodies=bodies)

    def replay(self, named: str) -> Replay:
        """Return what was released of a call. Raises Misunderstood or Unanswerable."""
        self._refresh()
        return replay_of(self._index, self._archive, named)

    def export(self, asked: ExportQuestion) -> Exporting:
        """Return what makes a file of calls. Raises Misunderstood, or Unanswerable where the index lacks some yet."""
        behind = self._refresh()
        if behind:
            megabytes = max(1, behind >> 20)
            raise Unanswerable(f"the index has yet to read {megabytes:,} MB of the logs: export when it has")
        return Exporting(self._index, self._archive, asked, self._following().damaged)

    def sessions(self, asked: SessionsQuestion) -> Table:
        """Return sessions, the latest first. Raises Misunderstood."""
        behind = self._refresh()
        return replace(list_sessions(self._index, asked), behind=behind)

    def session(self, session: str, tenant: str | None) -> Transcript:
        """Return a session as one conversation. Raises Misunderstood or Unanswerable."""
        self._refresh()
        return show_session(self._index, self._archive, session, tenant)

    def places(self, asked: PlacesQuestion) -> Places:
        """Return where calls stand in the logs, the oldest first. Raises Misunderstood."""
        behind = self._refresh()
        return places_of(self._index, asked, behind)

    def reviews(self) -> Reviews:
        """Return who answers about the review queue. Raises Unanswerable where the index lacks some of the logs yet."""
        behind = self._refresh()
        if behind and self.lag_seconds > NEAR_SECONDS:
            megabytes = max(1, behind >> 20)
            raise Unanswerable(f"the index has yet to read {megabytes:,} MB of the logs: ask when it has")
        return Reviews(self._index, self._archive)

    def simulation(
        self, tenants: Mapping[str, Tenant], keys: Mapping[str, Key], asked: SimulationQuestion
    ) -> Simulation:
        """Return what plays past calls against the limits of these tenants. Raises Misunderstood."""
        behind = self._refresh()
        return Simulation(self._index, tenants, keys, asked, behind)

    def _refresh(self) -> int:
        """Read what the logs have by now, as far as that is quick; return how many bytes are left."""
        try:
            for _ in range(FRESH_STEPS):
                if self.step() == 0:
                    return 0
        finally:
            self._people.refresh()
        return self.status().unread_bytes

    def _begin(self) -> None:
        self._index.open()
        self._follow()

    def _follow(self) -> None:
        if self._counting is None:
            self._counting = Counting({name: position for name, (_, position) in self._index.positions().items()})
        self._follower = Follower(self._index, self._data_dir, self._on_corrupt, self._counting, self._keys)

    def _following(self) -> Follower:
        if self._follower is None:
            raise ValueError("a ledger is opened before it is used")
        return self._follower
