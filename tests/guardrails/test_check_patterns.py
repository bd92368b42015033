import pytest

from trunkline.guardrails.check import BadSettings
from trunkline.guardrails.policies import ANSWER, Policy
from trunkline.guardrails.registry import make_check
from trunkline.guardrails.watched import Watched


def found(rules, text):
    policy = Policy("p", "1", make_check("patterns", {"rules": rules}), action="flag")
    watched = Watched([policy], "sentence", ANSWER, "here")
    watched.feed(text, True)
    watched.give_out()
    return [(one.found.rule, text[one.found.start : one.found.end]) for one in watched.fired]


def test_expressions_and_words_are_found_whatever_their_case():
    rules = [
        {"name": "project", "expression": r"project\s+(\w+)"},
        {"name": "rival", "words": ["Acme", "Acme Holdings", "Initech"]},
    ]
    assert found(rules, "Project Falcon beats ACME holdings and Acme, not Acmetown.") == [
        ("project", "Falcon"), ("rival", "ACME holdings"), ("rival", "Acme"),
    ]  # fmt: skip


def test_one_word_may_be_all_there_is():
    assert found([{"name": "a", "words": ["now"]}], "Buy now") == [("a", "now")]


@pytest.mark.parametrize(
    ("settings", "key", "reason"),
    [
        ({}, "", "required field `rules`"),
        ({"rules": []}, "rules", "length >= 1"),
        ({"rules": [{"name": "a", "words": ["x"]}], "rule": 1}, "rule", "no such setting"),
        ({"rules": [{"name": "a", "word": ["x"]}]}, "rules", "unknown field `word`"),
        ({"rules": [{"name": "A b", "words": ["x"]}]}, "rules", "regex"),
        ({"rules": [{"name": "a"}]}, "rules", "rule 1, `a`: it must have"),
        ({"rules": [{"name": "a", "words": ["x"], "expression": "x"}]}, "rules", "not both"),
        ({"rules": [{"name": "a", "words": ["x"]}, {"name": "b", "expression": "("}]}, "rules", "rule 2, `b`"),
        ({"rules": [{"name": "a", "words": [" "]}]}, "rules", "it is empty"),
        (
            {"rules": [{"name": "a", "expression": f"(?:{n}b|cd|ef|gh|ij|kl|mn|op|qr){{1000}}"} for n in range(200)]},
            "rules",
            "together",
        ),
    ],
)
def test_settings_that_make_no_rules_are_refused_with_the_place(settings, key, reason):
    with pytest.raises(BadSettings) as refused:
        make_check("patterns", settings)
    assert refused.value.key == key
    assert reason in refused.value.reason


def test_its_version_is_of_its_rules():
    def version(*rules):
        return make_check("patterns", {"rules": list(rules)}).version

    one, other = {"name": "a", "words": ["x"]}, {"name": "a", "words": ["y"]}
    assert version(one) == version(one)
    assert len({version(one), version(other), version(one, other), version({**one, "cap": 9})}) == 4
