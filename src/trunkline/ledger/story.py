"""A call's records as a timeline that a person reads. Pure."""

from collections.abc import Iterator
from typing import Any

from trunkline.ledger.answers import Moment

Json = dict[str, Any]


def timeline(opened: Json | None, ended: Json | None, judged: Json | None = None) -> list[Moment]:
    """Return what happened, in the order in which it did; what has no time of its own stands where it belongs."""
    moments = [*(_admission(opened) if opened is not None else ()), *(_end(ended) if ended is not None else _running())]
    if ended is not None:
        moments += _judged(ended, judged)
    order = sorted(range(len(moments)), key=lambda n: (_time(moments, n), n))
    return [moments[n] for n in order]


def _time(moments: list[Moment], n: int) -> float:
    """Return a moment's time, that of the one before it where it has none."""
    while n >= 0:
        found = moments[n].ms
        if found is not None:
            return found
        n -= 1
    return 0.0


def _admission(opened: Json) -> Iterator[Moment]:
    who = ", ".join(
        f"{name} {opened[name]}" for name in ("tenant", "team", "user", "subject", "session") if opened.get(name)
    )
    yield Moment(0.0, "admitted", f"{who}; key {opened['key_id']}, purpose {opened['purpose']}")
    form = "a stream" if opened.get("stream") else "JSON"
    tools = f", tools {', '.join(opened['tools'])}" if opened.get("tools") else ""
    asked = opened.get("model_asked")
    named = f" (as `{asked}`)" if asked not in (None, opened["route"]) else ""
    estimate = opened["estimate"]
    yield Moment(
        0.0,
        "opened",
        f"route {opened['route']}{named}, {form}{tools}; estimated {estimate['prompt_tokens']} +"
        f" {estimate['completion_tokens']} tokens, {estimate['cost']} USD; snapshot {opened['snapshot'][:12]}",
    )
    if opened.get("judged_call"):
        yield Moment(0.0, "judges", f"what was said in the call {opened['judged_call']}")
    if opened.get("client_request_id"):
        yield Moment(0.0, "client", f"calls it {opened['client_request_id']}")
    if opened.get("traceparent"):
        yield Moment(0.0, "trace", str(opened["traceparent"]))


def _running() -> Iterator[Moment]:
    yield Moment(None, "running", "the call has not ended")


def _end(ended: Json) -> Iterator[Moment]:
    for n, attempt in enumerate(ended.get("attempts", ()), 1):
        yield from _attempt(n, attempt)
    timings = ended.get("timings", {})
    if timings.get("first_byte_ms") is not None:
        yield Moment(timings["first_byte_ms"], "released", "the first byte of the answer went to the client")
    if timings.get("hold_ms"):
        yield Moment(None, "held", f"{_ms(timings['hold_ms'])} of the time was holding text back for checks")
    if ended.get("dropped"):
        yield Moment(0.0, "dropped", f"fields of the request that were not sent on: {', '.join(ended['dropped'])}")
    yield from _findings(ended)
    if ended.get("client_left_ms") is not None:
        yield Moment(ended["client_left_ms"], "client left", "it closed the connection")
    yield from _settlement(ended, timings)


def _findings(record: Json) -> Iterator[Moment]:
    for finding in record.get("findings", ()):
        place = f"{finding['where']}, characters {finding['start']} to {finding['end']}"
        why = f" ({finding['why']})" if finding.get("why") else ""
        yield Moment(finding["ms"], finding["action"], f"{finding['policy']} found {finding['rule']}{why} in {place}")
    if record.get("findings_left_out"):
        yield Moment(None, "findings", f"{record['findings_left_out']} more, which the record does not list")


