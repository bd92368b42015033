"""The simulated OpenAI refuses what the real one refuses, in its words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.simulator import openai_reading, openai_rules
from trunkline.simulator.answer import Asked, Rejection

USER = {"role": "user", "content": "Hello"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "found"}
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


def refusal(messages=None, **fields):
    body = {"model": "gpt-4o-mini", "messages": [USER] if messages is None else messages, **fields}
    with pytest.raises(Rejection) as raised:
        openai_rules.check(body)
    assert raised.value.status == 400
    assert raised.value.type == "invalid_request_error"
    return raised.value


@pytest.mark.parametrize(
    "messages",
    [
        [USER],
        [{"role": "system", "content": "Be kind."}, USER],
        [USER, USER, {"role": "assistant", "content": ""}],
        [USER, CALLING, RESULT],
        [USER, CALLING, RESULT, USER, CALLING, RESULT],
        [{"role": "assistant", "content": "Hello, how can I help?"}, USER],
        [USER, {"role": "assistant", "content": None, "refusal": "No."}, USER],
        [
            {
                "role": "user",
                "content": [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": "data:"}}],
            }
        ],
        [USER, {**CALLING, "tool_calls": [{"id": "call_1", "type": "custom", "custom": {}}]}, RESULT],
    ],
)
def test_valid_conversations_are_accepted(messages):
    openai_rules.check({"model": "gpt-4o-mini", "messages": messages})


def test_unknown_fields_are_named():
    assert refusal(top_k=5).message == "Unrecognized request argument supplied: top_k"
    assert refusal(top_k=5, foo=1).message == "Unrecognized request arguments supplied: top_k, foo"


def test_a_model_and_messages_are_required():
    assert "model" in refusal(model="").message
    with pytest.raises(Rejection, match="Missing required parameter: 'messages'"):
        openai_rules.check({"model": "gpt-4o-mini"})
    assert refusal([]).code == "empty_array"
    assert refusal("hello").code == "invalid_type"


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("temperature", 2.5, "decimal_above_max_value"),
        ("temperature", -1, "integer_below_min_value"),
        ("temperature", "hot", "invalid_type"),
        ("top_p", 1.5, "decimal_above_max_value"),
        ("presence_penalty", -3, "integer_below_min_value"),
        ("n", 0, "integer_below_min_value"),
        ("stop", ["a", "b", "c", "d", "e"], "array_above_max_length"),
        ("metadata", "x", "invalid_type"),
        ("tools", [], "empty_array"),
        ("tools", [{"type": "function", "function": {"name": "get fees"}}], "invalid_value"),
        ("tools", [{"type": "function"}], "missing_required_parameter"),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_field(field, value, code):
    error = refusal(**{field: value})
    assert error.code == code
    assert error.param.startswith(field)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("stream", "yes", "expected a boolean"),
        ("n", True, "expected an integer"),
        ("stop", [1], "expected a string"),
        ("tool_choice", "any", "Supported values are: 'none', 'auto', 'required'"),
        ("tool_choice", {"function": {"name": "look"}}, "tool_choice.type"),
        ("tool_choice", {"type": "function", "function": {}}, "tool_choice.function.name"),
        ("tool_choice", {"type": "function", "function": {"name": "other"}}, "'other' not found"),
        ("response_format", {"type": "yaml"}, "Invalid value: 'yaml'"),
        ("response_format", {"type": "json_schema", "json_schema": {}}, "response_format.json_schema.name"),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "a", "schema": 1}}, "expected an object"),
        ("tools", [{"type": "function", "function": {"name": "look", "parameters": 1}}], "expected an object"),
        ("tools", [{"type": "function", "function": {"name": "look", "description": 1}}], "expected a string"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(field, value, words):
    assert words in refusal(**{"tools": TOOLS, field: value}).message


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "look"}}},
        {"tools": TOOLS, "tool_choice": "required", "parallel_tool_calls": False},
        {"tools": [{"type": "custom", "custom": {"name": "sql"}}], "tool_choice": {"type": "custom"}},
        {"response_format": {"type": "text"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}},
        {"stream": True, "stream_options": {"include_usage": True}, "stop": ["a", "b"], "seed": None},
    ],
)
def test_documented_fields_are_accepted(fields):
    openai_rules.check({"model": "gpt-4o-mini", "messages": [USER], **fields})


def test_fields_that_need_another_are_refused_without_it():
    assert refusal(stream_options={"include_usage": True}).param == "stream_options"
    assert refusal(top_logprobs=2).param == "top_logprobs"
    assert refusal(tool_choice="required").param == "tool_choice"


def test_reasoning_models_want_max_completion_tokens():
    error = refusal(model="gpt-5-mini", max_tokens=5)
    assert error.code == "unsupported_parameter"
    openai_rules.check({"model": "gpt-5-mini", "messages": [USER], "max_completion_tokens": 5})
    openai_rules.check({"model": "gpt-4o-mini", "messages": [USER], "max_tokens": 5})


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([USER, CALLING], "must be followed by tool messages"),
        ([USER, CALLING, USER], "did not have response messages: call_1"),
        ([USER, CALLING, USER, RESULT], "did not have response messages: call_1"),
        ([USER, RESULT], "must be a response to a preceeding message with 'tool_calls'"),
        ([USER, CALLING, RESULT, USER, RESULT], "must be a response"),
        ([USER, {**RESULT, "tool_call_id": None}], "tool_call_id"),
        ([{"role": "narrator", "content": "Once"}], "Invalid value: 'narrator'"),
        ([{"role": "user", "content": None}], "expected a string, got null"),
        ([{"role": "assistant", "content": None}], "expected a string, got null"),
        ([{"role": "user", "content": 5}], "messages[0].content"),
        ([USER, {**CALLING, "content": "Hm", "tool_calls": []}], "empty array"),
        ([USER, {**CALLING, "tool_calls": [{"id": "call_1", "type": "function"}]}], "function"),
        ([USER, {**CALLING, "tool_calls": [{**CALL, "function": {"name": "look", "arguments": {}}}]}], "arguments"),
        (["hello"], "expected an object"),
        ([{"role": "user", "content": []}], "empty array"),
        ([{"role": "user", "content": [{"type": "picture"}]}], "Invalid value: 'picture'"),
        ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0].text"),
        ([USER, {**CALLING, "tool_calls": [{"type": "function"}]}], "tool_calls[0].id"),
    ],
)
def test_conversations_that_break_a_rule_are_refused(messages, words):
    assert words in refusal(messages).message


KEYS = (
    "role",
    "content",
    "type",
    "function",
    "name",
    "id",
    "tool_calls",
    "tool_call_id",
    "arguments",
    "schema",
    "text",
)
LOOSE = (
    "tools",
    "tool_choice",
    "stop",
    "n",
    "temperature",
    "response_format",
    "stream_options",
    "max_tokens",
    "metadata",
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
odd_messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool", "system"]), "content": json_values},
        optional={"tool_calls": json_values, "tool_call_id": st.text(max_size=3)},
    ),
    max_size=5,
)
odd_tools = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["function", "custom"])},
        optional={"function": st.fixed_dictionaries({"name": st.just("look")}, optional={"parameters": json_values})},
    ),
    max_size=2,
)
bodies = st.fixed_dictionaries(
    {"model": st.sampled_from(["gpt-4o-mini", "o3"]), "messages": st.just([USER]) | odd_messages | json_values},
    optional={**dict.fromkeys(LOOSE, json_values), "tools": st.just(TOOLS) | odd_tools | json_values},
)


@settings(max_examples=300, deadline=None)
@given(bodies)
def test_any_json_is_refused_or_understood(body):
    try:
        openai_rules.check(body)
    except Rejection:
        return
    assert isinstance(openai_reading.read(body, 100), Asked)
