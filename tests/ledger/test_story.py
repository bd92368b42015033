"""The timeline of a call says what happened, in the order in which it did."""

import msgspec

from ledger.logs import abandoned, closed, opened
from trunkline.ledger.story import timeline
from trunkline.model.records import Attempt, ErrorSummary, Timings


def told(first, last) -> list[tuple[float | None, str, str]]:
    members = msgspec.to_builtins(last) | {"type": f"call.{'abandoned' if last.outcome == 'abandoned' else 'closed'}"}
    return [(moment.ms, moment.event, moment.detail) for moment in timeline(msgspec.to_builtins(first), members)]


def test_a_failover_is_told_from_admission_to_settlement():
    attempts = (
        Attempt(provider="a", model="m", dialect="openai", outcome="skipped", reason="breaker_open"),
        Attempt(
            provider="b", model="m", dialect="openai", outcome="failed", reason="500", started_ms=1.0, total_ms=20.0
        ),
        Attempt(
            provider="c",
            model="m",
            dialect="openai",
            outcome="answered",
            status=200,
            started_ms=21.0,
            first_token_ms=80.0,
            total_ms=200.0,
            repairs=("joined two turns",),
            dropped=("logit_bias",),
        ),
    )
    timings = Timings(total_ms=201.0, overhead_ms=1.5, first_token_ms=80.0, first_byte_ms=81.0)
    story = told(opened(1, tools=("get_quote",), stream=True), closed(1, attempts=attempts, timings=timings))
    assert [event for _, event, _ in story] == [
        "admitted",
        "opened",
        "passed over",
        "asked",
        "failed",
        "asked",
        "first token",
        "released",
        "answered",
        "settled",
    ]
    details = {event: detail for _, event, detail in story}
    assert details["passed over"] == "a/m: breaker_open"
    assert details["asked"] == "c/m; without logit_bias; history repaired: joined two turns"
    assert "tools get_quote" in details["opened"]
    assert "0.000017 USD by p1" in details["settled"]
    assert "1.5 ms of 201 ms were the gateway's" in details["settled"]


def test_what_did_not_reach_the_client_is_told():
    story = told(
        opened(1),
        closed(
            1,
            outcome="cancelled_after",
            status=499,
            received_chars=100,
            released_chars=40,
            client_left_ms=5.0,
            tool_calls=("get_quote",),
            dropped=("foo",),
            error=ErrorSummary("providers_failed", "provider", "no"),
        ),
    )
    details = {event: detail for _, event, detail in story}
    assert details["withheld"] == "60 of 100 characters did not go to the client"
    assert details["error"] == "providers_failed (provider): no"
    assert details["tools"] == "the model asked for get_quote"
    assert "client left" in details
    assert "foo" in details["dropped"]


def test_a_sentence_said_in_place_of_an_answer_is_told():
    story = told(opened(1), closed(1, outcome="replaced", received_chars=40, released_chars=90))
    details = {event: detail for _, event, detail in story}
    assert details["instead"] == "a sentence of the configuration was said"
    assert "withheld" not in details


def test_a_call_whose_worker_died_ends_abandoned():
    assert [event for _, event, _ in told(opened(1), abandoned(1))][-2:] == ["abandoned", "settled"]


def test_a_call_that_runs_says_so():
    assert [moment.event for moment in timeline(msgspec.to_builtins(opened(1)), None)] == [
        "admitted",
        "opened",
        "running",
    ]


def test_a_judge_s_call_says_whose_words_it_judges():
    story = told(opened(2, judged_call=opened(1).call), closed(2))
    assert (0.0, "judges", f"what was said in the call {opened(1).call}") in story
    assert "judges" not in [event for _, event, _ in told(opened(1), closed(1))]
