import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.dialects.openai_client import decode_request
from trunkline.guardrails.check import BadAnswer, BadSettings, Found
from trunkline.guardrails.checks.llm_judge import LONGEST_RUBRIC
from trunkline.guardrails.registry import make_check

RUBRIC = "The answer is polite {and} calm."
CONTEXT = {"call": "c1", "tenant": "t", "route": "r", "user": "u", "session": "s", "messages": [{"role": "user"}]}


def check(**settings):
    return make_check("llm_judge", {"rubric": RUBRIC, "route": "judge", **settings})


def asked(text, stage="output", **settings):
    """Return the mark, and what the judge is told."""
    question = check(**settings).question(text, stage, CONTEXT)
    instructions, said = json.loads(question.body)["messages"]
    mark = said["content"][:16]
    assert said == {"role": "user", "content": f"{mark}\n{text}\n{mark}"}
    return mark, instructions["content"]


def answer(said, finish="stop", **message):
    choice = {"index": 0, "message": {"role": "assistant", "content": said} | message, "finish_reason": finish}
    return json.dumps({"id": "chatcmpl-7", "choices": [choice]}).encode()


def says(text, **more):
    return json.dumps({"mark": asked(text)[0], "reason": "r", "verdict": "fail", "score": 0.75} | more)


def test_it_asks_its_route_with_the_text_alone_between_its_marks():
    question = check().question("Go away", "output", CONTEXT)
    assert (question.route, question.url) == ("judge", "")
    body = json.loads(question.body)
    assert (body["model"], [message["role"] for message in body["messages"]]) == ("judge", ["system", "user"])
    assert RUBRIC in body["messages"][0]["content"]
    assert "Go away" not in body["messages"][0]["content"]
    assert decode_request(question.body).model == "judge"


def test_the_instructions_say_what_the_text_is_and_are_else_the_same_for_every_text():
    assert asked("Go away")[1] == asked("Come here")[1]
    assert len({asked("Hi", stage)[1] for stage in ("input", "output", "tool_results", "tool_arguments")}) == 4


@given(st.text(max_size=80), st.text(alphabet="abcdefqrstuvwxyz\n", max_size=40))
def test_no_text_holds_its_own_mark_and_no_two_have_the_same(text, more):
    mark, _ = asked(text)
    assert len(mark) == 16
    assert mark.isalpha()
    assert mark not in text
    assert asked(f"{text}{mark}")[0] != mark
    assert (asked(text + more)[0] == mark) == (more == "")
    assert asked(text, rubric="Another one.")[0] != mark


def test_a_fail_is_a_finding_of_all_of_the_text_without_what_the_judge_says_of_it():
    assert check().read(200, answer(says("Go away")), "Go away") == [
        Found("rubric", 0, 7, 0.75, "judged in chatcmpl-7")
    ]
    assert check().read(200, answer(says("Go away", verdict="pass")), "Go away") == ()


@pytest.mark.parametrize(("threshold", "found"), [(0.0, True), (0.75, True), (0.76, False), (1, False)])
def test_a_fail_counts_from_the_threshold_on(threshold, found):
    assert bool(check(threshold=threshold).read(200, answer(says("Hi")), "Hi")) is found


RUBBISH = [
    b"",
    b"\xff",
    b"[]",
    b'{"choices": []}',
    b'{"choices": [{"message": {}}]}',
    answer(None),
    answer(""),
    answer("pass"),
    answer("null"),
    answer(says("Hi"), finish="length"),
    answer(says("Hi"), finish="content_filter"),
    answer(says("Hi"), finish=None),
    answer(says("Hi"), refusal="No."),
    answer(says("Hi"), tool_calls=[{}]),
    answer(says("Ho")),
    answer(says("Hi", mark="")),
    answer(says("Hi", mark=None)),
    answer(says("Hi", verdict="Pass")),
    answer(says("Hi", verdict=True)),
    answer(says("Hi", score=-0.1)),
    answer(says("Hi", score=1.1)),
    answer(says("Hi", score="1")),
    answer(says("Hi", score=None)),
    answer(says("Hi", more=1)),
    answer(f"```json\n{says('Hi')}\n```"),
    answer(says("Hi") + says("Hi")),
    json.dumps({"choices": [json.loads(answer(says("Hi")))["choices"][0]] * 2}).encode(),
]


@pytest.mark.parametrize("body", RUBBISH)
def test_what_is_no_verdict_is_none(body):
    with pytest.raises(BadAnswer) as bad:
        check().read(200, body, "Hi")
    assert str(bad.value) in {"not one choice", "no whole text", "no verdict", "a verdict without the mark"}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"error": {"code": "rate_limit_exceeded", "message": "x"}}', "status 429 rate_limit_exceeded"),
        (b"{}", "status 429"),
        (b"\xff", "status 429"),
        (answer(says("Hi", verdict="pass")), "status 429"),
    ],
)
def test_an_error_is_no_verdict_and_says_which(body, why):
    with pytest.raises(BadAnswer) as bad:
        check().read(429, body, "Hi")
    assert str(bad.value) == why


@given(st.binary(max_size=60) | st.text(max_size=60).map(answer))
def test_any_answer_without_the_mark_is_no_verdict(body):
    with pytest.raises(BadAnswer):
        check().read(200, body, "Hello")


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"rubric": " \n"}, "rubric"),
        ({"rubric": "x" * (LONGEST_RUBRIC + 1)}, "rubric"),
        ({"rubric": None}, "rubric"),
        ({"route": ""}, "route"),
        ({"threshold": 1.5}, "threshold"),
        ({"threshold": -1}, "threshold"),
        ({"hold": "word"}, "hold"),
        ({"mode": "after"}, "mode"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, key):
    with pytest.raises(BadSettings) as refused:
        check(**settings)
    assert refused.value.key == key


def test_it_judges_a_text_as_a_whole_unless_told_otherwise():
    assert check().hold == "whole"
    assert check(hold="clause").hold == "clause"
    assert check().routes == ("judge",)
