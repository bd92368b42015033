"""Answers of a form: what fits leaves whole, what does not never does, however it is cut; schemas that say too much."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.guardrails.check import BadSettings
from trunkline.guardrails.json_schemas import DEEPEST, BadSchema, JsonSchema
from trunkline.guardrails.policies import ANSWER, Policy
from trunkline.guardrails.registry import make_check
from trunkline.guardrails.watched import Watched

ORDER = {
    "type": "object",
    "properties": {
        "shares": {"type": "integer", "minimum": 0},
        "fund": {"type": "string", "pattern": "^[A-Z]{1,5}$", "maxLength": 5},
        "lots": {"type": "array", "items": {"$ref": "#/$defs/lot"}, "uniqueItems": True},
    },
    "required": ["shares"],
    "additionalProperties": False,
    "$defs": {"lot": {"type": "object", "required": ["bought"], "properties": {"bought": {"type": "string"}}}},
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("AB$", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["shares", "fund", "x"]), inner),
    max_leaves=6,
)


def fits(value) -> bool:
    """What ORDER says, without lots, in other words."""
    if not isinstance(value, dict) or not set(value) <= {"shares", "fund"} or "shares" not in value:
        return False
    shares, fund = value["shares"], value.get("fund", "A")
    good_fund = isinstance(fund, str) and 1 <= len(fund) <= 5 and set(fund) <= {"A", "B"}
    return isinstance(shares, int) and not isinstance(shares, bool) and shares >= 0 and good_fund


def told(check, pieces):
    """Return what left of a text, and the findings."""
    watched, out = Watched([Policy("p", "1", check)], "sentence", ANSWER, "here"), ""
    for place, piece in enumerate(pieces):
        watched.feed(piece, place == len(pieces) - 1)
        out += watched.give_out()
    return out, [fired.found for fired in watched.fired]


@given(VALUES, st.lists(st.integers(0, 60), max_size=4))
def test_what_fits_leaves_whole_and_what_does_not_never_does(value, places):
    text, check = json.dumps(value), make_check("json_schema", {"schema": ORDER})
    cuts = sorted({0, *(place for place in places if place < len(text)), len(text)})
    pieces = [text[start:end] for start, end in pairwise(cuts)]
    out, found = told(check, pieces)
    assert out == (text if fits(value) else "")
    assert [one.rule for one in found] == ([] if fits(value) else ["wrong_form"])


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"shares": -1}, "the value.shares: minimum"),
        ({"shares": 1, "lots": [{"bought": "x"}, {"id 078-05-1120": 1}]}, "the value.lots[1]: required"),
        ({"shares": 1, "078-05-1120": 1}, "the value: additionalProperties"),
        ({"shares": 1, "lots": [{"bought": "x"}, {"bought": "x"}]}, "the value.lots: uniqueItems"),
    ],
)
def test_the_finding_says_where_and_by_which_keyword_and_nothing_of_the_contents(value, why):
    assert JsonSchema(ORDER).fault(value) == why


def test_no_expression_of_a_schema_backtracks():
    schema = JsonSchema({"type": "string", "pattern": "^(a+)+$"})
    assert schema.fault("a" * 50_000) is None
    assert schema.fault("a" * 50_000 + "!") is not None


@pytest.mark.parametrize(
    ("text", "fenced", "rules"),
    [
        ('{"shares": 1}', False, []),
        ('Sure: {"shares": 1}', False, ["not_json"]),
        ('```json\n{"shares": 1}\n```', False, ["not_json"]),
        ('```json\n{"shares": 1}\n```', True, []),
        ('```\n{"shares": -1}\n``` ', True, ["wrong_form"]),
        ('```python\n{"shares": 1}\n```', True, ["not_json"]),
        ("```", True, ["not_json"]),
        ("[" * 100_000, False, ["not_json"]),
    ],
)
def test_json_and_nothing_else(text, fenced, rules):
    out, found = told(make_check("json_schema", {"schema": ORDER, "fenced": fenced}), [text])
    assert [one.rule for one in found] == rules
    assert out == ("" if rules else text)


def test_what_is_too_long_to_be_looked_at_in_one_go_is_a_failed_check():
    out, found = told(make_check("json_schema", {"schema": {}}), ['"' + "x" * 131_072 + '"'])
    assert (out, [one.rule for one in found]) == ("", ["check_failed"])


def deep(levels):
    return {} if levels == 0 else {"not": deep(levels - 1)}


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"patternProperties": {"a": {}}}, "no such keyword"),
        ({"properties": {"a": {"unevaluatedProperties": False}}}, "schema.properties.a.unevaluatedProperties"),
        ({"$ref": "https://example.com/schema"}, "nothing is fetched"),
        ({"pattern": "(?=a)"}, "no expression of RE2"),
        ({"format": "email"}, "write a `pattern`"),
        ({"format": ["date"]}, "write a `pattern`"),
        ({"items": 5}, "neither an object nor a boolean"),
        ({"type": "integr"}, "no JSON schema"),
        ({"allOf": {}}, "is no list"),
        (deep(DEEPEST + 1), "too deep"),
    ],
)
def test_a_schema_that_cannot_be_relied_upon_is_refused_at_the_start(schema, reason):
    with pytest.raises(BadSettings, match=r".") as refused:
        make_check("json_schema", {"schema": schema})
    assert refused.value.key == "schema"
    assert reason in refused.value.reason


@given(VALUES)
def test_any_value_is_a_schema_or_refused(value):
    try:
        JsonSchema(value).fault(value)
    except BadSchema:
        return


def test_a_tool_s_arguments_have_to_fit_its_schema():
    check = make_check("tool_policy", {"schemas": {"trade": ORDER}})
    assert list(check.examine("trade", {"shares": 1})) == []
    assert [one.rule for one in check.examine("trade", {"shares": -1})] == ["wrong_form"]
    assert [one.rule for one in check.examine("trade", "no JSON")] == ["wrong_form"]
    assert list(check.examine("other", {"shares": -1})) == []
    with pytest.raises(BadSettings, match="that of `trade`"):
        make_check("tool_policy", {"schemas": {"trade": {"$ref": "x"}}})
