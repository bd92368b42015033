"""The simulated model: deterministic, and total over whatever was asked."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.simulator import agent
from trunkline.simulator.answer import Asked, Tool
from trunkline.simulator.sampling import sample
from trunkline.simulator.script import Script, TokenCount, ToolCall
from trunkline.simulator.tokens import group, split

FEES = Tool("get_fees", "Advisory fees of a household.", {"type": "object", "properties": {"client": {}}})
TRADES = Tool("list_trades", "Recent trades of a household.", {"type": "object"})


def asked(question="How is it going?", **fields):
    return Asked(model="m", question=question, body={}, prompt_tokens=10, **fields)


def said(question="", script=None, **fields):
    return agent.answer(script or Script(), asked(question, **fields)).choices[0]


@given(st.text(max_size=200), st.integers(1, 5))
def test_the_tokens_of_a_text_join_to_the_text(text, size):
    assert "".join(split(text)) == text
    assert "".join(group(split(text), size)) == text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "items", "enum", "anyOf", "const", "minimum", "a", "object", "array"]
            ),
            inner | st.sampled_from(["object", "array", "string", "integer", "boolean", "null"]),
            max_size=4,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=200, deadline=None)
@given(json_values)
def test_any_json_has_a_sample_that_is_json_and_always_the_same(schema):
    value = sample(schema)
    assert msgspec.json.encode(value) == msgspec.json.encode(sample(schema))


def test_a_schema_without_end_has_a_sample():
    schema = {"type": "object", "properties": {}}
    schema["properties"]["again"] = schema
    assert "again" in sample(schema)


def test_a_sample_has_the_types_of_its_schema():
    schema = {
        "type": "object",
        "properties": {
            "client_name": {"type": "string"},
            "query": {"type": "string"},
            "as_of_date": {"type": "string"},
            "kind": {"enum": ["fees", "returns"]},
            "limit": {"type": "integer", "minimum": 3},
            "deep": {"type": "array", "items": {"type": ["boolean", "null"]}},
            "any": {"anyOf": [{"type": "null"}]},
        },
    }
    assert sample(schema, words="what about fees") == {
        "client_name": "Henderson",
        "query": "what about fees",
        "as_of_date": "2026-06-30",
        "kind": "fees",
        "limit": 3,
        "deep": [True],
        "any": None,
    }


def test_it_calls_the_tool_that_the_question_is_about():
    choice = said("What are the trades of this household?", tools=(FEES, TRADES))
    assert [call.name for call in choice.calls] == ["list_trades"]
    assert choice.finish == "tool_calls"


def test_it_calls_the_tool_that_it_must():
    assert said("trades?", tools=(FEES, TRADES), forced_tool="get_fees").calls[0].name == "get_fees"
    assert said("trades?", tools=(FEES, TRADES), may_call=False).calls == ()
    assert said("trades?", tools=(FEES,), results=("none",), must_call=True).calls


def test_it_answers_with_the_tool_results():
    choice = said("trades?", tools=(TRADES,), results=("bought 10", "sold 5"))
    assert choice.text == "Here is what I found: bought 10 sold 5"


def test_it_answers_an_advisor_by_what_was_asked():
    texts = {said(question).text for question in ("fees?", "performance?", "rebalance?", "allocation?")}
    assert len(texts) == 4
    assert all("Henderson household" in text for text in texts)


def test_tokens_are_counted_the_same_streamed_or_not():
    script = Script(text="one two three", reasoning="well well", tool_calls=(ToolCall("a", {"b": 1}),))
    whole, streamed = (agent.answer(script, asked(stream=stream)) for stream in (False, True))
    assert whole == streamed
    assert whole.output == 3 + 2 + len(split('{"b":1}')) + 1


def test_reported_tokens_can_be_scripted():
    answer = agent.answer(Script(usage=TokenCount(input=9, output=8, cached=7, cache_write=1, reasoning=5)), asked())
    assert (answer.input, answer.output, answer.cached, answer.cache_write, answer.reasoning) == (9, 8, 7, 1, 5)


@given(st.text(max_size=60), st.integers(1, 20))
def test_a_token_limit_is_kept_and_said(text, limit):
    choice = said(script=Script(text=text), max_tokens=limit)
    assert text.startswith(choice.text)
    assert choice.tokens <= limit
    assert (choice.finish == "length") == (choice.text != text)


def test_the_first_stop_sequence_wins():
    choice = said(script=Script(text="one two three"), stop=("three", "two"))
    assert (choice.text, choice.finish, choice.stop_sequence) == ("one ", "stop_sequence", "two")
