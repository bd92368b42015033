"""What the index takes from the records of calls: a part of each record, typed, so that a bad one is found here. Pure.

The names are those of the records (`model.records`). A record that was spilled has to be whole before it is decoded.
"""

from typing import Annotated

import msgspec

from trunkline.audit.format.references import BodyRef
from trunkline.model.records import CostLine

OPENED = b"call.opened"
CLOSED = b"call.closed"
ABANDONED = b"call.abandoned"
JUDGED = b"call.judged"
REFUSED = b"call.refused"
IMPORTED = b"cost.imported"
READ = b"audit.read"
SAMPLED = b"review.sampled"
DECIDED = b"review.decided"
TAKEN = frozenset({OPENED, CLOSED, ABANDONED, JUDGED, REFUSED, READ, SAMPLED, DECIDED})

# Every record begins with these bytes and its type (docs/record-log.md).
_BEGINNING = b'{"v":1,"type":"'


CallId = Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]


class OpenedPart(msgspec.Struct, gc=False, omit_defaults=True):
    """Of `call.opened`."""

    id: CallId
    at: str
    tenant: str
    key_id: str
    purpose: str
    endpoint: str
    route: str
    stream: bool
    prompt_fingerprint: str
    snapshot: str
    team: str | None = None
    cost_center: str | None = None
    user: str | None = None
    subject: str | None = None
    session: str | None = None
    tags: dict[str, str] = {}
    traceparent: str | None = None
    judged_call: CallId | None = None


class UsagePart(msgspec.Struct, gc=False, omit_defaults=True):
    """A call's tokens in disjoint classes (`model.delta.Usage`)."""

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    audio_input: int = 0
    cached_audio_input: int = 0
    output: int = 0
    reasoning: int = 0
    audio_output: int = 0


class CostPart(msgspec.Struct, gc=False, omit_defaults=True):
    """What a call or an attempt cost."""

    amount: str
    estimated: bool
    price_version: str
    lines: tuple[CostLine, ...] = ()


class AttemptPart(msgspec.Struct, gc=False, omit_defaults=True):
    """A target that was asked or passed over; `n` is added: 1, 2, 3 in their order."""

    provider: str
    model: str
    outcome: str
    reason: str | None = None
    started_ms: float | None = None
    first_token_ms: float | None = None
    total_ms: float | None = None
    status: int | None = None
    cost: CostPart | None = None
    n: int = 0


class TimingsPart(msgspec.Struct, gc=False, omit_defaults=True):
    """Where the time went."""

    total_ms: float
    overhead_ms: float
    first_token_ms: float | None = None
    hold_ms: float = 0.0
    first_sentence_ms: float | None = None


class FindingPart(msgspec.Struct, gc=False, omit_defaults=True):
    """What a guardrail found, and what came of it."""

    policy: str
    policy_version: str
    rule: str
    stage: str
    action: str
    start: int
    end: int
    ms: float


class ErrorPart(msgspec.Struct, gc=False, omit_defaults=True):
    """What the call ended with."""

    code: str | None
    source: str
    rule: str | None = None
    owner: str | None = None


class EndedPart(msgspec.Struct, gc=False, omit_defaults=True):
    """Of `call.closed` or `call.abandoned`; the latter has no more than outcome and cost."""

    call: str
    at: str
    outcome: str
    status: int | None = None
    finish_reason: str | None = None
    error: ErrorPart | None = None
    attempts: tuple[AttemptPart, ...] = ()
    provider: str | None = None
    model: str | None = None
    usage: UsagePart | None = None
    cost: CostPart | None = None
    timings: TimingsPart | None = None
    tool_calls: tuple[str, ...] = ()
    findings: tuple[FindingPart, ...] = ()
    to_judge: tuple[str, ...] = ()


class PolicyJudgedPart(msgspec.Struct, gc=False, omit_defaults=True):
    """What a policy says of an answer that has left."""

    policy: str
    policy_version: str
    verdict: str


class JudgedPart(msgspec.Struct, gc=False, omit_defaults=True):
    """Of `call.judged`."""

    call: CallId
    at: str
    policies: tuple[PolicyJudgedPart, ...]
    findings: tuple[FindingPart, ...] = ()


class RefusedPart(msgspec.Struct, gc=False, omit_defaults=True):
    """Of `call.refused`."""

    at: str
    outcome: str
    status: int
    code: str | None
    source: str
    count: int
    snapshot: str
    rule: str | None = None
    owner: str | None = None
    tenant: str | None = None
    key_id: str | None = None
    route: str | None = None
    user: str | None = None
    first_call: str | None = None
    message: str | None = None


class ReadPart(msgspec.Struct, gc=False, omit_defaults=True):
    """Of `audit.read`."""

    id: CallId
    at: str
    who: str
    action: str
    calls: int
    call: CallId | None = None
    session: str | None = None
    tenant: str | None = None
    filter: dict[str, str] = {}
    format: str | None = None


class SampledPart(msgspec.Struct, gc=False, omit_defaults=True):
    """Of `review.sampled`; the calls are in the body that it names."""

    id: CallId
    at: str
    who: str
    until: str
    percent: str
    seed: str
    population: int
    population_sha256: str
    flagged: int
    rest: int
    drawn: int
    queued: int
    known: int
    since: str | None = None
    filter: dict[str, str] = {}
    all_flagged: bool = False
    again: bool = False
    bodies: tuple[BodyRef, ...] = ()


class ChosenPart(msgspec.Struct, gc=False):
    """A line of that body."""

    call: CallId
    why: str


class DecidedPart(msgspec.Struct, gc=False, omit_defaults=True):
    """Of `review.decided`."""

    id: CallId
    at: str
    who: str
    call: CallId
    sample: CallId
    verdict: str
    supersedes: CallId | None = None


class ImportedPart(msgspec.Struct, gc=False):
    """Of `cost.imported`; the rows are in the body that it names."""

    tenant: str
    bodies: tuple[BodyRef, ...] = ()


class OtherCostPart(msgspec.Struct, gc=False, omit_defaults=True):
    """A row of it (`model.other_costs`)."""

    at: str
    kind: str
    amount: str
    session: str | None = None
    user: str | None = None
    note: str | None = None
    team: str | None = None
    cost_center: str | None = None


def kind_of(record: bytes) -> bytes:
    """Return the type of a record, empty if it does not begin like one."""
    if not record.startswith(_BEGINNING):
        return b""
    start = len(_BEGINNING)
    return record[start : record.find(b'"', start)]
