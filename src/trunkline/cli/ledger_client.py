"""Questions about past calls: who answers them, and asking a running gateway's control process."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import msgspec

from trunkline.cli.failure import Failed
from trunkline.ledger.answers import (
    CallsQuestion,
    Forget,
    Forgotten,
    IndexStatus,
    Period,
    SessionsQuestion,
    SqlQuestion,
    Story,
    Table,
    Transcript,
)
from trunkline.ledger.cost_answers import CostReport, CostsQuestion, PaidQuestion, PaidReport
from trunkline.ledger.evidence_answers import (
    Chunk,
    EvidenceFailed,
    ExportData,
    ExportEnd,
    ExportQuestion,
    ExportStep,
    ExportWord,
    ReplayEnd,
    ReplayQuestion,
    ReplayWord,
)
from trunkline.ledger.place_answers import Places, PlacesQuestion

OnProgress = Callable[[IndexStatus], None]
POLL = 0.25


class LedgerOffice(Protocol):
    """Who answers; raises Failed, Misused where the question makes no sense."""

    def calls(self, asked: CallsQuestion) -> Table:
        """Return calls, newest first."""

    def call(self, named: str, *, bodies: bool) -> Story:
        """Return the story of a call."""

    def replay(self, named: str) -> Iterator[Chunk | ReplayEnd]:
        """Yield what was released of a call, and its end; that it was asked for is on record before."""

    def export(self, asked: ExportQuestion) -> Iterator[ExportData | ExportStep | ExportEnd]:
        """Yield a file of calls with all that is on record of them; that it was asked for is on record before."""

    def sessions(self, asked: SessionsQuestion) -> Table:
        """Return sessions, the latest first."""

    def session(self, session: str, tenant: str | None) -> Transcript:
        """Return a session as one conversation."""

    def sql(self, asked: SqlQuestion) -> Table:
        """Return the answer to a query."""

    def costs(self, asked: CostsQuestion) -> CostReport:
        """Return what calls have cost."""

    def paid(self, asked: PaidQuestion) -> PaidReport:
        """Return what was paid to providers."""

    def places(self, asked: PlacesQuestion) -> Places:
        """Return where calls stand in the logs, the oldest first."""

    def rebuild(self, on_progress: OnProgress) -> IndexStatus:
        """Make the index again; returns when all of the logs is in it."""

    def forget(self, asked: Forget) -> Forgotten:
        """Take old rows out of the index."""


class LiveLedger:
    """The ledger of a running gateway; `ask` makes a request of the admin API, `words` one that is answered by many."""

    def __init__(self, ask: Callable[..., Any], words: Callable[..., Iterator[Any]]) -> None:
        self._ask, self._words = ask, words

    def calls(self, asked: CallsQuestion) -> Table:
        """Return calls, newest first."""
        return msgspec.convert(self._ask("GET", f"/api/calls?{query_of(asked)}"), Table)

    def call(self, named: str, *, bodies: bool) -> Story:
        """Return the story of a call."""
        path = f"/api/calls/{quote(named, safe='')}{'?bodies=yes' if bodies else ''}"
        return msgspec.convert(self._ask("GET", path), Story)

    def replay(self, named: str) -> Iterator[Chunk | ReplayEnd]:
        """Yield what was released of a call, and its end."""
        word: ReplayWord
        for word in self._words("/api/replay", ReplayQuestion(named), ReplayWord):
            if isinstance(word, EvidenceFailed):
                raise Failed(word.reason)
            yield word

    def export(self, asked: ExportQuestion) -> Iterator[ExportData | ExportStep | ExportEnd]:
        """Yield a file of calls with all that is on record of them."""
        word: ExportWord
        for word in self._words("/api/audit/export", asked, ExportWord):
            if isinstance(word, EvidenceFailed):
                raise Failed(word.reason)
            yield word

    def sessions(self, asked: SessionsQuestion) -> Table:
        """Return sessions, the latest first."""
        return msgspec.convert(self._ask("GET", f"/api/sessions?{query_of(asked)}"), Table)

    def session(self, session: str, tenant: str | None) -> Transcript:
        """Return a session as one conversation."""
        path = f"/api/sessions/{quote(session, safe='')}"
        path += f"?{urlencode({'tenant': tenant})}" if tenant is not None else ""
        return msgspec.convert(self._ask("GET", path), Transcript)

    def sql(self, asked: SqlQuestion) -> Table:
        """Return the answer to a query."""
        return msgspec.convert(self._ask("POST", "/api/sql", msgspec.to_builtins(asked)), Table)

    def costs(self, asked: CostsQuestion) -> CostReport:
        """Return what calls have cost."""
        return msgspec.convert(self._ask("POST", "/api/costs", msgspec.to_builtins(asked)), CostReport)

    def paid(self, asked: PaidQuestion) -> PaidReport:
        """Return what was paid to providers."""
        return msgspec.convert(self._ask("POST", "/api/costs/paid", msgspec.to_builtins(asked)), PaidReport)

    def places(self, asked: PlacesQuestion) -> Places:
        """Return where calls stand in the logs, the oldest first."""
        return msgspec.convert(self._ask("POST", "/api/calls/places", msgspec.to_builtins(asked)), Places)

    def rebuild(self, on_progress: OnProgress) -> IndexStatus:
        """Make the index again; control goes on with it whether somebody waits or not."""
        status = msgspec.convert(self._ask("POST", "/api/index", {}), IndexStatus)
        while not status.caught_up:
            on_progress(status)
            time.sleep(POLL)
            status = self.status()
        return status

    def forget(self, asked: Forget) -> Forgotten:
        """Take old rows out of the index."""
        return msgspec.convert(self._ask("POST", "/api/index/forget", msgspec.to_builtins(asked)), Forgotten)

    def status(self) -> IndexStatus:
        """Return how far the index is."""
        return msgspec.convert(self._ask("GET", "/api/index"), IndexStatus)


def query_of(asked: msgspec.Struct) -> str:
    """Return a question as the query of a request; what is not asked for is left out."""
    words = msgspec.structs.asdict(asked)
    period = words.pop("period", Period())
    return urlencode(
        {name: value for name, value in (words | msgspec.structs.asdict(period)).items() if value is not None}
    )
