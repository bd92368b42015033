"""Headers of answers and errors: when to come back, whether to, and nothing that a header must not hold."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.errors import (
    AuditUnavailable,
    CallError,
    DeadlineExceeded,
    Draining,
    InternalError,
    InvalidApiKey,
    InvalidRequest,
    Overloaded,
    ProvidersFailed,
    ProviderUnavailable,
)
from trunkline.gateway.answers import DROPPED_LIMIT, JSON_LINE, answer_headers, error_answer, error_lines, overhead_line
from trunkline.gateway.call import Call
from trunkline.gateway.in_force import InForce
from trunkline.model.records import Attempt
from trunkline.model.snapshot import Audit, Log, Server, Snapshot
from trunkline.policy.health import TargetHealth
from trunkline.wire.request import Request

SNAPSHOT = Snapshot(
    version=1, node="n", listen="127.0.0.1:0", workers=1, providers={}, routes={}, tenants={}, keys={}, prices={},
    server=Server(), tls=None, log=Log(), audit=Audit(),
)  # fmt: skip
EMPTY = InForce(SNAPSHOT, "digest", {}, lambda name: TargetHealth())


def call() -> Call:
    request = Request(b"POST", b"/", "/", {}, b"", 1, "127.0.0.1:1")
    return Call("01a2", request, EMPTY)


def lines(data: bytes) -> dict[str, str]:
    text = data.decode("latin-1")
    assert text.endswith("\r\n")
    pairs = [line.split(": ", 1) for line in text.removesuffix("\r\n").split("\r\n")]
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (ProvidersFailed("?"), "false"),
        (DeadlineExceeded("?"), "false"),
        (ProviderUnavailable("?", retry_after=1.01), "false"),
        (ProviderUnavailable("?", retry_after=1.0), None),
        (ProviderUnavailable("?", retry_after=0.2), None),
        (ProviderUnavailable("?"), "false"),
        (Draining("?", retry_after=1.0), "true"),
        (AuditUnavailable("?", retry_after=5.0), None),
        (Overloaded("?", retry_after=1.0), None),
        (InvalidRequest("?"), None),
        (InvalidApiKey("?"), None),
        (InternalError("?"), None),
    ],
)
def test_the_advice_to_try_again_is_given_where_an_sdk_would_do_the_wrong_thing(error: CallError, advice) -> None:
    headers, _ = error_lines(error, None, JSON_LINE)
    assert lines(headers).get("x-should-retry") == advice


def test_no_call_for_402_is_tried_again() -> None:
    error = CallError("the budget is used up", retry_after=0.1)
    error.status = 402
    assert lines(error_lines(error, None, JSON_LINE)[0])["x-should-retry"] == "false"


@settings(max_examples=100, deadline=None)
@given(st.floats(min_value=0, max_value=1e6))
def test_when_to_come_back_is_never_too_early_and_at_most_a_unit_late(wait: float) -> None:
    said = lines(error_lines(ProviderUnavailable("?", retry_after=wait), None, JSON_LINE)[0])
    assert 0 <= int(said["retry-after"]) - wait <= 1
    assert 0 <= int(said["retry-after-ms"]) - wait * 1000 <= 1


def test_the_time_to_come_back_has_no_noise_of_floating_point() -> None:
    body = json.loads(error_lines(ProviderUnavailable("?", retry_after=0.1 + 0.2), None, JSON_LINE)[1])
    assert body["error"]["trunkline"]["retry_after"] == 0.3


def test_without_a_time_to_come_back_none_is_said() -> None:
    assert not {"retry-after", "retry-after-ms"} & lines(error_lines(InvalidRequest("?"), None, JSON_LINE)[0]).keys()


def test_an_error_s_answer_names_its_call_and_carries_the_envelope() -> None:
    status, headers, body = error_answer(InvalidRequest("No.", param="n"), call())
    assert status == 400
    assert lines(headers) == {
        "content-type": "application/json",
        "x-request-id": "01a2",
        "x-trunkline-call": "01a2",
        "x-trunkline-attempts": "0",
    }
    error = json.loads(body)["error"]
    assert (error["message"], error["param"], error["trunkline"]["call"]) == ("No.", "n", "01a2")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(), max_size=8), st.lists(st.text(max_size=300), max_size=8))
def test_no_name_of_a_dropped_field_can_break_a_header(ours: list[str], theirs: list[str]) -> None:
    one = call()
    one.client_dropped = tuple(ours)
    attempt = Attempt(provider="p", model="m", dialect="openai", outcome="answered", dropped=tuple(theirs))
    said = lines(answer_headers(one, attempt, JSON_LINE))
    allowed = {"content-type", "x-request-id", "x-trunkline-call", "x-trunkline-provider", "x-trunkline-model"}
    assert said.keys() <= allowed | {"x-trunkline-attempts", "x-trunkline-dropped"}
    assert all(" " <= character <= "~" for value in said.values() for character in value)
    assert len(said.get("x-trunkline-dropped", "")) <= DROPPED_LIMIT
    assert ("x-trunkline-dropped" in said) == bool(ours or theirs)


def test_a_dropped_field_is_named_once_whoever_dropped_it() -> None:
    one = call()
    one.client_dropped = ("shiny", "odd")
    attempt = Attempt(provider="p", model="m", dialect="openai", outcome="answered", dropped=("shiny", "n"))
    assert lines(answer_headers(one, attempt, JSON_LINE))["x-trunkline-dropped"] == "shiny, odd, n"


def test_the_overhead_is_said_in_milliseconds() -> None:
    assert overhead_line(1.23456) == b"x-trunkline-overhead-ms: 1.235\r\n"
