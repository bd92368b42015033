import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.guardrails.check import BadAnswer, BadSettings, Found
from trunkline.guardrails.registry import make_check

CONTEXT = {"call": "c1", "tenant": "t", "route": "r", "user": "u", "session": "s", "messages": [{"role": "user"}]}


def check(**settings):
    return make_check("webhook", {"url": "https://guard.example.com/v1?x=1", **settings})


def test_it_is_sent_the_text_and_what_it_may_know_of_the_call():
    question = check().question("Hello", "output", CONTEXT)
    assert question.url == "https://guard.example.com/v1?x=1"
    assert json.loads(question.body) == {
        "text": "Hello", "stage": "output", "call": "c1", "tenant": "t", "route": "r", "user": "u", "session": "s",
    }  # fmt: skip
    assert json.loads(check(messages=True).question("x", "input", CONTEXT).body)["messages"] == [{"role": "user"}]


def test_what_it_finds_has_offsets_in_the_text():
    answer = b'{"findings": [{"rule": "tone", "start": 1, "end": 3, "score": 0.5, "why": "rude"}, {}]}'
    assert check().read(200, answer, "Hello") == [Found("tone", 1, 3, 0.5, "rude"), Found("webhook", 0, 5)]
    assert check().read(200, b'{"findings": []}', "Hello") == []


def test_the_generic_contract_is_spoken_too():
    generic = check(format="generic", messages=True)
    assert json.loads(generic.question("Hi", "tool_results", CONTEXT).body) == {
        "texts": ["Hi"], "input_type": "request", "litellm_call_id": "c1", "structured_messages": [{"role": "user"}],
        "request_data": {"tenant": "t", "route": "r", "user": "u", "session": "s"},
    }  # fmt: skip
    assert json.loads(generic.question("Hi", "output", CONTEXT).body)["input_type"] == "response"
    assert generic.read(200, b'{"action": "NONE"}', "Hi") == []
    assert generic.read(200, b'{"action": "BLOCKED", "blocked_reason": "no"}', "Hi") == [Found("blocked", 0, 2)]
    (found,) = generic.read(200, b'{"action": "GUARDRAIL_INTERVENED", "texts": ["x"]}', "Hi")
    assert found.rule == "guardrail_intervened"


@pytest.mark.parametrize("form", ["trunkline", "generic"])
@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b'{"findings": [], "action": "NONE"}'), (200, b""), (200, b"{}"), (200, b"[]"),
     (200, b'{"findings": 1, "action": "FINE"}'), (204, b""), (200, b"\xff"),
     (200, b'{"findings": [{"start": -1}], "action": 1}')],
)  # fmt: skip
def test_rubbish_says_nothing(form, status, body):
    with pytest.raises(BadAnswer):
        check(format=form).read(status, body, "Hello")


@given(st.binary(max_size=60))
def test_any_answer_is_findings_within_the_text_or_rubbish(body):
    try:
        found = check().read(200, body, "Hello")
    except BadAnswer:
        return
    assert all(one.start < one.end for one in found)


@pytest.mark.parametrize(
    "url",
    ["", "guard", "ftp://x.example.com", "http://guard.example.com", "https://", "https://u:p@x.example.com",
     "https://x#f", "https://x.example.com/a b", "https://x.example.com:0", "https://x.example.com:99999",
     "https://ü.example.com", "https://[::1"],
)  # fmt: skip
def test_a_url_that_cannot_be_asked_is_refused(url):
    with pytest.raises(BadSettings) as refused:
        make_check("webhook", {"url": url})
    assert refused.value.key == "url"


def test_a_service_on_this_machine_may_be_asked_without_tls():
    for host in ("127.0.0.1:8000", "localhost", "[::1]:80"):
        assert make_check("webhook", {"url": f"http://{host}/check"}).hold == "sentence"
