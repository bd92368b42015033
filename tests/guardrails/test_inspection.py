import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from toy_checks import AskingWords, Throws, Words

from trunkline.guardrails.hold_back import SLICE
from trunkline.guardrails.inspection import Inspection
from trunkline.guardrails.memory import Cleared
from trunkline.guardrails.policies import Policies, Policy
from trunkline.model.chat import (
    AudioPart,
    ChatRequest,
    FunctionCall,
    ImagePart,
    ImageUrl,
    Message,
    RefusalPart,
    TextPart,
    ToolCall,
)


def asked(*messages, **more):
    return ChatRequest(model="m", messages=list(messages), **more)


def user(content, **more):
    return Message(role="user", content=content, **more)


def policy(check=None, action="block", **more):
    return Policy("p", "1", check or Words("bad"), action=action, **more)


def inspect(chat, *policies, cleared=None):
    """Return the inspection, and the request as it may be sent."""
    inspection = Inspection(Policies(policies), chat, cleared if cleared is not None else Cleared())
    for _ in inspection.take():
        pass
    for ask in inspection.asks:
        ask.answered(ask.policy.asking.read(200, b"", ask.text))
    return inspection, inspection.result()


CALLS = [ToolCall("1", FunctionCall("f", '{"a": "bad"}')), ToolCall("2", FunctionCall("g", '{"b": "b\\u0061d"}'))]
EVERYWHERE = [
    ("messages[0].content", user("so bad")),
    ("messages[0].content", user([TextPart("so b"), TextPart("ad")])),
    ("messages[0].name", user("hi", name="bad")),
    ("messages[0].content", Message(role="system", content="bad")),
    ("messages[0].content", Message(role="developer", content="bad")),
    ("messages[0].content", Message(role="tool", content="bad", tool_call_id="1")),
    ("messages[0].content", Message(role="function", content="bad", name="f")),
    ("messages[0].content", Message(role="assistant", content=[RefusalPart("bad")])),
    ("messages[0].refusal", Message(role="assistant", refusal="bad")),
    ("messages[0].tool_calls[0]", Message(role="assistant", tool_calls=CALLS[:1])),
    ("messages[0].tool_calls[0]", Message(role="assistant", tool_calls=CALLS[1:])),
    ("messages[0].function_call", Message(role="assistant", function_call=FunctionCall("f", '{"bad": 1}'))),
]


def test_nothing_that_a_model_is_told_is_left_out():
    for where, message in EVERYWHERE:
        inspection, _ = inspect(asked(message), policy())
        assert inspection.stop is not None, message
        assert (inspection.stop.where, inspection.stop.action) == (where, "block")


def test_a_redacted_request_has_nothing_of_it_anywhere():
    chat = asked(*[message for _, message in EVERYWHERE], prediction={"type": "content", "content": "bad"})
    inspection, sent = inspect(chat, policy(action="redact"))
    written = msgspec.json.encode(sent.messages).decode()
    assert inspection.stop is None
    assert "bad" not in written
    assert sent.prediction == {"type": "content", "content": "[BAD]"}
    assert written.count("[BAD]") == len(EVERYWHERE) - 1  # a name may not have one
    for message in sent.messages:
        for call in message.tool_calls or ():
            json.loads(call.function.arguments)


def test_parts_keep_their_places_and_a_span_over_two_leaves_one_marker():
    image = ImagePart(ImageUrl("https://example.com/a.png"))
    chat = asked(user([TextPart("a b"), image, TextPart("ad c"), TextPart("bad")]))
    _, sent = inspect(chat, policy(action="redact", on_unscannable="allow"))
    assert sent.messages[0].content == [TextPart("a [BAD]"), image, TextPart(" c"), TextPart("[BAD]")]


def test_a_prediction_of_parts_is_looked_at():
    chat = asked(user("hi"), prediction={"type": "content", "content": [{"type": "text", "text": "bad"}]})
    assert inspect(chat, policy())[0].stop.where == "prediction.content"
    assert inspect(asked(user("hi"), prediction={"content": 5}), policy())[0].stop is None


def test_a_request_without_a_finding_is_sent_as_it_came():
    chat = asked(user("good"), Message(role="assistant", content=None))
    inspection, sent = inspect(chat, policy(action="redact"))
    assert sent is chat
    assert inspection.fired == []


def test_a_flag_is_noted_and_changes_nothing():
    chat = asked(user("bad"))
    inspection, sent = inspect(chat, policy(action="flag"))
    assert sent is chat
    assert [(one.stage, one.where, one.found.start) for one in inspection.fired] == [
        ("input", "messages[0].content", 0)
    ]


