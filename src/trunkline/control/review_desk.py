"""The review queue beside control's other work: one thing at a time, each on record before it is so."""

import asyncio
import time

from trunkline.control.ledger_desk import LedgerDesk
from trunkline.control.registry import Registry
from trunkline.control.reviews import (
    answer_of,
    check_note,
    decided_by,
    read_by_reviewer,
    read_of_notes,
    sampled_by,
    with_seed,
)
from trunkline.ledger.answers import Unanswerable
from trunkline.ledger.review_answers import Decided, DecideQuestion, History, ReviewItem, Sampled, SampleQuestion
from trunkline.ledger.reviews import period_of

# How long the index may take to see what control's log has just got, and how often it is asked. Seconds.
SEEN_WITHIN, LOOK_EVERY = 10.0, 0.02


class ReviewDesk:
    """Asks the index what there is, records what comes of it, and waits until the index has that.

    So two reviewers who ask at once never get the same call, and nothing is kept in memory that a restart would lose.
    """

    def __init__(self, registry: Registry, desk: LedgerDesk) -> None:
        self._registry, self._desk = registry, desk
        self._turn = asyncio.Lock()

    async def sample(self, asked: SampleQuestion, who: str) -> Sampled:
        """Put calls into the queue. Raises Misunderstood, Unanswerable or Unrecorded."""
        async with self._turn:
            whole, until = period_of(with_seed(asked), time.time())
            drawn, running = await self._desk.ask(lambda ledger: ledger.reviews().draw(whole, until))
            record, bodies = sampled_by(whole, drawn, running, who)
            record_id = await self._registry.note(record, bodies)
            await self._seen("samples", record_id)
            return answer_of(record, record_id)

    async def next(self, tenant: str | None, who: str) -> ReviewItem:
        """Return the next call, which is theirs from now on. Raises Unanswerable or Unrecorded."""
        async with self._turn:
            now = time.time()
            taken = await self._desk.ask(lambda ledger: ledger.reviews().next(tenant, who, now))
            item = await self._desk.ask(lambda ledger: ledger.reviews().item(taken, now))
            await self._seen("reads", await self._registry.note(read_by_reviewer(taken, who)))
            return item

    async def decide(self, asked: DecideQuestion, who: str) -> Decided:
        """Record a decision. Raises Misunderstood, Unanswerable or Unrecorded."""
        check_note(asked)
        async with self._turn:
            found = await self._desk.ask(lambda ledger: ledger.reviews().decidable(asked, who, time.time()))
            record_id = await self._registry.note(*decided_by(asked, found, who))
            await self._seen("decisions", record_id)
            left = await self._desk.ask(lambda ledger: ledger.reviews().left())
            return Decided(
                decision=record_id, call=found.call, verdict=asked.verdict, supersedes=found.supersedes, left=left
            )

    async def history(self, call: str, who: str) -> History:
        """Return all that was decided of a call, with the notes. Raises Misunderstood, Unanswerable or Unrecorded."""
        found = await self._desk.ask(lambda ledger: ledger.reviews().history(call))
        await self._registry.note(read_of_notes(found.call, who))
        return found

    async def _seen(self, table: str, record: str) -> None:
        """Wait until the index has what a record says. Raises Unanswerable: it is on record all the same."""
        give_up = time.monotonic() + SEEN_WITHIN
        while not await self._desk.ask(lambda ledger: ledger.reviews().recorded(table, record)):
            if time.monotonic() > give_up:
                raise Unanswerable("it is on record, but the index does not have it yet: see `trunkline review list`")
            await asyncio.sleep(LOOK_EVERY)
