"""The review queue: which calls were chosen, which are open, who has them, what was decided. Asks the index alone.

The queue is what control's log says: `review.sampled` puts calls in, an `audit.read` with the action `review` says who
has taken one, `review.decided` takes it out. Nothing is kept beside, so it is the same after a rebuild.
"""

from typing import NamedTuple

import msgspec

from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.sealing import Unopened
from trunkline.ledger import review_lists
from trunkline.ledger.answers import Misunderstood, Table, Unanswerable
from trunkline.ledger.archive import Archive
from trunkline.ledger.index import Index
from trunkline.ledger.lists import Query, Where
from trunkline.ledger.places import moment
from trunkline.ledger.questions import MOST_LISTED, call_id_of, show_call
from trunkline.ledger.review_answers import (
    HELD,
    VERDICTS,
    DecideQuestion,
    Decision,
    History,
    QueueQuestion,
    ReadsQuestion,
    ReportQuestion,
    ReviewItem,
    SampleQuestion,
    SamplesQuestion,
    Why,
)
from trunkline.ledger.review_item import findings_of, passages_of
from trunkline.ledger.sampling import Draw, Drawn, percent_of
from trunkline.ledger.schema import FACTS
from trunkline.ledger.values import plain_value

# Calls that wait for a decision, of all tenants: more than a year's work of one reviewer.
MOST_OPEN = 10_000
# Outcomes that are a reason to look, whatever was found: a guardrail's and a model's own no.
FLAGGED = ("blocked", "replaced", "refused")
PAGE = 50_000
LONGEST_SEED = 100


class Taken(NamedTuple):
    """A call that a reviewer is about to be shown, as far as the index knows it."""

    call: str
    sample: str
    why: Why
    sampled_at: str


class Decidable(NamedTuple):
    """A call that may be decided: by which sample it was chosen, and the decision that is to be superseded."""

    call: str
    sample: str
    supersedes: str | None


