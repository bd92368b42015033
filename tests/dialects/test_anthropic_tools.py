import pytest
from chat_examples import calls, names_of, request, result, sent, target, tool, user

from trunkline.dialects.anthropic import ANTHROPIC
from trunkline.dialects.anthropic_tools import MOST_STRICT_TOOLS
from trunkline.dialects.provider import CannotTake

CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
FORCED = {"type": "function", "function": {"name": "look_up"}}


def encode(*messages, model="claude-haiku-4-5", **fields):
    return ANTHROPIC.encode(request(*messages, max_tokens=5, **fields), target(model), "drop")


def allowed(*names, mode="auto"):
    listed = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": listed}}


def test_a_tool_has_its_schema_and_one_without_parameters_an_empty_one():
    bare = tool("now")
    bare = type(bare)(type(bare.function)("now"))
    found = sent(encode(tools=[tool(parameters=CLOSED), bare]))["tools"]
    assert found == [
        {"name": "look_up", "description": "Looks things up.", "input_schema": CLOSED},
        {"name": "now", "input_schema": {"type": "object", "properties": {}}},
    ]


def test_a_schema_without_a_type_is_an_object_s():
    found = sent(encode(tools=[tool(parameters={"properties": {}})]))["tools"]
    assert found[0]["input_schema"] == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "anyOf": [{"required": ["a"]}]},
        {"type": "object", "properties": {"is it?": {"type": "string"}}},
    ],
)
def test_a_schema_that_anthropic_refuses_is_refused_before(parameters):
    with pytest.raises(CannotTake) as caught:
        encode(tools=[tool(parameters=parameters)])
    assert caught.value.param == "tools"


@pytest.mark.parametrize("name", ["get holdings", "", "x" * 129])
def test_a_name_that_anthropic_refuses_is_refused_before(name):
    with pytest.raises(CannotTake):
        encode(tools=[tool(name)])


def test_a_tool_given_twice_is_given_once():
    encoded = encode(tools=[tool(), tool()])
    assert len(sent(encoded)["tools"]) == 1
    assert encoded.repairs == ("tool_given_twice:look_up",)
    with pytest.raises(CannotTake, match="one name"):
        encode(tools=[tool(), tool(parameters=CLOSED)])


@pytest.mark.parametrize(
    ("choice", "parallel", "given"),
    [
        (None, None, None),
        ("auto", True, None),
        ("none", None, {"type": "none"}),
        ("none", False, {"type": "none"}),
        ("required", None, {"type": "any"}),
        (FORCED, None, {"type": "tool", "name": "look_up"}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        (FORCED, False, {"type": "tool", "name": "look_up", "disable_parallel_tool_use": True}),
    ],
)
def test_the_choice_of_tools_is_translated(choice, parallel, given):
    encoded = encode(tools=[tool()], tool_choice=choice, parallel_tool_calls=parallel)
    assert sent(encoded).get("tool_choice") == given
    assert encoded.repairs == encoded.dropped == ()


@pytest.mark.parametrize("choice", ["required", FORCED, allowed("look_up", mode="required")])
def test_a_model_that_cannot_be_made_to_call_cannot_take_it(choice):
    with pytest.raises(CannotTake) as caught:
        encode(tools=[tool()], tool_choice=choice, model="claude-opus-5-5")
    assert caught.value.param == "tool_choice"


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_allowed_tools_are_the_only_ones_given(mode):
    encoded = encode(tools=[tool(), tool("other")], tool_choice=allowed("other", mode=mode))
    assert [one["name"] for one in sent(encoded)["tools"]] == ["other"]
    assert ("tool_choice" in sent(encoded)) == (mode == "required")
    assert encoded.repairs == ("tools_cut_to_allowed",)


@pytest.mark.parametrize(
    "choice",
    [
        "sometimes",
        {"type": "custom", "custom": {"name": "x"}},
        {"type": "function", "function": {"name": "unheard_of"}},
        {"type": "function"},
        {"type": "allowed_tools"},
        allowed("unheard_of"),
        allowed("look_up", mode="never"),
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "mcp"}, FORCED]}},
    ],
)
def test_a_choice_that_anthropic_has_no_form_for_is_refused(choice):
    with pytest.raises(CannotTake) as caught:
        encode(tools=[tool()], tool_choice=choice)
    assert caught.value.param == "tool_choice"


def test_without_tools_a_choice_means_nothing_unless_it_demands_one():
    encoded = encode(tool_choice="none", parallel_tool_calls=True)
    assert encoded.dropped == ("tool_choice", "parallel_tool_calls")
    with pytest.raises(CannotTake):
        encode(tool_choice="required")


def test_calls_in_the_history_bring_their_tools_which_may_not_be_called_again():
    encoded = encode(user(), calls("a"), result("a"))
    assert sent(encoded)["tools"] == [{"name": "look_up", "input_schema": {"type": "object"}}]
    assert sent(encoded)["tool_choice"] == {"type": "none"}
    assert encoded.repairs == ("tools_named_from_history",)


def test_a_strict_tool_is_strict():
    encoded = encode(tools=[tool(parameters=CLOSED, strict=True), tool("free", CLOSED, strict=False)])
    assert [one.get("strict") for one in sent(encoded)["tools"]] == [True, None]
    assert encoded.repairs == ()


def test_a_strict_tool_without_parameters_is_strict():
    assert sent(encode(tools=[tool(strict=True)]))["tools"][0]["strict"] is True


def test_a_strict_tool_that_cannot_be_expressed_stays_as_it_is_and_is_named():
    open_schema = {"type": "object", "properties": {"a": {}}}
    encoded = encode(tools=[tool(parameters=open_schema, strict=True), tool("b", CLOSED, strict=True)])
    assert sent(encoded)["tools"][0] == {
        "name": "look_up",
        "description": "Looks things up.",
        "input_schema": open_schema,
    }
    assert sent(encoded)["tools"][1]["strict"] is True
    assert encoded.repairs == ("strict_not_enforced:look_up",)


def test_a_strict_tool_s_constraints_are_described():
    schema = {**CLOSED, "properties": {"a": {"type": "string", "maxLength": 5}}}
    assert encode(tools=[tool(parameters=schema, strict=True)]).repairs == ("constraints_described:look_up",)


def strict_tools(count, properties):
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return [tool(f"t{number}", schema, strict=True) for number in range(count)]


@pytest.mark.parametrize(
    ("tools", "model"),
    [
        (strict_tools(1, {"a": {"type": "string"}}), "claude-opus-4-1"),
        (strict_tools(MOST_STRICT_TOOLS + 1, {"a": {"type": "string"}}), "claude-haiku-4-5"),
        (strict_tools(2, {f"p{n}": {"type": "string"} for n in range(40)}), "claude-haiku-4-5"),
        (strict_tools(1, {f"p{n}": {"type": ["string", "null"]} for n in range(20)}), "claude-haiku-4-5"),
        (
            [
                tool(
                    "t", {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(30)}}, strict=True
                )
            ],
            "claude-haiku-4-5",
        ),
    ],
)
def test_more_than_the_grammar_may_hold_is_not_strict(tools, model):
    encoded = encode(tools=tools, model=model)
    assert not any("strict" in one for one in sent(encoded)["tools"])
    assert names_of(encoded.repairs) == ["strict_not_enforced"] * len(tools)
