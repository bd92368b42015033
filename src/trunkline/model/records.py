"""What the record log keeps of a call: the payloads of the `call.*` records.

The envelope (`v`, `type`, `id`, `at`, `log`, `index`) and the references to stored bodies are the log's and are put
in front when a record is appended. Money is USD as a decimal string without an exponent (`model.money`). Times inside a
record are milliseconds since it opened.
"""

from typing import Any, Literal

import msgspec

from trunkline.model.delta import Usage

Outcome = Literal[
    "answered",
    "tool_call",
    "refused",
    "replaced",
    "blocked",
    "limited",
    "over_budget",
    "denied",
    "invalid",
    "failed",
    "cancelled_before",
    "cancelled_after",
    "abandoned",
]
OUTCOMES: tuple[str, ...] = Outcome.__args__  # type: ignore[attr-defined]

AttemptOutcome = Literal["answered", "failed", "skipped", "cancelled"]


class Estimate(msgspec.Struct, frozen=True, gc=False):
    """What a call was expected to need when it was let in: tokens, and USD at its first target's price.

    `price_version` and `price_source` say which price that was.
    """

    prompt_tokens: int
    completion_tokens: int
    cost: str
    price_version: str
    price_source: str


class CostLine(msgspec.Struct, frozen=True, gc=False):
    """One token class of a cost: `amount` = `tokens` x `unit_price` / 1,000,000, exactly."""

    token_class: str
    tokens: int
    unit_price: str
    amount: str


class Cost(msgspec.Struct, frozen=True, gc=False):
    """What a call cost in USD, by which price list; `estimated` where the provider did not say what it used."""

    amount: str
    estimated: bool
    price_version: str
    price_source: str
    lines: tuple[CostLine, ...] = ()


class Attempt(msgspec.Struct, gc=False, omit_defaults=True, kw_only=True):
    """One target that was asked, or passed over (`skipped`, with the reason).

    `usage` and `cost` are those of a target that failed after it had counted; the call's cost includes them.
    """

    provider: str
    model: str
    dialect: str
    outcome: AttemptOutcome
    reason: str | None = None
    started_ms: float | None = None
    first_token_ms: float | None = None
    total_ms: float | None = None
    status: int | None = None
    provider_request_id: str | None = None
    provider_model: str | None = None
    provider_id: str | None = None
    stop_reason: str | None = None
    repairs: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    alarm: str | None = None
    usage: Usage | None = None
    cost: Cost | None = None


class Timings(msgspec.Struct, gc=False, omit_defaults=True, kw_only=True):
    """Where the time of a call went, in milliseconds.

    `overhead_ms` is what the gateway itself took: the whole time less the time that it waited for providers and,
    on a stream, for a client that read slowly. `hold_ms` is the longest time that a guardrail held text back;
    `first_sentence_ms` is when the first whole sentence left, where guardrails look at the answer.
    """

    total_ms: float
    overhead_ms: float
    queue_ms: float = 0.0
    first_token_ms: float | None = None
    first_byte_ms: float | None = None
    hold_ms: float = 0.0
    first_sentence_ms: float | None = None


