"""The simulated Anthropic refuses what the real one refuses, in its words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.simulator import anthropic_reading, anthropic_rules, claude_models
from trunkline.simulator.answer import Asked, Rejection

VERSION = "2023-06-01"
USER = {"role": "user", "content": "Hello"}
SAID = {"role": "assistant", "content": "Hi."}
USE = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
CALLING = {"role": "assistant", "content": [{"type": "text", "text": "Let me look."}, USE]}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "found"}
ANSWERING = {"role": "user", "content": [RESULT]}
THINKING = {"type": "enabled", "budget_tokens": 2000}
TOOL = {"name": "look", "input_schema": {"type": "object"}}


def body_of(messages=None, **fields):
    defaults = {"model": "claude-haiku-4-5", "max_tokens": 100, "messages": [USER] if messages is None else messages}
    return {**defaults, **fields}


def refusal(messages=None, *, version=VERSION, **fields):
    with pytest.raises(Rejection) as raised:
        anthropic_rules.check(body_of(messages, **fields), version)
    assert raised.value.status == 400
    assert raised.value.type == "invalid_request_error"
    return raised.value.message


@pytest.mark.parametrize(
    "messages",
    [
        [USER],
        [USER, USER, SAID, SAID, USER],
        [USER, CALLING, ANSWERING],
        [USER, CALLING, {"role": "user", "content": [RESULT, {"type": "text", "text": "And?"}]}],
        [USER, CALLING, ANSWERING, USER],
        [USER, SAID],
        [USER, {"role": "assistant", "content": ""}],
        [
            USER,
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm", "signature": "s"}, USE]},
            ANSWERING,
        ],
    ],
)
def test_valid_conversations_are_accepted(messages):
    anthropic_rules.check(body_of(messages), VERSION)


@pytest.mark.parametrize(
    "fields",
    [
        {"system": "Be kind.", "metadata": {"user_id": "a"}, "stream": True, "stop_sequences": ["end"], "top_k": 5},
        {"system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}]},
        {"thinking": THINKING, "max_tokens": 4000, "temperature": 1},
        {"thinking": {"type": "adaptive"}},
        {"tools": [TOOL, {"type": "web_search_20250305", "name": "web_search"}], "tool_choice": {"type": "any"}},
        {"output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}}},
    ],
)
def test_documented_fields_are_accepted(fields):
    anthropic_rules.check(body_of(**fields), VERSION)


@pytest.mark.parametrize(
    "source",
    [
        {"type": "base64", "media_type": "image/png", "data": "aGk="},
        {"type": "url", "url": "https://example.com/a.png"},
        {"type": "file", "file_id": "file_1"},
    ],
)
def test_images_are_accepted(source):
    anthropic_rules.check(body_of([{"role": "user", "content": [{"type": "image", "source": source}]}]), VERSION)


@pytest.mark.parametrize("missing", ["model", "max_tokens", "messages"])
def test_required_fields_are_named(missing):
    body = body_of()
    del body[missing]
    with pytest.raises(Rejection, match=f"{missing}: Field required"):
        anthropic_rules.check(body, VERSION)


def test_unknown_fields_are_refused_wherever_they_stand():
    assert refusal(frequency_penalty=0) == "frequency_penalty: Extra inputs are not permitted"
    assert refusal([{**USER, "name": "x"}]) == "messages.0.name: Extra inputs are not permitted"
    extra = {"role": "user", "content": [{"type": "text", "text": "Hi", "id": "1"}]}
    assert refusal([extra]) == "messages.0.content.0.text.id: Extra inputs are not permitted"
    assert refusal(tools=[{**TOOL, "parameters": {}}]) == "tools.0.custom.parameters: Extra inputs are not permitted"
    assert refusal(system=[{"type": "text", "text": "Hi", "id": 1}]) == "system.0.id: Extra inputs are not permitted"


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], "at least one message"),
        ([SAID, USER], 'first message must use the "user" role'),
        ([{"role": "user", "content": ""}], "must have non-empty content"),
        ([USER, {"role": "assistant", "content": ""}, USER], "must have non-empty content"),
        ([{"role": "user", "content": [{"type": "text", "text": ""}]}], "text content blocks must be non-empty"),
        ([{"role": "user", "content": [{"type": "text", "text": " "}]}], "must contain non-whitespace text"),
        ([USER, {"role": "assistant", "content": "Well "}], "cannot end with trailing whitespace"),
        ([USER, CALLING], "were found without `tool_result` blocks immediately after: toolu_1"),
        ([USER, CALLING, USER, ANSWERING], "were found without `tool_result` blocks"),
        ([USER, CALLING, {"role": "user", "content": [{"type": "text", "text": "So"}, RESULT]}], "were found without"),
        ([USER, ANSWERING], "unexpected `tool_use_id` found in `tool_result` blocks: toolu_1"),
        ([USER, SAID, ANSWERING], "unexpected `tool_use_id`"),
        ([USER, CALLING, {"role": "user", "content": [RESULT, RESULT]}], "must have a single result"),
        ([USER, {"role": "assistant", "content": [USE, USE]}, ANSWERING], "ids must be unique"),
        ([{"role": "user", "content": [USE]}], "can only be in `assistant` messages"),
        ([USER, {"role": "assistant", "content": [RESULT]}], "can only be in `user` messages"),
        ([USER, {"role": "assistant", "content": [{**USE, "id": "call|1"}]}], "should match pattern"),
        ([USER, {"role": "assistant", "content": [{**USE, "input": "{}"}]}], "valid dictionary"),
        ([USER, {"role": "tool", "content": "x"}], 'Unexpected role "tool"'),
        ([{"role": "system", "content": "Be kind."}, USER], "role 'system' is not supported on this model"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "Input tag 'image_url'"),
        ([{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "http://a/b"}}]}], "HTTPS"),
        (
            [
                {
                    "role": "user",
                    "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/tiff"}}],
                }
            ],
            "media_type",
        ),
    ],
)
def test_conversations_that_break_a_rule_are_refused(messages, words):
    assert words in refusal(messages)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"temperature": 1.5}, "temperature: range: 0..1"),
        ({"temperature": "hot"}, "temperature: Input should be a valid number"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"stop_sequences": ["\n"]}, "must contain non-whitespace"),
        ({"stop_sequences": "end"}, "valid list"),
        ({"system": "x", "tool_choice": {"type": "auto"}}, "while providing tools"),
        ({"system": [{"type": "text", "text": ""}]}, "non-empty"),
        ({"tools": [TOOL], "tool_choice": {"type": "required"}}, "tool_choice: Input tag 'required'"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "other"}}, "Tool 'other' not found"),
        ({"tools": [TOOL, TOOL]}, "must be unique"),
        ({"tools": [{**TOOL, "name": "look it up"}]}, "should match pattern"),
        ({"tools": [{"name": "look"}]}, "input_schema: Field required"),
        ({"tools": [{"name": "look", "input_schema": {}}]}, "input_schema.type: Field required"),
        ({"thinking": {"type": "enabled", "budget_tokens": 100}, "max_tokens": 4000}, "greater than or equal to 1024"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "must be greater than `thinking.budget_tokens`"),
        ({"thinking": {"type": "on"}}, "thinking: Input tag 'on'"),
        ({"thinking": {"type": "enabled"}}, "budget_tokens: Field required"),
        ({"thinking": THINKING, "max_tokens": 4000, "temperature": 0.5}, "may only be set to 1 when thinking"),
        (
            {"thinking": THINKING, "max_tokens": 4000, "tools": [TOOL], "tool_choice": {"type": "any"}},
            "forces tool use",
        ),
        ({"stream": "yes"}, "stream: Input should be a valid boolean"),
        ({"system": 5}, "system: Input should be a valid list"),
        ({"system": [5]}, "system.0: Input should be a text block"),
        ({"tools": [{}]}, "tools.0.custom.name: Field required"),
        ({"tools": [{**TOOL, "description": 5}]}, "description"),
        ({"tools": [TOOL], "tool_choice": {"type": "none", "name": "look"}}, "tool_choice.none.name: Extra inputs"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"output_config": {"schema": {}}}, "output_config.schema: Extra inputs"),
        ({"output_config": {"format": {"type": "json"}}}, "output_config.format.type"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
    ],
)
def test_values_that_break_a_rule_are_refused(fields, words):
    assert words in refusal(**fields)


def test_newer_models_take_no_prefill_and_no_sampling_parameters():
    assert "does not support assistant message prefill" in refusal([USER, SAID], model="claude-sonnet-4-6")
    assert refusal(model="claude-opus-5-5", temperature=0.2) == "`temperature` is deprecated for this model."
    anthropic_rules.check(body_of(model="claude-opus-5-5", temperature=1), VERSION)
    anthropic_rules.check(body_of(temperature=0.2), VERSION)


def test_the_newer_api_version_knows_no_sampling_parameters():
    words = refusal(temperature=1, version=anthropic_rules.WITHOUT_SAMPLING)
    assert words == "temperature: Extra inputs are not permitted"


def test_newer_models_take_system_messages_right_after_the_user():
    told = {"role": "system", "content": "Be brief from now on."}
    anthropic_rules.check(body_of([USER, told], model="claude-opus-4-8"), VERSION)
    assert "must immediately follow a `user` message" in refusal([told, USER], model="claude-opus-4-8")


@pytest.mark.parametrize(
    ("model", "version"),
    [
        ("claude-opus-4-8", (4, 8)),
        ("claude-haiku-4-5-20251001", (4, 5)),
        ("claude-sonnet-4-20250514", (4, 0)),
        ("claude-3-5-sonnet-20241022", (3, 5)),
        ("claude-sonnet-5", (5, 0)),
        ("claude-mythos-preview", (99, 0)),
    ],
)
def test_a_model_name_tells_its_version(model, version):
    assert claude_models.version(model) == version


KEYS = (
    "type",
    "text",
    "name",
    "id",
    "input",
    "source",
    "content",
    "tool_use_id",
    "input_schema",
    "budget_tokens",
    "format",
)
LOOSE = ("tools", "tool_choice", "system", "thinking", "stop_sequences", "temperature", "output_config")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
blocks = st.one_of(
    json_values,
    st.fixed_dictionaries({"type": st.just("text"), "text": json_values}),
    st.fixed_dictionaries({"type": st.just("tool_use"), "id": st.just("a"), "name": json_values, "input": json_values}),
    st.fixed_dictionaries({"type": st.just("tool_result"), "tool_use_id": st.just("a"), "content": json_values}),
    st.fixed_dictionaries({"type": st.just("image"), "source": json_values}),
)
conversations = st.lists(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["user", "assistant", "system"]),
            "content": st.text(max_size=5) | st.lists(blocks, max_size=3),
        }
    ),
    max_size=5,
)
bodies = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["claude-haiku-4-5", "claude-opus-5-5"]),
        "max_tokens": st.integers(-1, 5),
        "messages": st.just([USER]) | st.just([USER, CALLING, ANSWERING]) | conversations | json_values,
    },
    optional={**dict.fromkeys(LOOSE, json_values), "tools": st.just([TOOL]) | json_values},
)


@settings(max_examples=300, deadline=None)
@given(bodies)
def test_any_json_is_refused_or_understood(body):
    try:
        anthropic_rules.check(body, VERSION)
    except Rejection:
        return
    assert isinstance(anthropic_reading.read(body, 100), Asked)