def test_stages_narrow_what_is_looked_at():
    chat = asked(
        Message(role="system", content="bad"), user("bad"), Message(role="assistant", tool_calls=CALLS[:1]),
        Message(role="tool", content="bad", tool_call_id="1"),
    )  # fmt: skip
    for stage, places in (("transcript", {1}), ("tool_results", {3}), ("input", {0, 1, 2, 3}), ("output", set())):
        inspection, _ = inspect(chat, policy(action="flag", stages=(stage,)))
        assert {int(one.where[9]) for one in inspection.fired} == places


def test_what_no_check_can_read_is_blocked_or_noted():
    parts = [TextPart("hi"), ImagePart(ImageUrl("https://example.com/a.png")), AudioPart({"data": "", "format": "wav"})]
    inspection, _ = inspect(asked(user(parts)), policy())
    assert (inspection.stop.found.rule, inspection.stop.where) == ("unscannable", "messages[0].content[1]")
    inspection, _ = inspect(asked(user(parts)), policy(on_unscannable="allow"))
    assert inspection.stop is None
    assert [(one.action, one.found.why) for one in inspection.fired] == [
        ("bypass", "image_url"),
        ("bypass", "input_audio"),
    ]
    inspection, _ = inspect(asked(Message(role="assistant", audio={"id": "x"})), policy(on_unscannable="allow"))
    assert [one.found.why for one in inspection.fired] == ["audio"]


def test_the_strictest_stop_is_the_calls():
    policies = [Policy("a", "1", Words("bad"), action="replace", sentence="No."), Policy("b", "1", Words("ugly"))]
    inspection, _ = inspect(asked(user("bad"), user("ugly"), user("bad")), *policies)
    assert inspection.stop.policy.name == "b"


def test_a_check_that_throws_stops_the_call():
    assert inspect(asked(user("x")), policy(Throws()))[0].stop.found.rule == "check_failed"


def test_a_question_that_is_answered_can_stop_or_edit():
    assert inspect(asked(user("One. bad")), policy(AskingWords("bad")))[0].stop is not None
    _, sent = inspect(asked(user("One. bad")), policy(AskingWords("bad"), action="redact"))
    assert sent.messages[0].content == "One. [BAD]"


def test_a_question_without_an_answer_holds_the_call():
    inspection = Inspection(Policies([policy(AskingWords("bad"))]), asked(user("x")), Cleared())
    for _ in inspection.take():
        pass
    inspection.asks[0].failed("timeout")
    inspection.result()
    assert inspection.stop.found.why == "timeout"


# What was cleared is not looked at again


def test_a_message_is_looked_at_once_in_a_conversation():
    cleared = Cleared()
    first, _ = inspect(asked(user("one")), policy(), cleared=cleared)
    second, _ = inspect(asked(user("one"), user("two!")), policy(), cleared=cleared)
    assert (first.characters, second.characters) == (3, 4)


def test_another_policy_looks_again():
    cleared = Cleared()
    inspect(asked(user("ugly")), policy(), cleared=cleared)
    assert inspect(asked(user("ugly")), Policy("p", "2", Words("ugly")), cleared=cleared)[0].stop is not None


def test_the_same_words_of_another_role_are_looked_at():
    cleared = Cleared()
    inspect(asked(user("one")), policy(), cleared=cleared)
    assert inspect(asked(Message(role="system", content="one")), policy(), cleared=cleared)[0].characters == 3


def test_a_message_with_a_finding_is_looked_at_every_time():
    cleared = Cleared()
    for action in ("flag", "redact", "block"):
        for _ in range(2):
            inspection, _ = inspect(asked(user("bad")), policy(action=action), cleared=cleared)
            assert len(inspection.fired) == 1


def test_nothing_of_a_call_that_was_stopped_counts_as_cleared():
    cleared = Cleared()
    inspect(asked(user("one"), user("bad")), policy(), cleared=cleared)
    assert len(cleared) == 0


def test_a_long_message_is_looked_at_in_steps():
    inspection = Inspection(Policies([policy()]), asked(user("x" * 100_000)), Cleared())
    assert len(list(inspection.take())) == 100_000 // SLICE


@given(st.lists(st.text(st.sampled_from("abd "), max_size=12), min_size=1, max_size=5))
def test_parts_are_edited_as_their_joined_text_is(texts):
    whole = "".join(texts)
    _, sent = inspect(asked(user([TextPart(text) for text in texts])), policy(action="redact"))
    assert "".join(part.text for part in sent.messages[0].content) == whole.replace("bad", "[BAD]")
    assert len(sent.messages[0].content) == len(texts)
