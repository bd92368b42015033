"""Every fault of a provider, in answers and in streams, before and after the first byte, ends as it should.

What `play` looks at after each: one closed record for each opened one, no connection still taken, no fault of ours.
"""

import json
import re
from dataclasses import dataclass
from decimal import Decimal

import pytest

from gateway.raw_client import Heard, hear
from gateway.running import Gateway, play
from trunkline.simulator import (
    CleanEnd,
    Cut,
    EmptyAnswer,
    EmptyStream,
    ErrorAnswer,
    Fault,
    Garbage,
    InBandError,
    MalformedChunk,
    Oversized,
    Redirect,
    Script,
    SlowHead,
    Stall,
    WrongContentType,
)

GOOD = Script(text="The other provider answers.")
TARGETS = {"first": "first/gpt-4o-mini", "second": "second/claude-haiku-4-5"}
ROUTES = {"first": ("voice", "second"), "second": ("reversed", "first")}
dialects = pytest.mark.parametrize("faulty", ["first", "second"])
ways = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
# More than the sockets and the gateway take in at once: its first byte is released before it can see what follows.
LONG = ("word " * 1000 + "\n") * 300
LATE = 150  # frames of the long answer


@dataclass(frozen=True)
class Case:
    """A fault and what the record says of it: the attempt's reason, and whether it counts against the target."""

    fault: Fault
    reason: str
    counts: bool = True

    @property
    def name(self) -> str:
        said = "-".join(str(value) for value in (getattr(self.fault, name) for name in self.fault.__struct_fields__))
        return f"{type(self.fault).__name__}-{said[:24]}"


def cases(*given: Case):
    return pytest.mark.parametrize("case", given, ids=[case.name for case in given])


async def faulted(gateway: Gateway, faulty: str, **fields) -> Heard:
    """Call the route whose first target has the fault."""
    return await hear(gateway, {"model": ROUTES[faulty][0]} | fields)


def scripts(faulty: str, script: Script) -> dict[str, Script]:
    return {"openai": script, "anthropic": GOOD} if faulty == "first" else {"openai": GOOD, "anthropic": script}


def failures(gateway: Gateway, faulty: str) -> int:
    """How many failures the target's breaker has counted."""
    return len(gateway.health(TARGETS[faulty]).breaker.failures)


def check_failover(gateway: Gateway, faulty: str, heard: Heard, case: Case) -> None:
    """The other target has answered, and the record has both attempts."""
    assert (heard.status, heard.text, heard.whole) == (200, "The other provider answers.", True)
    # A stream's head leaves with the role; it names who began, the record who answered.
    begun_by = heard.headers["x-trunkline-provider"]
    assert begun_by == ROUTES[faulty][1] or (heard.events and begun_by == faulty)
    assert heard.headers["x-trunkline-attempts"] == ("1" if begun_by == faulty else "2")
    closed = gateway.record("call.closed")
    assert closed["outcome"] == "answered"
    failed, answered = closed["attempts"]
    assert (failed["provider"], failed["outcome"]) == (faulty, "failed")
    assert re.fullmatch(case.reason, failed["reason"])
    assert failed["total_ms"] >= failed["started_ms"]
    assert (answered["provider"], answered["outcome"]) == (ROUTES[faulty][1], "answered")
    assert closed["provider"] == ROUTES[faulty][1]
    assert failures(gateway, faulty) == case.counts


BROKEN = r"broken_answer: .+"
CUT = r"connection_broken.*|answer_malformed.*"
BEFORE_ANY_ANSWER = (
    Case(ErrorAnswer(status=500), r"500 server_error"),
    Case(ErrorAnswer(status=503), r"503 \w+"),
    Case(ErrorAnswer(status=529), r"529 \w+"),
    Case(ErrorAnswer(status=429, retry_after=3), r"429 rate_limit_exceeded", counts=False),
    Case(ErrorAnswer(status=401), r"401 \w+", counts=False),
    Case(ErrorAnswer(status=403), r"403 \w+", counts=False),
    Case(Cut(), CUT),
    Case(Garbage(), CUT),
    Case(EmptyStream(), r"broken_answer.*|empty_answer"),
    Case(EmptyAnswer(), r"empty_answer"),
    Case(WrongContentType(), r"wrong_content_type"),
    Case(Redirect(location="http://127.0.0.1:9/elsewhere"), r"307 \w+"),
    Case(Cut(after_tokens=0), CUT),
    Case(CleanEnd(after_tokens=0), BROKEN),
    Case(CleanEnd(after_tokens=0, how="closed"), CUT),
    Case(MalformedChunk(), BROKEN),
    Case(MalformedChunk(of="framing"), CUT),
    Case(InBandError(), r"broken_answer.*|5\d\d \w+"),
    Case(Garbage(after_tokens=0), rf"{BROKEN}|{CUT}"),
)