class ErrorSummary(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The error that a call ended with, as the caller was told."""

    code: str | None
    source: str
    message: str
    rule: str | None = None
    owner: str | None = None


class Reserved(msgspec.Struct, frozen=True, gc=False):
    """What a call took of the limits and budgets that it falls under, beside one request and one slot."""

    tokens: int
    nano_usd: int


class Finding(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """Something that a guardrail found, and what came of it.

    `where` is the field: a path in the request, or in the answer as the provider gave it. `start` and `end` are
    characters of its text (of the decoded arguments of a tool call), `ms` is when in the call it was found. `action` is
    the policy's, or `bypass` where the check could not be made and that is allowed.
    """

    policy: str
    policy_version: str
    rule: str
    stage: str
    action: str
    where: str
    start: int
    end: int
    ms: float
    score: float = 1.0
    why: str = ""


class CallOpened(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """A call was understood and let in; written before the first byte of its answer leaves.

    `reserved` is what it took of limits and budgets, if it was let in under any; `over_limits` are the limits and
    budgets that it exceeded and that only observe or warn. `guardrails` are the policies in force, as `name@version`;
    `guardrails_asked` are the names that the request itself asked for. `judged_call` is the call whose text a judge's
    call is about.
    """

    call: str
    tenant: str
    key_id: str
    team: str | None = None
    cost_center: str | None = None
    user: str | None = None
    user_source: str | None = None
    subject: str | None = None
    session: str | None = None
    purpose: str
    tags: dict[str, str] = {}
    endpoint: str
    route: str
    model_asked: str
    stream: bool
    prompt_fingerprint: str
    parameters: dict[str, Any] = {}
    tools: tuple[str, ...] = ()
    traceparent: str | None = None
    tracestate: str | None = None
    client_request_id: str | None = None
    idempotency_key: str | None = None
    estimate: Estimate
    reserved: Reserved | None = None
    over_limits: tuple[str, ...] = ()
    guardrails: tuple[str, ...] = ()
    guardrails_asked: tuple[str, ...] = ()
    judged_call: str | None = None
    snapshot: str
    build: str


class CallClosed(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """How a call ended; written before the last byte of its answer leaves.

    `guardrail` is the policy that stopped or replaced the answer. Of very many findings the first ones are there, and
    how many were left out. `to_judge` are the policies, as `name@version`, that are asked from now on about what was
    released: `CallJudged` says what they say, and where there is none, nobody has said anything.
    """

    call: str
    outcome: Outcome
    status: int
    finish_reason: str | None = None
    error: ErrorSummary | None = None
    attempts: tuple[Attempt, ...] = ()
    provider: str | None = None
    model: str | None = None
    usage: Usage | None = None
    usage_estimated: bool = False
    cost: Cost | None = None
    timings: Timings
    received_chars: int = 0
    released_chars: int = 0
    client_left_ms: float | None = None
    tool_calls: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    guardrail: str | None = None
    findings: tuple[Finding, ...] = ()
    findings_left_out: int = 0
    to_judge: tuple[str, ...] = ()


class PolicyJudged(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """What a policy says of an answer that has left, and in how many questions it was asked.

    `found` where there is a finding, else `not_made` where there is no verdict on some of it (a finding `check_failed`
    or `unscannable` with the action `bypass` says on what, and why), else `clear`.
    """

    policy: str
    policy_version: str
    verdict: Literal["clear", "found", "not_made"]
    questions: int = 0


class CallJudged(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """What policies say that looked at an answer after it had left; at most one for each call, after its end.

    `findings` are of what was released. `judge_calls` are the calls in which models were asked: what they cost is in
    those. Of very many findings and calls the first ones are there, and how many were left out. Times are milliseconds:
    `waited_ms` from the call's end until somebody was asked, `took_ms` from there on.
    """

    call: str
    policies: tuple[PolicyJudged, ...]
    findings: tuple[Finding, ...] = ()
    findings_left_out: int = 0
    judge_calls: tuple[str, ...] = ()
    judge_calls_left_out: int = 0
    waited_ms: float = 0.0
    took_ms: float = 0.0


class CallAbandoned(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """A call whose worker died: charged by the estimate it was opened with."""

    call: str
    tenant: str
    outcome: Literal["abandoned"]
    cost: Cost
    released_bytes: int = 0
    received_bytes: int = 0


class CounterState(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What one owner had in use under one rule.

    `counts` are pairs: the seconds until so many units no longer count, None for never, and the units: requests,
    tokens, or nano-USD.
    """

    rule: str
    owner: str
    counts: tuple[tuple[float | None, int], ...]


class LimitsState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """Counters as they were when this was written, some at a time.

    The newest states of all counters stand in records whose index is `since` or later.
    """

    since: int
    counters: tuple[CounterState, ...] = ()


class LimitsAuthority(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """How a worker stands from now on to the authority that it shares limits by, and why that has changed.

    `in_touch`, or without it: `sharing` (its part of each limit, once a window has passed) or `refusing`.
    """

    state: str
    reason: str = ""


class BudgetCrossed(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """What was spent of a budget has reached this part of it. Amounts are USD; `resets_at` is empty for a total."""

    tenant: str
    budget: str
    owner: str
    percent: int
    amount: str
    spent: str
    resets_at: str | None = None


class CallRefused(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """Calls that were not let in, coalesced: `count` of the same key, rule, owner of the rule, and second.

    `key_id` is empty where no known key was named; such calls are counted and nothing of theirs is kept. The second
    is the one before the record's `at`.
    """

    outcome: Outcome
    status: int
    code: str | None
    source: str
    rule: str | None = None
    owner: str | None = None
    count: int
    tenant: str | None = None
    key_id: str | None = None
    route: str | None = None
    user: str | None = None
    first_call: str | None = None
    message: str | None = None
    snapshot: str
