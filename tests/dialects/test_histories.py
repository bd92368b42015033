import re
import sys

from chat_examples import assistant, calls, messages, request, result, user
from hypothesis import given, settings

from trunkline.dialects.histories import INTERRUPTED, MOST_NAMED, Rules, repair, shorten, text_of
from trunkline.model.chat import FunctionCall, ImagePart, ImageUrl, Message, TextPart, ToolCall

LOOSE = Rules(keeps_empty=True)
STRICT = Rules(call_id=re.compile(r"[a-zA-Z0-9_-]+"), unique_ids=True)
IMAGE = ImagePart(ImageUrl("https://example.com/a.png"))


def roles(repaired):
    return [message.role for message in repaired]


def test_a_sound_history_is_returned_as_it_is():
    history = [
        user(),
        assistant(),
        user(),
        calls("a", "b"),
        result("b"),
        result("a"),
        assistant(),
        calls("c"),
        result("c"),
    ]
    repaired, repairs = repair(history, STRICT)
    assert repaired is history
    assert repairs == ()


def test_a_call_without_a_result_is_answered_where_it_stands():
    repaired, repairs = repair([user(), calls("a", text="One moment."), user("Wait")], LOOSE)
    assert roles(repaired) == ["user", "assistant", "tool", "user"]
    assert repaired[1].content == "One moment."
    assert repaired[2].tool_call_id == "a"
    assert repaired[2].content == INTERRUPTED
    assert repairs == ("orphan_tool_call_answered:a",)


def test_a_call_at_the_very_end_is_answered_too():
    repaired, repairs = repair([user(), calls("a", "b"), result("a")], LOOSE)
    assert [message.tool_call_id for message in repaired[2:]] == ["a", "b"]
    assert repairs == ("orphan_tool_call_answered:b",)


def test_a_result_without_a_call_is_kept_as_words():
    repaired, repairs = repair([user(), result("gone", "61% equities")], LOOSE)
    assert roles(repaired) == ["user", "user"]
    assert "61% equities" in repaired[1].content
    assert repairs == ("orphan_tool_result_as_text:gone",)


def test_a_result_without_an_id_is_an_orphan():
    repaired, _ = repair([user(), Message(role="tool", content="61%")], LOOSE)
    assert roles(repaired) == ["user", "user"]


def test_an_orphan_result_keeps_its_images():
    repaired, _ = repair([result("gone", [TextPart("a chart"), IMAGE])], LOOSE)
    assert repaired[0].content == [TextPart("[Result of an earlier tool call: a chart]"), IMAGE]


def test_a_late_result_is_moved_to_its_call():
    repaired, repairs = repair([calls("a"), user("Take your time"), result("a", "61%")], LOOSE)
    assert roles(repaired) == ["assistant", "tool", "user"]
    assert repaired[1].content == "61%"
    assert repairs == ("tool_result_moved:a",)


def test_two_results_of_one_call_become_one():
    repaired, repairs = repair([calls("a"), result("a", "IN_PROGRESS"), result("a", "61%")], LOOSE)
    assert [message.content for message in repaired[1:]] == ["IN_PROGRESS\n61%"]
    assert repairs == ("tool_results_joined:a",)


def test_two_results_in_parts_become_one_list():
    history = [calls("a"), result("a", "wait"), result("a", [IMAGE]), Message(role="tool", tool_call_id="a")]
    repaired, _ = repair(history, LOOSE)
    assert repaired[1].content == [TextPart("wait"), IMAGE, TextPart("")]


def test_an_id_that_comes_again_is_renamed_with_its_result_where_ids_must_be_unique():
    history = [calls("call_0"), result("call_0", "1"), calls("call_0"), result("call_0", "2")]
    repaired, repairs = repair(history, STRICT)
    assert repaired[2].tool_calls[0].id == repaired[3].tool_call_id == "call_0_2"
    assert [repaired[1].content, repaired[3].content] == ["1", "2"]
    assert repairs == ("tool_call_id_renamed:call_0",)
    assert repair(history, LOOSE) == (history, ())