@ways
@dialects
@cases(*BEFORE_ANY_ANSWER)
def test_a_fault_before_the_first_byte_sends_the_call_to_the_next_target(tmp_path, case, faulty, stream):
    async def story(gateway, simulator):
        check_failover(gateway, faulty, await faulted(gateway, faulty, stream=stream), case)

    play(tmp_path, story, **scripts(faulty, Script(text="never heard", fault=case.fault)))


@ways
@dialects
def test_what_an_empty_answer_has_used_is_part_of_the_call_s_cost(tmp_path, faulty, stream):
    async def story(gateway, simulator):
        await faulted(gateway, faulty, stream=stream)
        closed = gateway.record("call.closed")
        empty, answered = closed["attempts"]
        assert empty["usage"]["input"] > 0
        assert not empty["cost"]["estimated"]
        assert "cost" not in answered
        amount = sum(Decimal(line["amount"]) for line in closed["cost"]["lines"])
        assert Decimal(closed["cost"]["amount"]) == amount > Decimal(empty["cost"]["amount"]) > 0
        assert closed["cost"]["lines"][: len(empty["cost"]["lines"])] == empty["cost"]["lines"]

    play(tmp_path, story, **scripts(faulty, Script(fault=EmptyAnswer())))


@dialects
def test_what_an_empty_answer_has_used_is_charged_where_nobody_else_answers(tmp_path, faulty):
    async def story(gateway, simulator):
        assert (await hear(gateway, {"model": f"only-{faulty}"})).status == 502
        closed = gateway.record("call.closed")
        assert closed["cost"] == closed["attempts"][0]["cost"]

    play(tmp_path, story, **scripts(faulty, Script(fault=EmptyAnswer())))


@dialects
@cases(
    Case(Stall(), r"first_token_timeout"),
    Case(Stall(after_tokens=0), r"first_token_timeout"),
    Case(SlowHead(gap=5.0), r"first_token_timeout"),
)
def test_a_stream_without_a_first_token_in_time_sends_the_call_to_the_next_target(tmp_path, case, faulty):
    async def story(gateway, simulator):
        check_failover(gateway, faulty, await faulted(gateway, faulty, stream=True), case)

    impatient = {faulty: ", first_token: 100ms"}
    play(tmp_path, story, **impatient, **scripts(faulty, Script(fault=case.fault)))


@dialects
@ways
def test_a_provider_that_refuses_connections_sends_the_call_to_the_next_target(tmp_path, faulty, stream):
    async def story(gateway, simulator):
        await (simulator.openai if faulty == "first" else simulator.anthropic).stop_listening()
        heard = await faulted(gateway, faulty, stream=stream)
        check_failover(gateway, faulty, heard, Case(Cut(), r"connect_failed.*"))

    play(tmp_path, story, **scripts(faulty, Script()))


@dialects
@ways
def test_an_answer_without_bound_sends_the_call_to_the_next_target(tmp_path, faulty, stream):
    async def story(gateway, simulator):
        heard = await faulted(gateway, faulty, stream=stream)
        check_failover(gateway, faulty, heard, Case(Oversized(), r"answer_too_large.*|broken_answer.*"))

    play(tmp_path, story, **scripts(faulty, Script(fault=Oversized(size=34 << 20))))


@dialects
@ways
@cases(
    Case(ErrorAnswer(status=400), "400 context_length_exceeded"),
    Case(ErrorAnswer(status=413), r"413 request_too_large"),
)
def test_what_a_provider_rejects_goes_to_the_client_and_to_nobody_else(tmp_path, case, faulty, stream):
    async def story(gateway, simulator):
        heard = await faulted(gateway, faulty, stream=stream)
        assert heard.status == case.fault.status
        assert heard.error["trunkline"]["source"] == "provider"
        assert heard.headers["content-type"] == "application/json"
        closed = gateway.record("call.closed")
        assert (closed["outcome"], closed["status"]) == ("invalid", case.fault.status)
        assert [attempt["outcome"] for attempt in closed["attempts"]] == ["failed"]
        assert re.fullmatch(case.reason, closed["attempts"][0]["reason"])
        assert simulator.openai.call_count + simulator.anthropic.call_count == 1
        assert failures(gateway, faulty) == 0

    play(tmp_path, story, **scripts(faulty, Script(fault=case.fault)))


