"""The review queue: who answers for it, and asking a running gateway's control process."""

from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from trunkline.cli.ledger_client import query_of
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


class ReviewOffice(Protocol):
    """Who answers; raises Failed, Misused where the question makes no sense."""

    def sample(self, asked: SampleQuestion) -> Sampled:
        """Put calls into the queue."""

    def next(self, asked: NextQuestion) -> ReviewItem:
        """Return the next call, which is ours from now on; that we see it is on record before."""

    def decide(self, asked: DecideQuestion) -> Decided:
        """Record a decision."""

    def history(self, call: str) -> History:
        """Return all that was decided of a call; that we see the notes is on record before."""

    def listed(self, asked: QueueQuestion) -> Table:
        """Return calls of the queue."""

    def samples(self, asked: SamplesQuestion) -> Table:
        """Return the samples that were made, the latest first."""

    def report(self, asked: ReportQuestion) -> Table:
        """Return what was reviewed."""

    def reads(self, asked: ReadsQuestion) -> Table:
        """Return who has looked at conversations, the latest first."""


class LiveReviews:
    """The queue of a running gateway; `ask` makes a request of the admin API."""

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask

    def sample(self, asked: SampleQuestion) -> Sampled:
        """Put calls into the queue."""
        return msgspec.convert(self._ask("POST", "/api/review/sample", msgspec.to_builtins(asked)), Sampled)

    def next(self, asked: NextQuestion) -> ReviewItem:
        """Return the next call."""
        return msgspec.convert(self._ask("POST", "/api/review/next", msgspec.to_builtins(asked)), ReviewItem)

    def decide(self, asked: DecideQuestion) -> Decided:
        """Record a decision."""
        return msgspec.convert(self._ask("POST", "/api/review/decide", msgspec.to_builtins(asked)), Decided)

    def history(self, call: str) -> History:
        """Return all that was decided of a call."""
        return msgspec.convert(self._ask("GET", f"/api/review/notes/{quote(call, safe='')}"), History)

    def listed(self, asked: QueueQuestion) -> Table:
        """Return calls of the queue."""
        return msgspec.convert(self._ask("GET", f"/api/review?{query_of(asked)}"), Table)

    def samples(self, asked: SamplesQuestion) -> Table:
        """Return the samples that were made."""
        return msgspec.convert(self._ask("GET", f"/api/review/samples?{query_of(asked)}"), Table)

    def report(self, asked: ReportQuestion) -> Table:
        """Return what was reviewed."""
        return msgspec.convert(self._ask("POST", "/api/review/report", msgspec.to_builtins(asked)), Table)

    def reads(self, asked: ReadsQuestion) -> Table:
        """Return who has looked at conversations."""
        return msgspec.convert(self._ask("GET", f"/api/audit/reads?{query_of(asked)}"), Table)
