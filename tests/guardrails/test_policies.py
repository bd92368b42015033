from toy_checks import AskingWords, Tools, Words

from trunkline.guardrails.check import Found
from trunkline.guardrails.policies import Policies, Policy
from trunkline.guardrails.scanners import scanner_of


def test_policies_add_up_and_the_first_of_a_name_stands():
    one, again, two = Policy("a", "1", Words("x")), Policy("a", "2", Words("y")), Policy("b", "1", Words("z"))
    assert Policies([one, two, again]).every == (one, two)


def test_what_stands_for_policies_changes_with_names_versions_and_order_only():
    def digest(*pairs):
        return Policies([Policy(name, version, Words("x")) for name, version in pairs]).digest

    assert digest(("a", "1")) == digest(("a", "1"))
    assert len({digest(("a", "1")), digest(("a", "2")), digest(("b", "1")), digest(("a", "1"), ("b", "1"))}) == 4


def test_each_stage_covers_its_kinds_of_text():
    covered = {
        "input": {"said", "prompt", "tool_result", "called"},
        "output": {"answer", "reasoning", "arguments"},
        "transcript": {"said", "answer"},
        "tool_arguments": {"arguments"},
        "tool_results": {"tool_result"},
    }
    for stage, kinds in covered.items():
        policies = Policies([Policy("a", "1", Words("x"), stages=[stage])])
        every = ("said", "prompt", "tool_result", "called", "answer", "reasoning", "arguments")
        assert {kind for kind in every if getattr(policies, kind)} == kinds
        assert policies.input == bool(kinds & {"said", "prompt", "tool_result", "called"})
        assert policies.output == bool(kinds & {"answer", "reasoning", "arguments"})


def test_a_policy_knows_what_kind_its_check_is():
    text, tools, asking = (Policy("a", "1", check) for check in (Words("x"), Tools("x"), AskingWords("x")))
    assert (text.text is not None, text.tools, text.asking) == (True, None, None)
    assert (tools.text, tools.tools is not None, tools.asking) == (None, True, None)
    assert (asking.text, asking.tools, asking.asking is not None) == (None, None, True)


def test_a_unit_is_shown_with_the_two_before_it():
    for hold, expected in (
        ("sentence", [("Aa, bb. ", ""), ("Cc. ", "Aa, bb. "), ("Dd. ", "Aa, bb. Cc. "), ("Ee", "Cc. Dd. ")]),
        ("clause", [("Aa, ", ""), ("bb. ", "Aa, "), ("Cc. ", "Aa, bb. "), ("Dd. ", "bb. Cc. "), ("Ee", "Cc. Dd. ")]),
        ("whole", [("Aa, bb. Cc. Dd. Ee", "")]),
    ):
        shown = []
        scanner = scanner_of(hold, lambda unit, before, shown=shown: shown.append((unit, before)) or [])
        scanner.feed("Aa, bb. Cc.", False)
        scanner.feed(" Dd. Ee", True)
        assert shown == expected


def test_what_was_found_is_compared_and_shown_by_what_it_says():
    found = Found("r", 1, 2, 0.5, "why")
    assert found == Found("r", 1, 2, 0.5, "why")
    assert len({found, Found("r", 1, 2, 0.5, "why"), Found("r", 1, 3)}) == 2
    assert repr(found) == "Found(1, 2, 'r', 0.5, 'why')"
