import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from provider_rules import AnthropicRules

from trunkline.dialects.anthropic_schemas import DEEPEST, MOST_DEFINITIONS, Inexpressible, close

STRING = {"type": "string"}


def an_object(**properties):
    return {"type": "object", "properties": properties}


def test_an_object_is_closed_all_the_way_down():
    found = close(an_object(a=an_object(b={"type": "array", "items": an_object(c=STRING)})))
    inner = {"type": "object", "properties": {"c": STRING}, "additionalProperties": False}
    listed = {"type": "array", "items": inner}
    assert found.schema["properties"]["a"]["properties"]["b"] == listed
    assert found.schema["additionalProperties"] is False
    assert (found.properties, found.optional, found.unions) == (3, 3, 0)


def test_the_order_of_properties_stays():
    assert list(close(an_object(z=STRING, a=STRING)).schema["properties"]) == ["z", "a"]


def test_a_closed_object_without_properties_has_none():
    assert close({"type": "object", "additionalProperties": False}).schema["properties"] == {}


def test_required_properties_are_not_optional():
    found = close({**an_object(a=STRING, b=STRING), "required": ["a"]})
    assert found.schema["required"] == ["a"]
    assert found.optional == 1


def test_what_can_be_enforced_is_kept():
    schema = an_object(
        when={"type": "string", "format": "date-time"},
        kind={"type": "string", "enum": ["a", "b"]},
        const={"const": 1},
        some={"type": "array", "items": STRING, "minItems": 1},
        maybe={"type": ["string", "null"]},
        either={"anyOf": [STRING, {"type": "null"}]},
        one={"oneOf": [STRING, {"type": "null"}]},
        all={"allOf": [STRING]},
        title={"type": "string", "title": "T", "description": "D"},
    )
    found = close(schema)
    assert found.described == []
    assert found.unions == 3
    assert found.schema["properties"]["one"] == {"anyOf": [STRING, {"type": "null"}]}
    for name in ("when", "kind", "const", "some", "maybe", "either", "all", "title"):
        assert found.schema["properties"][name] == schema["properties"][name]


def test_what_cannot_be_enforced_is_described():
    found = close(
        an_object(
            minutes={"type": "integer", "minimum": 5, "description": "How long."},
            link={"type": "string", "format": "uri-template"},
            many={"type": "array", "items": STRING, "minItems": 3},
        )
    )
    assert found.schema["properties"]["minutes"]["description"] == "How long.\n\n(minimum: 5)"
    assert found.schema["properties"]["link"] == {"type": "string", "description": '(format: "uri-template")'}
    assert found.schema["properties"]["many"]["description"] == "(minItems: 3)"
    assert found.described == ["$.minutes.minimum", "$.link.format", "$.many.minItems"]


def test_an_annotation_is_described_and_is_no_constraint():
    found = close(an_object(a={"type": "integer", "default": 5}))
    assert found.schema["properties"]["a"]["description"] == "(default: 5)"
    assert found.described == []


def test_what_means_nothing_is_left_out():
    assert "$schema" not in close({"$schema": "https://json-schema.org/draft/2020-12/schema", **an_object()}).schema


@pytest.mark.parametrize("group", ["$defs", "definitions"])
def test_definitions_are_closed_and_referred_to(group):
    schema = {group: {"a": an_object(b=STRING)}, **an_object(x={"$ref": f"#/{group}/a", "description": "An a."})}
    found = close(schema).schema
    assert found[group]["a"]["additionalProperties"] is False
    assert found["properties"]["x"] == {"$ref": f"#/{group}/a"}


def nested(levels):
    schema = STRING
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return an_object(a=schema)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"type": "object", "properties": []},
        {"type": "object", "properties": {}, "additionalProperties": True},
        {"type": "object", "properties": {}, "additionalProperties": {}},
        {"type": "object", "properties": {}, "patternProperties": {}},
        {"type": "object", "properties": {}, "required": ["a"]},
        {"type": "object", "properties": {}, "required": "a"},
        {"type": "object", "properties": {}, "required": [[]]},
        an_object(a={}),
        an_object(a=True),
        an_object(a={"type": "thing"}),
        an_object(a={"type": ["string", 1]}),
        an_object(a={"type": "array"}),
        an_object(a={"type": "array", "items": True}),
        an_object(a={"enum": []}),
        an_object(a={"enum": [{}]}),
        an_object(a={"const": []}),
        an_object(a={"anyOf": []}),
        an_object(a={"anyOf": [STRING], "oneOf": [STRING]}),
        an_object(a={"not": STRING}),
        an_object(a={"$ref": "https://example.com/schema"}),
        an_object(a={"$ref": 1}),
        an_object(a={"$defs": {}, "type": "string"}),
        {"$defs": {"a": STRING}, **an_object(x={"$ref": "#/$defs/a", "maxLength": 3})},
        {"$defs": [], **an_object()},
        {"$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}}, **an_object(x={"$ref": "#/$defs/a"})},
        {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"$ref": "#/$defs/a"}}, **an_object()},
        {"$defs": {str(n): STRING for n in range(MOST_DEFINITIONS + 1)}, **an_object()},
        nested(DEEPEST + 1),
    ],
)
def test_what_the_subset_cannot_express_is_refused(schema):
    with pytest.raises(Inexpressible):
        close(schema)


def test_as_deep_as_allowed_is_closed():
    assert close(nested(DEEPEST - 2)).properties == 1


plain = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3)
keywords = [
    "type",
    "properties",
    "items",
    "required",
    "anyOf",
    "enum",
    "$ref",
    "minimum",
    "format",
    "description",
    "title",
]
# Values of the wrong type at any keyword, and now and then of the right one.
schemas = st.recursive(
    plain | st.sampled_from(["object", "array", "string"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(keywords) | st.text(max_size=2), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*keywords, "$defs", "additionalProperties"]), schemas, max_size=5))
@settings(max_examples=400, deadline=None)
def test_any_schema_is_closed_or_refused(schema):
    try:
        found = close(schema)
    except Inexpressible as refusal:
        assert str(refusal)
    else:
        AnthropicRules().check_closed(found.schema)
