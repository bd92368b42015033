"""What the review queue is asked and answers. Light, as `answers`."""

from typing import Any, Literal

import msgspec

from trunkline.ledger.answers import Period

Why = Literal["flagged", "drawn"]
# What a reviewer may come to: nothing to object to; a finding that is none; a breach; somebody else has to decide.
Verdict = Literal["ok", "false_alarm", "violation", "escalate"]
VERDICTS: tuple[Verdict, ...] = ("ok", "false_alarm", "violation", "escalate")
State = Literal["open", "taken", "decided"]
REPORT_BY = ("tenant", "team", "user", "route", "reviewer")
# A call that somebody was shown is nobody else's for so long. Seconds.
HELD = 1800.0
MOST_NOTE = 4_000


class SampleQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which calls are to be put into the queue: of a period, the flagged ones and a part of the rest.

    `percent` is a decimal of at most three places. `seed` None has one made up. `again` takes calls that were decided
    before, too. A period without an end ends now.
    """

    period: Period
    tenant: str | None = None
    user: str | None = None
    route: str | None = None
    all_flagged: bool = False
    percent: str = "0"
    seed: str | None = None
    again: bool = False


class Sampled(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: `sample` is the id of its record, the numbers are those of `control.reviews.ReviewSampled`."""

    sample: str
    seed: str
    since: str | None
    until: str
    population: int
    flagged: int
    rest: int
    drawn: int
    queued: int
    known: int
    running: int


class NextQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The next call of a tenant, or of any, that nobody has decided or is looking at."""

    tenant: str | None = None


class Passage(msgspec.Struct, frozen=True):
    """Something that was said: `section` is `before` (earlier in the conversation), `asked`, `answered` or `withheld`.

    `marks` are the first and the last character, and one more, of what was found in it.
    """

    section: Literal["before", "asked", "answered", "withheld"]
    role: str
    text: str
    marks: tuple[tuple[int, int], ...] = ()
    tools: tuple[tuple[str, str], ...] = ()


class Found(msgspec.Struct, frozen=True):
    """What a guardrail found, and what came of it; `where` is the field, `start` and `end` are characters of it."""

    policy: str
    rule: str
    action: str
    where: str
    start: int
    end: int
    why: str = ""


class ReviewItem(msgspec.Struct, frozen=True, kw_only=True):
    """A call as a reviewer reads it, theirs until `held_until`; `facts` are its row, `left` how many calls are open.

    `guardrail` is the policy that stopped or replaced the answer, of which so many characters came and were released.
    """

    call: str
    sample: str
    why: Why
    sampled_at: str
    held_until: str
    left: int
    facts: dict[str, Any]
    passages: list[Passage]
    findings: list[Found]
    received_chars: int = 0
    released_chars: int = 0
    guardrail: str | None = None
    note: str | None = None


class DecideQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is decided of a call in the queue; `correct` replaces what was decided before."""

    call: str
    verdict: Verdict
    note: str | None = None
    correct: bool = False


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What is on record now; `supersedes` is the record of the decision that it corrects."""

    decision: str
    call: str
    verdict: Verdict
    supersedes: str | None
    left: int


class QueueQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which calls of the queue are to be listed, those open first that were chosen first; times are the calls'."""

    state: State | None = None
    verdict: Verdict | None = None
    reviewer: str | None = None
    tenant: str | None = None
    user: str | None = None
    route: str | None = None
    period: Period = Period()
    limit: int = 50


class SamplesQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which samples are to be listed, the latest first; times are those at which they were made."""

    period: Period = Period()
    limit: int = 50


class ReportQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was reviewed of the calls of a period, by any of REPORT_BY."""

    period: Period
    by: tuple[str, ...] = ("tenant", "user")
    tenant: str | None = None
    limit: int = 1000


class Decision(msgspec.Struct, frozen=True):
    """One decision of a call, with what its reviewer noted."""

    decision: str
    at: str
    who: str
    verdict: str
    supersedes: str | None
    note: str | None


class History(msgspec.Struct, frozen=True):
    """All that was decided of a call, in its order, and when it was chosen."""

    call: str
    chosen: list[tuple[str, str, str]]
    decisions: list[Decision]


class ReadsQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which looks at conversations are to be listed, the latest first.

    Of a `call`, all that may have shown it: also of its session, and of exports and scans whose filter it passes.
    """

    who: str | None = None
    action: str | None = None
    call: str | None = None
    period: Period = Period()
    limit: int = 50
