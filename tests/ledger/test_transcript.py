"""Overlapping requests become one conversation, and what was heard of an answer is told by the next request."""

import json

from hypothesis import given
from hypothesis import strategies as st

from trunkline.ledger.speech import answer_of, messages_of
from trunkline.ledger.transcript import Turn, transcribed


def user(text):
    return {"role": "user", "content": text}


def assistant(text, *tools):
    calls = [{"id": f"id-{name}", "type": "function", "function": {"name": name, "arguments": "{}"}} for name in tools]
    return {"role": "assistant", "content": text} | ({"tool_calls": calls} if calls else {})


def result(name, text):
    return {"role": "tool", "tool_call_id": f"id-{name}", "content": text}


def turn(number, messages, answer, ended=None):
    response = {"choices": [{"index": 0, "message": answer}]} if answer is not None else {"error": {}}
    request = {"model": "voice", "messages": messages}
    return Turn(f"at-{number}", f"call-{number}", json.dumps(request).encode(), json.dumps(response).encode(), ended)


def told(*turns):
    return [(line.role, line.tool, line.text, line.heard) for line in transcribed(turns)]


def test_a_turn_with_a_tool_is_told_once():
    first = [{"role": "system", "content": "Be brief."}, user("How is AAPL?")]
    second = [*first, assistant(None, "get_quote"), result("get_quote", "190")]
    third = [*second, assistant("It is at 190."), user("Thanks.")]
    assert told(
        turn(1, first, assistant(None, "get_quote")),
        turn(2, second, assistant("It is at 190.")),
        turn(3, third, assistant("Bye.")),
    ) == [
        ("system", None, "Be brief.", None),
        ("user", None, "How is AAPL?", None),
        ("tool call", "get_quote", "{}", None),
        ("tool result", "get_quote", "190", None),
        ("assistant", None, "It is at 190.", "It is at 190."),
        ("user", None, "Thanks.", None),
        ("assistant", None, "Bye.", None),
    ]


def test_what_was_spoken_before_a_barge_in_is_what_was_heard():
    first = [user("Tell me all.")]
    assert told(
        turn(1, first, assistant("The portfolio holds bonds and stocks.")),
        turn(2, [*first, assistant("The portfolio holds"), user("Stop!")], assistant("Yes?")),
        turn(3, [*first, assistant("The portfolio holds"), user("Stop!"), user("Hello?")], assistant("I am here.")),
    ) == [
        ("user", None, "Tell me all.", None),
        ("assistant", None, "The portfolio holds bonds and stocks.", "The portfolio holds"),
        ("user", None, "Stop!", None),
        ("assistant", None, "Yes?", ""),
        ("user", None, "Hello?", None),
        ("assistant", None, "I am here.", None),
    ]


def test_a_request_that_is_sent_again_says_nothing_new():
    first = [user("Hello?")]
    lines = told(turn(1, first, None, "failed: providers_failed"), turn(2, first, assistant("Hi."), None))
    assert lines == [
        ("user", None, "Hello?", None),
        ("note", None, "failed: providers_failed", None),
        ("assistant", None, "Hi.", None),
    ]


def test_a_history_that_begins_later_is_found_again():
    first = [user("One."), assistant("1."), user("Two.")]
    second = [user("Two."), assistant("2."), user("Three.")]
    assert [text for _, _, text, _ in told(turn(1, first, assistant("2.")), turn(2, second, assistant("3.")))] == [
        "One.", "1.", "Two.", "2.", "Three.", "3.",
    ]  # fmt: skip


def test_a_history_that_was_written_anew_repeats_nothing():
    first = [user("One."), assistant("1."), user("Two.")]
    second = [user("So far: one, two."), user("One."), user("Three.")]
    assert [text for _, _, text, _ in told(turn(1, first, assistant("2.")), turn(2, second, None))] == [
        "One.", "1.", "Two.", "2.", "So far: one, two.", "Three.",
    ]  # fmt: skip


@given(st.lists(st.tuples(st.text("abc ", min_size=1), st.text("xyz ", min_size=1), st.integers(0, 10)), max_size=12))
def test_each_word_is_told_once_with_as_much_as_was_heard(spoken):
    history, turns, expected = [], [], []
    for number, (asked, answered, heard) in enumerate(spoken):
        history = [*history, user(f"{number} {asked}")]
        turns.append(turn(number, history, assistant(answered)))
        said = answered[:heard]
        last = number == len(spoken) - 1
        expected += [("user", f"{number} {asked}", None), ("assistant", answered, None if last else said)]
        history = [*history, assistant(said)] if said else history
    assert [(line.role, line.text, line.heard) for line in transcribed(turns)] == expected


@given(st.binary(max_size=200))
def test_bodies_that_are_none_say_nothing(data):
    messages_of(data)
    answer_of(data)


NAMES = ["messages", "choices", "delta", "message", "content", "tool_calls", "function", "index", "role"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_bodies_of_another_shape_break_nothing(value):
    data = json.dumps(value).encode()
    transcribed([Turn("t", "c", data, data), Turn("t", "d", data, b"data: " + data + b"\n\n")])


def test_a_stream_is_read_piece_by_piece():
    chunks = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]},
        {"choices": [{"index": 0, "delta": {"content": "It is "}}, {"index": 1, "delta": {"content": "no"}}]},
        {"choices": [{"index": 0, "delta": {"content": "190."}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "1", "function": {"name": "f"}}]}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}}]},
        {"choices": [], "usage": {}},
    ]
    body = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
    said = answer_of(body)
    assert (said.text, said.tools) == ("It is 190.", (("1", "f", "{}"),))
