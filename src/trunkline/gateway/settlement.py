"""How a call ends: what it used and cost, how long it took, and the record that closes it."""

from trunkline.dialects.openai_client import Closing
from trunkline.errors import CallError, RateLimited
from trunkline.gateway.call import NANOSECONDS_PER_US, Call
from trunkline.model.delta import Usage
from trunkline.model.money import NOTHING
from trunkline.model.records import Attempt, CallClosed, ErrorSummary, Outcome, Timings
from trunkline.policy import estimates
from trunkline.policy.pricing import Tariff, cost_of, sum_of

# Price lists have the usual tier's prices. What is answered in another (flex, priority, batch) costs more or less.
LISTED_TIERS = frozenset({None, "default", "standard", "auto"})


def outcome_of_answer(call: Call) -> Outcome:
    """Return the outcome of a call whose answer came whole."""
    guard = call.guard
    if guard is not None and guard.stopped_by is not None:
        return "replaced" if guard.stopped_by.action == "replace" else "blocked"
    if call.tally.declined:
        return "refused"
    return "tool_call" if call.tally.tools else "answered"


def charge(call: Call, now_ns: int) -> None:
    """Charge the call for the answer that it got, or for what it got of one, and for what failed attempts have cost.

    A whole answer is charged by the provider's count; one that broke off, or whose provider did not count, by
    estimate, marked as such. A request that never left costs nothing.
    """
    attempt, target, tally = call.answering, call.target, call.tally
    call.cost = call.spent
    if attempt is None or target is None:
        return
    if call.sent:
        usage = tally.usage
        estimated = usage is None or not call.whole or tally.uncounted
        if usage is None or estimated:
            usage = _probable_usage(call, whole=call.whole)
        off_list = tally.service_tier not in LISTED_TIERS
        cost = cost_of(usage, target.tariff, estimated=estimated or off_list)
        call.usage = usage
        call.cost = cost if call.spent is None else sum_of(call.spent, cost)
    attempt.provider_model = tally.provider_model
    attempt.provider_id = tally.provider_id
    attempt.stop_reason = tally.stop_reason
    attempt.total_ms = call.since(now_ns)


def charge_failed(call: Call, attempt: Attempt, tariff: Tariff) -> None:
    """Charge the call for an attempt that gave no answer, though the provider has counted what it used."""
    tally = call.tally
    usage = _probable_usage(call, whole=True) if tally.uncounted else tally.usage
    if usage is not None:
        attempt.usage = usage
        attempt.cost = cost = cost_of(usage, tariff, estimated=tally.uncounted)
        call.spent = cost if call.spent is None else sum_of(call.spent, cost)


def _probable_usage(call: Call, *, whole: bool) -> Usage:
    tally, expected, streamed = call.tally, call.estimate, call.chat is not None and call.chat.stream
    if expected is None:
        raise ValueError("a call is opened before it is charged")
    if not whole and not streamed and tally.usage is None:
        # A JSON answer comes at its end: what the provider had written of it by then nobody knows.
        return Usage(input=expected.prompt_tokens, output=expected.completion_tokens)
    return estimates.usage_of_cut(tally.usage, expected.prompt_tokens, tally.characters)


def timings_of(call: Call, now_ns: int) -> Timings:
    """Return where the time went up to this moment; what the gateway did not wait for, it took itself."""
    total_ns = now_ns - call.began_ns
    guard = call.guard
    first_sentence_ns = guard.first_sentence_ns if guard is not None else 0
    return Timings(
        total_ms=total_ns // NANOSECONDS_PER_US / 1000,
        overhead_ms=call.overhead_ns(now_ns) // NANOSECONDS_PER_US / 1000,
        queue_ms=call.queued_ns // NANOSECONDS_PER_US / 1000,
        first_token_ms=call.answering.first_token_ms if call.answering is not None else None,
        first_byte_ms=call.since(call.first_byte_ns) if call.first_byte_ns else None,
        hold_ms=guard.hold_ns // NANOSECONDS_PER_US / 1000 if guard is not None else 0.0,
        first_sentence_ms=call.since(first_sentence_ns) if first_sentence_ns else None,
    )


def guardrail_of(call: Call) -> str | None:
    """Return the policy that stopped the call or its answer, if one did."""
    guard = call.guard
    return guard.stopped_by.policy.name if guard is not None and guard.stopped_by is not None else None


def closing_of(call: Call, outcome: Outcome, timings: Timings) -> Closing:
    """Return what the answer's last part says of the call."""
    return Closing(
        outcome=outcome,
        guardrail=guardrail_of(call),
        attempts=call.asked,
        hold_ms=timings.hold_ms,
        overhead_ms=timings.overhead_ms,
        usage=call.usage,
        cost=call.cost.amount if call.cost is not None else NOTHING,
        estimated=call.cost is not None and call.cost.estimated,
    )


def closed_record(call: Call, outcome: Outcome, status: int, timings: Timings, error: CallError | None) -> CallClosed:
    """Return the record that closes the call."""
    attempt, guard = call.answering, call.guard
    return CallClosed(
        call=call.id,
        outcome=outcome,
        status=status,
        finish_reason=call.tally.finish,
        error=_summary(error) if error is not None else None,
        attempts=tuple(call.attempts),
        provider=attempt.provider if attempt is not None else None,
        model=attempt.model if attempt is not None else None,
        usage=call.usage,
        usage_estimated=call.cost is not None and call.cost.estimated,
        cost=call.cost,
        timings=timings,
        received_chars=call.tally.characters,
        released_chars=call.released_characters,
        client_left_ms=call.since(call.left_ns) if call.left_ns else None,
        tool_calls=tuple(call.tally.tools),
        dropped=call.client_dropped,
        guardrail=guardrail_of(call),
        findings=tuple(guard.findings) if guard is not None else (),
        findings_left_out=guard.left_out if guard is not None else 0,
        to_judge=tuple([policy.full_name for policy in guard.due]) if guard is not None else (),
    )


def _summary(error: CallError) -> ErrorSummary:
    owner = error.owner if isinstance(error, RateLimited) else None
    return ErrorSummary(error.code, error.source, error.message, error.rule, owner)
