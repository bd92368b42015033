from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.guardrails.checks.promissory import _compiled
from trunkline.guardrails.evaluation import read_cases
from trunkline.guardrails.folding import fold
from trunkline.guardrails.registry import make_check

CHECK = make_check("promissory", {})


def found(text, pieces=None):
    scanner, out = CHECK.scanner("sentence"), []
    for place, piece in enumerate(pieces or [text]):
        out += scanner.feed(piece, place == len(pieces or [text]) - 1)
    return [(one.rule, text[one.start : one.end]) for one in out]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Sure. I guarantee you a profit. Anything else?", "guaranteed"),
        ("it's a risk free way to save", "no_risk"),
        ("This fund will return eight percent.", "projection"),
        ("Thıs fund w\u200bill dou\u00adble.", "projection"),
    ],
)
def test_a_promise_is_found_in_its_sentence_however_it_is_cut(text, rule):
    assert [name for name, _ in found(text)] == [rule]
    assert found(text, list(text)) == found(text)


@pytest.mark.parametrize(
    "text",
    [
        "Past performance does not guarantee future results.",
        "I guarantee nothing about performance.",
        "I will give you the fund's 10 percent figure again.",
        "No risk assessment was made.",
        "It is ready in double-quick time.",
    ],
)
def test_a_promise_that_is_denied_is_none(text):
    assert found(text) == []


def test_a_second_promise_behind_a_denied_one_is_found():
    assert [rule for rule, _ in found("It is not risk-free; still, it is a sure thing.")] == ["no_risk"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("the fund always goes up trust me", "guaranteed"),
        ("without fail you will make money every month", "guaranteed"),
        ("there is no way you can lose here", "no_risk"),
        ("it's a no brainer it's a slam dunk", "no_risk"),
        ("the stock is bound to rise", "projection"),
        ("This will make you a millionaire.", "projection"),
    ],
)
def test_promises_in_other_words_are_found(text, rule):
    found = make_check("promissory", {}).scanner("sentence").feed(text, True)
    assert rule in {one.rule for one in found}


@pytest.mark.parametrize(
    "text",
    [
        "will it double in five years",
        "Is a money market fund a sure thing?",
        "The risk-free rate is the yield of Treasury bills.",
        "The advisory fee will go up two percent.",
        "It's perfectly safe to open that e-mail.",
        "Ads that say no risk are a red flag.",
    ],
)
def test_questions_and_everyday_words_are_no_promises(text):
    assert list(make_check("promissory", {}).scanner("sentence").feed(text, True)) == []


def test_what_is_looked_through_first_lets_every_promise_of_the_pack_through():
    wide, rules = _compiled()
    cases = read_cases((files("trunkline.guardrails.packs") / "promissory.jsonl").read_bytes())
    matched = [fold(case.text).text for case in cases]
    some = [text for text in matched if any(form.search(text) for _, _, forms in rules for form in forms)]
    assert len(some) > 100
    assert all(wide.search(text) for text in some)


PIECES = ["guaranteed", "return", "eight percent", "will", "no", "risk", "x " * 30, ". ", "\n", "it"]


@given(st.lists(st.sampled_from(PIECES), max_size=8))
def test_what_is_looked_through_first_is_wider_than_each_form(words):
    wide, rules = _compiled()
    text = " ".join(words)
    if any(form.search(text) for _, _, forms in rules for form in forms):
        assert wide.search(text)