@dialects
@ways
@cases(Case(ErrorAnswer(status=404), r"404 model_not_found"), Case(ErrorAnswer(status=405), r"405 \w+"))
def test_a_model_that_the_provider_does_not_have_is_an_alarm_and_the_next_target_s_turn(tmp_path, case, faulty, stream):
    async def story(gateway, simulator):
        check_failover(gateway, faulty, await faulted(gateway, faulty, stream=stream), case)
        assert gateway.record("call.closed")["attempts"][0]["alarm"] == "provider_misconfigured"
        assert f"target_wrong target={TARGETS[faulty]}" in gateway.operations()

    play(tmp_path, story, **scripts(faulty, Script(fault=case.fault)))


@dialects
@cases(Case(ErrorAnswer(status=401), r"401 \w+"), Case(ErrorAnswer(status=403), r"403 \w+"))
def test_targets_that_are_all_out_for_their_keys_are_a_failure_and_no_rest(tmp_path, case, faulty):
    async def story(gateway, simulator):
        for asked in (1, 0):
            heard = await hear(gateway, {"model": f"only-{faulty}"})
            assert (heard.status, heard.error["code"]) == (502, "providers_failed")
            assert heard.headers["x-trunkline-attempts"] == str(asked)
            assert "retry-after" not in heard.headers

    play(tmp_path, story, **scripts(faulty, Script(fault=case.fault)))


def test_where_one_target_is_out_and_another_rests_the_rest_decides(tmp_path):
    async def story(gateway, simulator):
        await hear(gateway)
        heard = await hear(gateway)
        assert (heard.status, heard.error["code"]) == (429, "provider_unavailable")
        assert 20 < heard.error["trunkline"]["retry_after"] <= 30

    resting = Script(fault=ErrorAnswer(status=429, retry_after=30))
    play(tmp_path, story, Script(fault=ErrorAnswer(status=401)), resting)


@dialects
@cases(Case(ErrorAnswer(status=401), r"401 \w+"), Case(ErrorAnswer(status=403), r"403 \w+"))
def test_a_refused_account_key_is_an_alarm_and_takes_the_target_out(tmp_path, case, faulty):
    async def story(gateway, simulator):
        await faulted(gateway, faulty)
        assert gateway.record("call.closed")["attempts"][0]["alarm"] == "provider_unauthorized"
        assert "target_out" in gateway.operations()
        await faulted(gateway, faulty)
        skipped, _ = gateway.records("call.closed")[1]["attempts"]
        assert (skipped["outcome"], skipped["reason"]) == ("skipped", "unauthorized")

    play(tmp_path, story, **scripts(faulty, Script(fault=case.fault)))


@dialects
@cases(
    Case(Cut(after_tokens=LATE), CUT),
    Case(CleanEnd(after_tokens=LATE), BROKEN),
    Case(CleanEnd(after_tokens=LATE, how="closed"), CUT),
    Case(MalformedChunk(after_tokens=LATE), BROKEN),
    Case(MalformedChunk(after_tokens=LATE, of="framing"), CUT),
    Case(InBandError(after_tokens=LATE), r"5\d\d \w+"),
    Case(Garbage(after_tokens=LATE), rf"{BROKEN}|{CUT}"),
)
def test_a_stream_that_breaks_after_the_first_byte_ends_with_an_error_and_without_the_end_mark(tmp_path, case, faulty):
    async def story(gateway, simulator):
        heard = await faulted(gateway, faulty, stream=True, max_tokens=1_000_000)
        check_broken_off(gateway, faulty, heard, case)

    play(tmp_path, story, **scripts(faulty, Script(text=LONG, tokens_per_frame=1000, fault=case.fault)))


@dialects
def test_a_stream_that_falls_silent_after_the_first_byte_ends_with_an_error(tmp_path, faulty):
    case = Case(Stall(after_tokens=2), r"gap_timeout")

    async def story(gateway, simulator):
        heard = await faulted(gateway, faulty, stream=True)
        check_broken_off(gateway, faulty, heard, case)

    play(tmp_path, story, route="timeouts: {gap: 100ms}", **scripts(faulty, Script(text="one two", fault=case.fault)))