def test_an_id_twice_in_one_message_is_renamed_everywhere_and_results_go_in_order():
    repaired, repairs = repair([calls("a", "a"), result("a", "1"), result("a", "2"), user()], LOOSE)
    assert [call.id for call in repaired[0].tool_calls] == ["a", "a_2"]
    assert [(message.tool_call_id, message.content) for message in repaired[1:3]] == [("a", "1"), ("a_2", "2")]
    assert repairs == ("tool_call_id_renamed:a",)


def test_a_new_id_never_meets_an_old_one():
    history = [calls("x.y", "x_y", "x y"), result("x.y"), result("x_y"), result("x y")]
    repaired, _ = repair(history, STRICT)
    made = [call.id for call in repaired[0].tool_calls]
    assert len(set(made)) == 3
    assert "x_y" in made
    assert [message.tool_call_id for message in repaired[1:]] == made


def test_an_empty_id_gets_a_name():
    repaired, _ = repair([calls(""), result("")], STRICT)
    assert repaired[0].tool_calls[0].id == repaired[1].tool_call_id == "call"


def test_an_assistant_that_said_nothing_is_removed():
    history = [user(), Message(role="assistant"), user("And?")]
    assert repair(history, LOOSE) == ([history[0], history[2]], ("empty_message_removed",))


def test_an_empty_text_is_nothing_only_where_empty_texts_are_refused():
    history = [user(), assistant(" "), Message(role="assistant", content=[TextPart("")]), user()]
    assert repair(history, LOOSE) == (history, ())
    assert repair(history, STRICT)[1] == ("empty_message_removed", "empty_message_removed")


def test_a_refusal_or_an_audio_reference_is_something_said():
    history = [user(), Message(role="assistant", refusal="I can't."), Message(role="assistant", audio={"id": "a"})]
    assert repair(history, STRICT) == (history, ())


def test_an_empty_list_of_calls_is_taken_away():
    repaired, repairs = repair([user(), Message(role="assistant", content="Hi", tool_calls=[])], LOOSE)
    assert repaired[1] == assistant("Hi")
    assert repairs == ("empty_tool_calls_removed",)


def test_the_names_of_repairs_are_bounded():
    history = [result("x" * 1000) for _ in range(MOST_NAMED + 7)]
    _, repairs = repair(history, LOOSE)
    assert len(repairs) == MOST_NAMED + 1
    assert repairs[-1] == "more_repairs:7"
    assert max(map(len, repairs)) < 120
    assert shorten(["a"]) == ("a",)


def test_the_text_of_content_is_that_of_its_text_parts():
    assert text_of(None) == ""
    assert text_of([TextPart("a"), IMAGE, TextPart("b")]) == "a\nb"


def steps(work):
    """Count the calls of functions and lines in `work`: a measure of effort that no busy machine changes."""
    counted = 0

    def trace(_frame, _event, _argument):
        nonlocal counted
        counted += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return counted


def test_a_hostile_history_costs_no_more_than_its_length():
    def hostile(length):
        same = [ToolCall("a", FunctionCall("f", "{}")) for _ in range(length)]
        return [
            Message(role="assistant", tool_calls=same),
            *[result("a") for _ in range(length)],
            *[calls("a") for _ in range(length)],
            *[result("b") for _ in range(length)],
        ]

    small = steps(lambda: repair(hostile(50), STRICT))
    large = steps(lambda: repair(hostile(500), STRICT))
    assert large < 13 * small


@given(messages)
@settings(max_examples=150, deadline=None)
def test_any_history_is_sound_after_one_repair_and_loses_no_words(history):
    for rules in (LOOSE, STRICT):
        repaired, repairs = repair(history, rules)
        assert repair(repaired, rules) == (repaired, ())
        assert bool(repairs) == (repaired is not history)
        words = "\n".join(text_of(message.content) for message in repaired)
        for message in history:
            assert all(line in words for line in text_of(message.content).strip().splitlines())


def test_the_request_itself_is_never_changed():
    asked = request(calls("a"), user())
    before = list(asked.messages)
    repair(asked.messages, STRICT)
    assert asked.messages == before
