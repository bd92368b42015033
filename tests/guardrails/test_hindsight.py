"""What policies would have done to a call, looked at as a whole: the same as while it was carried."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_checks import Throws, Words

from trunkline.guardrails.hindsight import Hindsight, TooManyChoices
from trunkline.guardrails.hold_back import HoldBack
from trunkline.guardrails.memory import Cleared
from trunkline.guardrails.policies import Policies, Policy
from trunkline.model.chat import ChatRequest, FunctionCall, Message, TextPart, ToolCall
from trunkline.model.delta import Delta, ToolDelta


def policy(word="bad", name="p", action="flag", **more):
    return Policy(name, "1", Words(word), action=action, **more)


def asked(*contents, **more):
    return ChatRequest(model="m", messages=[Message(role="user", content=one) for one in contents], **more)


def seen(policies, chat=None, deltas=None, choices=1, cleared=None):
    hindsight = Hindsight(Policies(policies))
    if chat is not None:
        hindsight.request(chat, cleared if cleared is not None else Cleared())
    if deltas is not None:
        hindsight.answer(deltas, choices)
    return hindsight


def places(hindsight):
    return [(one.where, one.found.start, one.found.end, one.action) for one in hindsight.fired]


TEXTS = {
    "messages[0].content": "so bad",
    "messages[1].content": "in parts, bad",
    "messages[2].tool_calls[0]": "a\nbad",
    "messages[2].refusal": "too bad",
}
CHAT = ChatRequest(
    model="m",
    messages=[
        Message(role="user", content="so bad"),
        Message(role="user", content=[TextPart("in parts, "), TextPart("bad")]),
        Message(
            role="assistant", refusal="too bad", tool_calls=[ToolCall("1", FunctionCall("f", '{"a": "b\\u0061d"}'))]
        ),
    ],
)
ANSWER = [
    Delta(reasoning="thinking "), Delta(reasoning="bad thoughts"), Delta(text="so ba"), Delta(text="d."),
    Delta(tool=ToolDelta(0, "1", "f", '{"x": "b')), Delta(tool=ToolDelta(0, arguments='ad"}')),
    Delta(choice=1, refusal="bad luck"), Delta(finish="stop"), Delta(choice=1, finish="stop"),
]  # fmt: skip
SAID = {
    "choices[0].message.reasoning_content": "thinking bad thoughts",
    "choices[0].message.content": "so bad.",
    "choices[0].message.tool_calls[0]": "x\nbad",
    "choices[1].message.refusal": "bad luck",
}


def test_every_text_is_looked_at_and_can_be_read_where_a_finding_stands():
    hindsight = seen([policy()], CHAT, ANSWER, 2)
    assert {one.where for one in hindsight.fired} == set(TEXTS) | set(SAID)
    for one in hindsight.fired:
        text = hindsight.text_at(one.where)
        assert text == (TEXTS | SAID)[one.where]
        assert text[one.found.start : one.found.end] == "bad"
    assert hindsight.effect == "flag"
    assert hindsight.text_at("messages[9].content") == ""
    assert hindsight.text_at("choices[9].message.content") == ""


def test_what_no_policy_looks_at_can_be_read_too():
    hindsight = seen([], CHAT, ANSWER)
    assert (hindsight.fired, hindsight.effect) == ([], "")
    assert {where: hindsight.text_at(where) for where in TEXTS | SAID} == TEXTS | SAID
    assert seen([policy()]).text_at("messages[0].content") == ""


def test_a_message_that_was_cleared_is_not_looked_at_again_and_can_be_read():
    cleared, policies = Cleared(), Policies([policy()])
    for _ in range(2):
        hindsight = Hindsight(policies)
        hindsight.request(asked("fine", "bad"), cleared)
        assert places(hindsight) == [("messages[1].content", 0, 3, "flag")]
        assert hindsight.text_at("messages[0].content") == "fine"
    assert len(cleared) == 1


@pytest.mark.parametrize("action", ["block", "replace"])
def test_a_request_that_would_have_been_stopped_has_no_answer(action):
    stops = policy(action=action)
    hindsight = seen([stops, policy("well", "q")], asked("bad"), [Delta(text="well bad"), Delta(finish="stop")])
    assert places(hindsight) == [("messages[0].content", 0, 3, action)]
    assert (hindsight.effect, hindsight.stopped.policy) == (action, stops)


def test_the_strictest_of_what_came_of_a_call_is_its_effect():
    several = [policy("a", "a"), policy("b", "b", "redact"), policy("c", "c", "replace"), policy("d", "d", "block")]
    for words, effect in (("", ""), ("a", "flag"), ("b a", "redact"), ("a c b", "replace"), ("a d", "block")):
        assert seen(several, deltas=[Delta(text=words), Delta(finish="stop")]).effect == effect
    # What stands behind a place where the answer would have ended would not have been found.
    assert places(seen(several, deltas=[Delta(text="c d"), Delta(finish="stop")])) == [
        ("choices[0].message.content", 0, 1, "replace")
    ]


def test_a_check_that_throws_is_decided_by_its_policy():
    for on_error, action in (("allow", "bypass"), ("block", "block")):
        hindsight = seen([Policy("p", "1", Throws(), action="flag", on_error=on_error)], asked("hello"))
        assert (hindsight.effect, hindsight.fired[0].found.rule) == (action, "check_failed")


def test_an_answer_of_very_many_choices_is_none():
    with pytest.raises(TooManyChoices):
        seen([policy()], deltas=[Delta(choice=number, text="x") for number in range(129)])


pieces = st.lists(st.tuples(st.integers(0, 1), st.text("bad .", min_size=1, max_size=8)), max_size=12)


@given(pieces, st.sampled_from(["flag", "redact", "replace", "block"]))
def test_the_findings_are_those_of_a_call_that_is_carried_piece_by_piece(said, action):
    policies = [policy(action=action), policy("dab", "q")]
    deltas = [Delta(choice=choice, text=text) for choice, text in said]
    held = HoldBack(Policies(policies), 2)
    for delta in deltas:
        for _ in held.take([delta]):
            pass
        held.give()
    for _ in held.end():
        pass
    held.give()
    carried = sorted((one.where, one.found.start, one.policy.name, one.action) for one in held.fired)
    found = seen(policies, deltas=deltas, choices=2).fired
    assert sorted((one.where, one.found.start, one.policy.name, one.action) for one in found) == carried
