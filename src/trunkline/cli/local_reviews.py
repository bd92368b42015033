"""The review queue without a gateway: under the lock of the data directory, so that nobody else asks meanwhile."""

import time
from collections.abc import Callable

from trunkline.cli.local_ledger import LocalLedger
from trunkline.control.reviews import (
    answer_of,
    check_note,
    decided_by,
    read_by_reviewer,
    read_of_notes,
    sampled_by,
    with_seed,
)
from trunkline.ledger.answers import Table
from trunkline.ledger.review_answers import (
    Decided,
    DecideQuestion,
    History,
    NextQuestion,
    QueueQuestion,
    ReadsQuestion,
    ReportQuestion,
    ReviewItem,
    Sampled,
    SampleQuestion,
    SamplesQuestion,
)
from trunkline.ledger.reviews import period_of


class LocalReviews:
    """Asks the index and records what comes of it; `who` asks, `record` writes. Raises Failed or Misused."""

    def __init__(self, ledger: LocalLedger, who: str, record: Callable[..., str]) -> None:
        self._ledger, self._who, self._record = ledger, who, record

    def sample(self, asked: SampleQuestion) -> Sampled:
        """Put calls into the queue."""
        with self._ledger.up_to_date() as ledger:
            whole, until = period_of(with_seed(asked), time.time())
            drawn, running = ledger.reviews().draw(whole, until)
            record, bodies = sampled_by(whole, drawn, running, self._who)
            return answer_of(record, self._record(record, bodies))

    def next(self, asked: NextQuestion) -> ReviewItem:
        """Return the next call."""
        with self._ledger.up_to_date() as ledger:
            now = time.time()
            taken = ledger.reviews().next(asked.tenant, self._who, now)
            item = ledger.reviews().item(taken, now)
            self._record(read_by_reviewer(taken, self._who))
            return item

    def decide(self, asked: DecideQuestion) -> Decided:
        """Record a decision."""
        with self._ledger.up_to_date() as ledger:
            check_note(asked)
            found = ledger.reviews().decidable(asked, self._who, time.time())
            record_id = self._record(*decided_by(asked, found, self._who))
            left = ledger.reviews().left()
            return Decided(
                decision=record_id, call=found.call, verdict=asked.verdict, supersedes=found.supersedes, left=left
            )

    def history(self, call: str) -> History:
        """Return all that was decided of a call."""
        with self._ledger.up_to_date() as ledger:
            found = ledger.reviews().history(call)
            self._record(read_of_notes(found.call, self._who))
            return found

    def listed(self, asked: QueueQuestion) -> Table:
        """Return calls of the queue."""
        with self._ledger.up_to_date() as ledger:
            return ledger.reviews().listed(asked, time.time())

    def samples(self, asked: SamplesQuestion) -> Table:
        """Return the samples that were made."""
        with self._ledger.up_to_date() as ledger:
            return ledger.reviews().samples(asked)

    def report(self, asked: ReportQuestion) -> Table:
        """Return what was reviewed."""
        with self._ledger.up_to_date() as ledger:
            return ledger.reviews().report(asked, time.time())

    def reads(self, asked: ReadsQuestion) -> Table:
        """Return who has looked at conversations."""
        with self._ledger.up_to_date() as ledger:
            return ledger.reviews().reads(asked)
