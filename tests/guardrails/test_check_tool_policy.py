import pytest

from trunkline.guardrails.check import BadSettings
from trunkline.guardrails.registry import make_check


def found(settings, name, arguments):
    return [one.rule for one in make_check("tool_policy", settings).examine(name, arguments)]


def test_only_allowed_tools_may_be_called():
    assert found({"allow": ["find"]}, "find", {}) == []
    assert found({"allow": ["find"]}, "sell", {}) == ["forbidden_tool"]
    assert found({"deny": ["sell"]}, "find", {}) == []
    assert found({"deny": ["sell"], "allow": ["sell"]}, "sell", {}) == ["forbidden_tool"]


RULES = {
    "arguments": [
        {"tool": "sell", "argument": "amount", "least": 1, "most": 1000, "required": True},
        {"tool": "*", "argument": "currency", "one_of": ["USD", 1, None]},
        {"tool": "sell", "argument": "account", "matches": "[A-Z]{2}\\d{4}"},
    ]
}


@pytest.mark.parametrize(
    ("name", "arguments", "faults"),
    [
        ("sell", {"amount": 5}, 0),
        ("sell", {"amount": 5.5, "currency": "USD", "account": "ab1234"}, 0),
        ("sell", {}, 1),
        ("sell", {"amount": 1001}, 1),
        ("sell", {"amount": 0}, 1),
        ("sell", {"amount": True}, 1),
        ("sell", {"amount": "5"}, 1),
        ("sell", {"amount": 5, "currency": "EUR"}, 1),
        ("sell", {"amount": 5, "currency": True}, 1),
        ("sell", {"amount": 5, "currency": None}, 0),
        ("sell", {"amount": 5, "account": "AB12345"}, 1),
        ("sell", {"amount": 5, "account": 5}, 1),
        ("sell", {"amount": 5000, "account": "x", "currency": "y"}, 3),
        ("find", {"currency": "EUR"}, 1),
        ("find", {}, 0),
    ],
)
def test_arguments_are_as_their_rules_say(name, arguments, faults):
    assert found(RULES, name, arguments) == ["forbidden_argument"] * faults


@pytest.mark.parametrize("arguments", ["{broken", [1], 5, None])
def test_arguments_that_cannot_be_judged_are_not_passed(arguments):
    assert found(RULES, "sell", arguments) == ["unreadable_arguments"]
    assert found({"allow": ["sell"]}, "sell", arguments) == []


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({}, "allow"),
        ({"allow": []}, "allow"),
        ({"arguments": [{"tool": "a", "argument": "b"}]}, "arguments"),
        ({"arguments": [{"tool": "a", "argument": "b", "matches": "("}]}, "arguments"),
        ({"arguments": [{"tool": "a", "argument": "b", "one_of": []}]}, "arguments"),
        ({"allowed": ["a"]}, "allowed"),
    ],
)
def test_settings_that_say_nothing_are_refused(settings, key):
    with pytest.raises(BadSettings) as refused:
        make_check("tool_policy", settings)
    assert refused.value.key == key