def check_broken_off(gateway: Gateway, faulty: str, heard: Heard, case: Case) -> None:
    """The stream has some text and then an error in its last event; nobody else was asked."""
    assert (heard.status, heard.whole) == (200, True)
    assert heard.text
    *chunks, last = heard.events
    assert "[DONE]" not in heard.events
    assert not any(json.loads(chunk)["choices"][0]["finish_reason"] for chunk in chunks)
    error = json.loads(last)["error"]
    assert error["code"] == "providers_failed"
    assert error["trunkline"]["source"] == "provider"
    assert error["trunkline"]["call"] == heard.headers["x-trunkline-call"]
    closed = gateway.record("call.closed")
    assert (closed["outcome"], closed["status"]) == ("failed", 200)
    assert closed["error"]["code"] == "providers_failed"
    (attempt,) = closed["attempts"]
    assert (attempt["provider"], attempt["outcome"]) == (faulty, "failed")
    assert re.fullmatch(case.reason, attempt["reason"])
    assert closed["cost"]["estimated"]
    assert closed["released_chars"] == len(heard.text)
    assert failures(gateway, faulty) == 1


@dialects
def test_a_finish_reason_and_a_clean_end_say_as_much_as_the_end_mark(tmp_path, faulty):
    async def story(gateway, simulator):
        heard = await faulted(gateway, faulty, stream=True)
        assert heard.text == "one two"
        assert heard.events[-1] == "[DONE]"
        closed = gateway.record("call.closed")
        assert closed["outcome"] == "answered"
        assert not closed["cost"]["estimated"]
        assert failures(gateway, faulty) == 0

    play(tmp_path, story, **scripts(faulty, Script(text="one two", fault=CleanEnd(after_tokens=None))))


@dialects
def test_a_finish_reason_on_a_connection_that_ends_in_the_middle_is_no_end(tmp_path, faulty):
    case = Case(CleanEnd(after_tokens=None, how="closed"), CUT)

    async def story(gateway, simulator):
        check_broken_off(gateway, faulty, await faulted(gateway, faulty, stream=True), case)

    play(tmp_path, story, **scripts(faulty, Script(text="one two", fault=case.fault)))


@dialects
@cases(
    Case(Stall(), "deadline"),
    Case(Stall(after_tokens=0), "deadline"),
    Case(SlowHead(gap=5.0), "deadline"),
)
def test_an_answer_that_does_not_come_ends_at_the_call_s_deadline(tmp_path, case, faulty):
    async def story(gateway, simulator):
        heard = await faulted(gateway, faulty)
        assert heard.status == 504
        assert heard.error["code"] == "deadline_exceeded"
        assert heard.headers["x-should-retry"] == "false"
        closed = gateway.record("call.closed")
        assert (closed["outcome"], closed["status"]) == ("failed", 504)
        (attempt,) = closed["attempts"]
        assert (attempt["outcome"], attempt["reason"]) == ("failed", "deadline")
        assert closed["cost"]["estimated"]
        estimate = gateway.record("call.opened")["estimate"]
        assert closed["usage"]["output"] == estimate["completion_tokens"] > 0
        assert Decimal(closed["cost"]["amount"]) == Decimal(estimate["cost"])

    play(tmp_path, story, route="timeouts: {total: 150ms}", **scripts(faulty, Script(fault=case.fault)))


@ways
def test_when_every_target_fails_the_call_does_and_says_what_each_said(tmp_path, stream):
    async def story(gateway, simulator):
        heard = await faulted(gateway, "first", stream=stream)
        assert heard.status == 502
        assert heard.headers["content-type"] == "application/json"
        assert heard.headers["x-should-retry"] == "false"
        assert heard.headers["x-trunkline-attempts"] == "2"
        assert "x-trunkline-provider" not in heard.headers
        assert heard.error["code"] == "providers_failed"
        assert "first/gpt-4o-mini: 500 server_error" in heard.error["message"]
        assert "second/claude-haiku-4-5: wrong_content_type" in heard.error["message"]
        closed = gateway.record("call.closed")
        assert (closed["outcome"], closed["status"]) == ("failed", 502)
        assert "cost" not in closed

    play(tmp_path, story, Script(fault=ErrorAnswer(status=500)), Script(text="never heard", fault=WrongContentType()))
