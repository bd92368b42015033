"""What is on record of reviews: which calls were chosen, and what was decided of them."""

import secrets
from collections.abc import Mapping

import msgspec

from trunkline.control.reads import AuditRead
from trunkline.ledger.answers import Misunderstood
from trunkline.ledger.review_answers import MOST_NOTE, DecideQuestion, Sampled, SampleQuestion, Verdict
from trunkline.ledger.reviews import Decidable, Taken
from trunkline.ledger.sampling import Drawn
from trunkline.ledger.wording import moment_of

# The parts of their bodies: the calls that were chosen, a line of JSON each; what a reviewer noted.
CALLS, NOTE = "calls", "note"
SEED_BYTES = 16


class ReviewSampled(
    msgspec.Struct, frozen=True, tag_field="type", tag="review.sampled", omit_defaults=True, kw_only=True
):
    """Calls were put into the review queue: those of the body `calls`, each with `why` (`flagged` or `drawn`).

    The population are the calls that had ended, opened from `since` on and before `until`, that pass `filter`, but for
    those of judges; `population_sha256` is of their ids in ascending order, a line feed behind each. `flagged` of them
    had findings or an outcome that is a reason to look; of the `rest` (of all, without `all_flagged`) the `percent` was
    drawn by `seed`. `queued` came into the queue, `known` were in it before; `running` calls had not ended.
    """

    who: str
    since: str | None = None
    until: str
    filter: dict[str, str] = {}
    all_flagged: bool = False
    percent: str
    seed: str
    population: int
    population_sha256: str
    flagged: int
    rest: int
    drawn: int
    queued: int
    known: int
    running: int
    again: bool = False


class ReviewDecided(
    msgspec.Struct, frozen=True, tag_field="type", tag="review.decided", omit_defaults=True, kw_only=True
):
    """A reviewer has decided about a call that `sample` (the record of it) chose; the body `note` has what they noted.

    `supersedes` is the record of the decision that this one corrects.
    """

    who: str
    call: str
    sample: str
    verdict: Verdict
    supersedes: str | None = None


Bodies = Mapping[str, bytes]


def with_seed(asked: SampleQuestion) -> SampleQuestion:
    """Return the question with a seed, made up where none is named."""
    return asked if asked.seed is not None else msgspec.structs.replace(asked, seed=secrets.token_hex(SEED_BYTES))


def sampled_by(asked: SampleQuestion, drawn: Drawn, running: int, who: str) -> tuple[ReviewSampled, Bodies]:
    """Return the record of a sample, and its body; `asked` has its seed and the end of its period."""
    filters = {"tenant": asked.tenant, "user": asked.user, "route": asked.route}
    record = ReviewSampled(
        who=who,
        since=moment_of(asked.period.since),
        until=moment_of(asked.period.until) or "",
        filter={name: word for name, word in filters.items() if word is not None},
        all_flagged=asked.all_flagged,
        percent=asked.percent,
        seed=asked.seed or "",
        population=drawn.population,
        population_sha256=drawn.digest,
        flagged=drawn.flagged,
        rest=drawn.rest,
        drawn=drawn.drawn,
        queued=len(drawn.chosen),
        known=drawn.known,
        running=running,
        again=asked.again,
    )
    lines = [msgspec.json.encode({"call": call, "why": why}) for call, why in drawn.chosen.items()]
    return record, {CALLS: b"\n".join(lines)} if lines else {}


def answer_of(record: ReviewSampled, record_id: str) -> Sampled:
    """Return what is answered of a sample."""
    fields = {name: getattr(record, name) for name in Sampled.__struct_fields__ if name != "sample"}
    return Sampled(sample=record_id, **fields)


def read_by_reviewer(taken: Taken, who: str) -> AuditRead:
    """Return the record of a call that is about to be shown to a reviewer: from then on they have it."""
    return AuditRead(who=who, action="review", calls=1, call=taken.call)


def read_of_notes(call: str, who: str) -> AuditRead:
    """Return the record of notes about a call that are about to be shown."""
    return AuditRead(who=who, action="notes", calls=1, call=call)


def check_note(asked: DecideQuestion) -> None:
    """Raise Misunderstood for a note that is too long."""
    if asked.note is not None and len(asked.note) > MOST_NOTE:
        raise Misunderstood(f"a note has at most {MOST_NOTE:,} characters, this one has {len(asked.note):,}")


def decided_by(asked: DecideQuestion, found: Decidable, who: str) -> tuple[ReviewDecided, Bodies]:
    """Return the record of a decision, and its body."""
    record = ReviewDecided(
        who=who, call=found.call, sample=found.sample, verdict=asked.verdict, supersedes=found.supersedes
    )
    note = (asked.note or "").strip()
    return record, {NOTE: note.encode("utf-8", "backslashreplace")} if note else {}