def _judged(ended: Json, judged: Json | None) -> Iterator[Moment]:
    """Tell what was said of the answer after it had left, or that nothing was."""
    if judged is None:
        for policy in ended.get("to_judge", ()):
            yield Moment(None, "not judged", f"{policy}: no verdict is in the log, or not yet")
        return
    yield from _findings(judged)
    total = ended.get("timings", {}).get("total_ms", 0.0)
    at = total + judged.get("waited_ms", 0.0) + judged.get("took_ms", 0.0)
    for said in judged["policies"]:
        questions = said.get("questions", 0)
        asked = f" in {questions} question{'s' if questions > 1 else ''}" if questions else ""
        verdict = str(said["verdict"]).replace("_", " ")
        yield Moment(at, "judged", f"{said['policy']}@{said['policy_version']}: {verdict}{asked}, after it had left")
    calls = judged.get("judge_calls", ())
    if calls:
        more = f" and {judged['judge_calls_left_out']} more" if judged.get("judge_calls_left_out") else ""
        yield Moment(at, "judged by", f"the calls {', '.join(calls)}{more}")


def _attempt(n: int, attempt: Json) -> Iterator[Moment]:
    target = f"{attempt['provider']}/{attempt['model']}"
    if attempt["outcome"] == "skipped":
        yield Moment(None, "passed over", f"{target}: {attempt.get('reason', 'no reason')}")
        return
    repairs = f"; history repaired: {', '.join(attempt['repairs'])}" if attempt.get("repairs") else ""
    dropped = f"; without {', '.join(attempt['dropped'])}" if attempt.get("dropped") else ""
    yield Moment(attempt.get("started_ms"), "asked", f"{target}{dropped}{repairs}")
    if attempt.get("first_token_ms") is not None:
        yield Moment(attempt["first_token_ms"], "first token", target)
    said = [f"status {attempt['status']}"] if attempt.get("status") is not None else []
    said += [f"its request id {attempt['provider_request_id']}"] if attempt.get("provider_request_id") else []
    said += [f"reason {attempt['reason']}"] if attempt.get("reason") else []
    said += [f"stopped for {attempt['stop_reason']}"] if attempt.get("stop_reason") else []
    said += [f"charged {attempt['cost']['amount']} USD"] if attempt.get("cost") else []
    yield Moment(attempt.get("total_ms"), attempt["outcome"], f"attempt {n}, {target}: {', '.join(said)}")


def _settlement(ended: Json, timings: Json) -> Iterator[Moment]:
    received, released = ended.get("received_chars", 0), ended.get("released_chars", 0)
    at = timings.get("total_ms")
    if ended["type"] == "call.abandoned":
        yield Moment(
            None,
            "abandoned",
            f"its worker died; {ended.get('received_bytes', 0)} bytes had come from the provider,"
            f" {ended.get('released_bytes', 0)} had gone to the client",
        )
    elif received != released:
        kept = received - released
        if kept > 0:
            yield Moment(at, "withheld", f"{kept} of {received} characters did not go to the client")
        else:  # what was stopped, or never came, had something said in its place
            yield Moment(at, "instead", "a sentence of the configuration was said")
    if ended.get("tool_calls"):
        yield Moment(at, "tools", f"the model asked for {', '.join(ended['tool_calls'])}")
    error = ended.get("error")
    if error:
        yield Moment(at, "error", f"{error.get('code')} ({error['source']}): {error['message']}")
    yield Moment(at, "settled", ", ".join(_settled(ended, timings)))


def _settled(ended: Json, timings: Json) -> Iterator[str]:
    yield f"{ended['outcome']}"
    if ended.get("status") is not None:
        yield f"status {ended['status']}"
    if ended.get("finish_reason"):
        yield f"finish reason {ended['finish_reason']}"
    usage = ended.get("usage")
    if usage:
        yield " + ".join(f"{count} {name}" for name, count in usage.items() if count) + " tokens"
    cost = ended.get("cost")
    if cost:
        yield f"{cost['amount']} USD{' (estimated)' if cost['estimated'] else ''} by {cost['price_version']}"
    if timings:
        yield f"{_ms(timings['overhead_ms'])} of {_ms(timings['total_ms'])} were the gateway's"


def _ms(value: float) -> str:
    return f"{value:g} ms"