class Reviews:
    """Answers about the queue of an index."""

    def __init__(self, index: Index, archive: Archive) -> None:
        self._index, self._archive = index, archive

    def draw(self, asked: SampleQuestion, until: float) -> tuple[Drawn, int]:
        """Return a sample of the calls that have ended, and how many have not. Raises Misunderstood or Unanswerable.

        `asked.seed` is set; `until` is where the period ends.
        """
        percent = percent_of(asked.percent)
        seed = asked.seed or ""
        if not 0 < len(seed) <= LONGEST_SEED or not seed.isprintable():
            raise Misunderstood(f"a seed has 1 to {LONGEST_SEED} printable characters")
        if not asked.all_flagged and not percent:
            raise Misunderstood("nothing would be chosen: ask for all flagged calls, for a percent, or for both")
        if asked.period.since is not None and asked.period.since >= until:
            raise Misunderstood("the time has to begin before it ends")
        where = _population(asked, until)
        draw = Draw(seed, percent, all_flagged=asked.all_flagged)
        last: str | None = None
        while rows := self._index.ask(*review_lists.population(where, FLAGGED, last, PAGE, again=asked.again)):
            for call, flagged, known in rows:
                draw.take(call, flagged=flagged, known=known)
            last = rows[-1][0]
        drawn, waiting = draw.drawn(), self.left()
        if waiting + len(drawn.chosen) > MOST_OPEN:
            raise Unanswerable(
                f"{waiting:,} calls are open and {len(drawn.chosen):,} would come on top, but the queue takes"
                f" {MOST_OPEN:,}: decide some, or choose a shorter time, one tenant or a smaller percent"
            )
        ((running,),) = self._index.ask(f"SELECT count(*) FROM {FACTS}.running")
        return drawn, int(running)

    def left(self) -> int:
        """Return how many calls are open."""
        ((count,),) = self._index.ask(f"SELECT count(*) FROM ({review_lists.OPEN})")
        return int(count)

    def next(self, tenant: str | None, who: str, now: float) -> Taken:
        """Return the call that a reviewer is to see next: the one that they have, else the first that nobody has.

        Raises Unanswerable where there is none.
        """
        since = moment(now - HELD)
        for call, sample, why, at in self._index.ask(*review_lists.following(tenant, who, since)):
            return Taken(call, sample, why, str(plain_value(at)))
        waiting = self.left()
        others = f": others have the {waiting:,} that are open" if waiting else ""
        whose = f" of {tenant}" if tenant is not None else ""
        raise Unanswerable(f"no call{whose} waits for you{others}; `trunkline review sample` chooses calls")

    def item(self, taken: Taken, now: float) -> ReviewItem:
        """Return a call as its reviewer reads it. Raises Misunderstood or Unanswerable."""
        story = show_call(self._index, self._archive, taken.call, bodies=True)
        bodies = {name: text.encode("utf-8", "surrogatepass") for name, text in story.bodies.items()}
        ended = story.ended or {}
        return ReviewItem(
            call=taken.call,
            sample=taken.sample,
            why=taken.why,
            sampled_at=taken.sampled_at,
            held_until=str(plain_value(moment(now + HELD))),
            left=self.left(),
            facts=story.facts,
            passages=passages_of(ended, story.judged, bodies),
            findings=findings_of(ended, story.judged),
            received_chars=ended.get("received_chars", 0),
            released_chars=ended.get("released_chars", 0),
            guardrail=ended.get("guardrail"),
            note=story.note,
        )

    def decidable(self, asked: DecideQuestion, who: str, now: float) -> Decidable:
        """Return what a decision is about. Raises Misunderstood, or Unanswerable where it cannot be decided so."""
        call = call_id_of(asked.call)
        rows = self._index.ask(*review_lists.standing(call, moment(now - HELD)))
        if not rows:
            raise Unanswerable(f"the call {call} is not in the queue: `trunkline review sample` chooses calls")
        ((sample, decision, verdict, decided_by, holder),) = rows
        if decision is None and holder is not None and holder != who:
            raise Unanswerable(f"{holder} is looking at this call, and has it for half an hour from then on")
        if decision is not None and not asked.correct:
            raise Unanswerable(
                f"it was decided already, as {verdict} by {decided_by}; `--correct` puts another decision in its place"
            )
        if decision is None and asked.correct:
            raise Unanswerable("there is no decision to correct: decide it without `--correct`")
        return Decidable(call, sample, decision)

    def recorded(self, table: str, record: str) -> bool:
        """Whether the index has what this record says."""
        return bool(self._index.ask(f"SELECT 1 FROM {FACTS}.{table} WHERE id = ?::UUID", [record]))

    def listed(self, asked: QueueQuestion, now: float) -> Table:
        """Return calls of the queue. Raises Misunderstood."""
        if asked.verdict is not None and asked.verdict not in VERDICTS:
            raise Misunderstood(f"there is no verdict `{asked.verdict[:50]}`; there are {', '.join(VERDICTS)}")
        query = review_lists.queue(asked, moment(now - HELD))
        return self._table(review_lists.QUEUE_COLUMNS, query, asked.limit)

    def samples(self, asked: SamplesQuestion) -> Table:
        """Return the samples that were made, the latest first. Raises Misunderstood."""
        return self._table(review_lists.SAMPLE_COLUMNS, review_lists.samples(asked), asked.limit)

    def report(self, asked: ReportQuestion, now: float) -> Table:
        """Return what was reviewed of the calls of a period, with a last row for all of them. Raises Misunderstood."""
        columns, by_group, of_all = review_lists.report(asked, moment(now))
        groups, everything = self._table(columns, by_group, asked.limit), self._table(columns, of_all, 1)
        return Table(columns, groups.rows + everything.rows, more=groups.more)

    def reads(self, asked: ReadsQuestion) -> Table:
        """Return who has looked at conversations, the latest first. Raises Misunderstood."""
        call = call_id_of(asked.call) if asked.call is not None else None
        query = review_lists.reads(msgspec.structs.replace(asked, call=call))
        table = self._table(review_lists.READ_COLUMNS, query, asked.limit)
        place = review_lists.READ_COLUMNS.index("filter")
        for row in table.rows:
            row[place] = self._named(row[place])
        return table

    def _named(self, chosen: object) -> object:
        """Return a filter with the names of those whom it names by pseudonyms."""
        if not isinstance(chosen, dict):
            return chosen
        name_of = self._index.people.name_of
        return {key: name_of(value) if key in review_lists.PERSONS else value for key, value in chosen.items()}

    def history(self, named: str) -> History:
        """Return all that was decided of a call, with the notes. Raises Misunderstood or Unanswerable."""
        call = call_id_of(named)
        chosen = self._index.ask(
            f'SELECT "at", CAST(sample AS VARCHAR), why FROM {FACTS}.chosen WHERE call = ?::UUID ORDER BY "at"', [call]
        )
        if not chosen:
            raise Unanswerable(f"the call {call} was never chosen for review")
        return History(
            call,
            [(str(plain_value(at)), sample, why) for at, sample, why in chosen],
            [
                Decision(decision, str(plain_value(at)), who, verdict, supersedes, self._noted(directory, *place))
                for decision, at, who, verdict, supersedes, directory, *place in self._index.ask(
                    *review_lists.decisions(call)
                )
            ],
        )

    def _noted(self, directory: str, segment: int, offset: int) -> str | None:
        found = self._archive.stored(directory, segment, offset)
        try:
            note = found.bodies().get(review_lists.NOTE) if found is not None else None
        except (CorruptLog, Unopened):
            return None
        return note.decode("utf-8", "replace") if note is not None else None

    def _table(self, columns: tuple[str, ...], query: Query, limit: int) -> Table:
        if not 1 <= limit <= MOST_LISTED:
            raise Misunderstood(f"the limit has to be between 1 and {MOST_LISTED:,}")
        rows = [[plain_value(value) for value in row] for row in self._index.ask(*query)]
        return Table(columns, rows[:limit], more=len(rows) > limit)


def period_of(asked: SampleQuestion, now: float) -> tuple[SampleQuestion, float]:
    """Return the question with its times to the millisecond, as records have them, and where its period ends."""
    since, until = asked.period.since, asked.period.until
    end = min(now, until) if until is not None else now
    period = msgspec.structs.replace(
        asked.period, since=_millisecond(since) if since is not None else None, until=_millisecond(end)
    )
    return msgspec.structs.replace(asked, period=period), _millisecond(end)


def _millisecond(second: float) -> float:
    return round(second * 1000) / 1000


def _population(asked: SampleQuestion, until: float) -> Where:
    where = Where()
    where.equal("tenant", asked.tenant)
    where.person("user_id", asked.user)
    where.equal("route", asked.route)
    if asked.period.since is not None:
        where.holds('"at" >= ?', moment(asked.period.since))
    where.holds('"at" < ?', moment(until))
    where.holds("judged_call IS NULL")  # what a judge was asked was said to nobody
    return where
