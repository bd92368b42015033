import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_checks import Words

from trunkline.guardrails.evaluation import Case, Thresholds, evaluate, lower_bound, read_cases


def score(*pairs):
    return evaluate(Words("bad"), [Case(label, text) for label, text in pairs])


def test_recall_precision_and_false_positives_are_counted_by_case():
    clean = [("none", "bad bad"), ("none", "x"), ("none", "y")]
    found = score(("bad", "a bad one"), ("bad", "fine"), ("other", "bad"), *clean)
    bad, other = found.rules
    assert (bad.cases, bad.found, bad.wrong) == (2, 1, 2)
    assert (bad.recall, bad.precision) == (0.5, 1 / 3)
    assert (other.recall, other.precision) == (0.0, 0.0)
    assert (found.clean, found.clean_found) == (3, 1)
    assert found.false_positives == pytest.approx(1 / 3)
    assert [case.text for case in found.misses] == ["fine", "bad"]
    assert [case.text for case in found.mistakes] == ["bad bad"]


def test_what_is_below_the_thresholds_is_said():
    found = score(("bad", "fine"), ("none", "bad"))
    assert found.failures(Thresholds(0.9, 0.1)) == [
        "recall of bad is 0.000, below 0.9", "false positives are 1.000, above 0.1",
    ]  # fmt: skip
    assert score(("bad", "bad"), ("none", "x")).failures(Thresholds()) == []


def test_a_rule_may_be_asked_for_less_than_the_others():
    found = score(("bad", "fine"), ("other", "fine"), ("none", "x"))
    asked = Thresholds(0.9, recall_of={"bad": 0.0, "other": 0.5})
    assert found.failures(asked) == ["recall of other is 0.000, below 0.5"]


def test_where_any_rule_counts_a_case_is_found_under_whichever_name():
    cases = [Case("other", "bad"), Case("other", "fine")]
    found = evaluate(Words("bad"), cases, any_rule=True)
    assert [(one.rule, one.found) for one in found.rules] == [("other", 1)]
    assert [case.text for case in found.misses] == ["fine"]


def test_kinds_of_what_has_nothing_are_counted_apart():
    cases = [Case("none", "bad", "facts"), Case("none", "x", "facts"), Case("none", "y", "orders"), Case("none", "bad")]
    found = evaluate(Words("bad"), cases)
    assert [(one.kind, one.cases, one.found) for one in found.kinds] == [("facts", 2, 1), ("orders", 1, 0)]
    assert (found.clean, found.clean_found) == (4, 2)


def test_no_cases_have_no_score():
    found = score()
    assert (found.rules, found.false_positives) == ((), 0.0)


@given(st.integers(0, 200), st.integers(0, 200))
def test_a_lower_bound_lies_below_the_part_and_rises_with_the_number_of_cases(hits, more):
    of = hits + more
    bound = lower_bound(hits, of)
    assert 0.0 <= bound <= (hits / of if of else 0.0)
    assert lower_bound(10 * hits, 10 * of) >= bound


def test_a_lower_bound_is_that_of_wilson():
    assert lower_bound(10, 10) == pytest.approx(0.7225, abs=1e-4)
    assert lower_bound(60, 60) == pytest.approx(0.9398, abs=1e-4)


def test_cases_are_lines_of_json():
    lines = b'{"label": "a", "text": "b"}\n\n{"label": "none", "text": ""}\n'
    assert read_cases(lines) == [Case("a", "b"), Case("none", "")]
    for wrong in (b"{", b'{"label": "a"}', b'{"label": "a", "text": "b", "more": 1}'):
        with pytest.raises(msgspec.MsgspecError):
            read_cases(wrong)
