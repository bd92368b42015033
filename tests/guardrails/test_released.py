"""What has left is kept for who looks at it afterwards: the same however it was cut, and not without an end."""

from hypothesis import given
from hypothesis import strategies as st
from toy_checks import AskingWords, Words

from trunkline.guardrails.check import Found
from trunkline.guardrails.hold_back import MOST_CHOICES
from trunkline.guardrails.policies import Policies, Policy
from trunkline.guardrails.released import Released, verdict_of
from trunkline.guardrails.scanners import LONGEST_WHOLE
from trunkline.guardrails.watched import Fired
from trunkline.model.delta import Delta, ToolDelta

BAD = "bad"


def looking(hold="whole", stages=("output",), name="a"):
    check = AskingWords(BAD, hold)
    return Policy(
        name, "1", check, stages=stages, action="flag", on_error="allow", on_unscannable="allow", when="after"
    )


def kept(deltas, *policies):
    released = Released(Policies(policies).after)
    released.take(deltas)
    return released


def found_in(released):
    """Return what is found where every question is answered, and what was asked."""
    held = released.looked_through()
    asked = [(ask.where, ask.text) for ask in held.asks]
    for ask in held.asks:
        ask.answered(ask.policy.asking.read(200, b"", ask.text))
    held.give()
    return [(one.where, one.found.start, one.found.end, one.action) for one in held.fired], asked


def tool(choice, index, arguments, name=None):
    return Delta(choice=choice, tool=ToolDelta(index, "id" if name else None, name, arguments))


def pieces(text, cuts):
    ends = sorted({min(cut, len(text)) for cut in cuts} | {len(text)})
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False) if start < end]


def test_policies_that_look_afterwards_hold_nothing_back_and_stand_with_the_others():
    policies = Policies([looking(), Policy("b", "1", Words("x"), stages=["output"])])
    assert policies.names == ("a@1", "b@1")
    assert [policy.name for policy in policies.answer] == ["b"]
    assert [policy.name for policy in policies.after.answer] == ["a"]
    alone = Policies([looking()])
    assert not alone.output
    assert not alone.input
    assert Policies([Policy("b", "1", Words("x"))]).after is None


@given(st.text("abd .", max_size=60), st.lists(st.integers(0, 60), max_size=6), st.sampled_from(["whole", "sentence"]))
def test_what_is_found_does_not_depend_on_how_it_left(text, cuts, hold):
    whole = found_in(kept([Delta(text=text)], looking(hold)))
    cut = found_in(kept([Delta(text=piece) for piece in pieces(text, cuts)], looking(hold)))
    assert cut == whole
    if hold == "whole":
        assert [asked for _, asked in whole[1]] == ([text] if text else [])
    assert "".join(asked for _, asked in whole[1]) == text


def test_every_kind_of_text_of_every_choice_is_looked_at_where_it_stands():
    deltas = [
        Delta(text="a b"),
        Delta(choice=1, text="fine"),
        tool(0, 0, '{"x": "so ', name="note"),
        tool(0, 1, '{"y": "fine"}', name="note"),
        Delta(text="ad"),
        tool(0, 0, '\\u0062ad"}'),
        Delta(choice=1, refusal="bad"),
        Delta(reasoning="ba"),
        Delta(reasoning="d"),
        Delta(finish="stop"),
        Delta(choice=1, finish="stop"),
    ]
    found, asked = found_in(kept(deltas, looking()))
    assert len(asked) == 6
    assert {where for where, *_ in found} == {
        "choices[0].message.content",
        "choices[0].message.tool_calls[0]",
        "choices[0].message.reasoning_content",
        "choices[1].message.refusal",
    }
    assert {action for *_, action in found} == {"flag"}


def test_only_policies_that_cover_what_has_left_are_due():
    answer, arguments = looking(stages=["answer"]), looking(stages=["tool_arguments"], name="b")
    assert kept([Delta(finish="stop"), Delta(model="m")], answer, arguments).due() == ()
    assert kept([Delta(refusal="no")], answer, arguments).due() == ()
    assert kept([Delta(text="a")], answer, arguments).due() == (answer,)
    assert kept([Delta(text="a"), tool(0, 0, "{}", name="t")], answer, arguments).due() == (answer, arguments)
    assert kept([Delta(reasoning="a")], answer, looking(name="c")).due()[0].name == "c"


def test_what_no_check_reads_is_said():
    policy = looking()
    released = kept([Delta(audio={"data": "AAAA"})], policy)
    assert released.due() == (policy,)
    held = released.looked_through()
    held.give()
    assert [(one.found.rule, one.action) for one in held.fired] == [("unscannable", "bypass")]
    assert verdict_of(policy, held.fired) == "not_made"


def test_of_what_is_too_long_nothing_is_kept_and_that_is_said():
    policy, half = looking(), "x" * (LONGEST_WHOLE // 2)
    released = kept([Delta(text=half), tool(0, 0, half, name="t")], policy)
    assert released.left_out == "too_long"
    released.take([Delta(text="more")])
    assert released.due() == (policy,)
    assert found_in(released) == ([], [])
    (fired,) = released.not_made(released.left_out)
    assert (fired.found.rule, fired.found.why, fired.action) == ("check_failed", "too_long", "bypass")
    assert verdict_of(policy, [fired]) == "not_made"
    assert kept([Delta(text=half), Delta(choice=1, text=half)], policy).left_out == ""


def test_there_is_an_end_to_choices():
    deltas = [Delta(choice=choice, text="a") for choice in range(MOST_CHOICES + 1)]
    assert kept(deltas[:-1], looking()).left_out == ""
    assert kept(deltas, looking()).left_out == "too_many_choices"


def test_a_verdict_is_what_was_found_else_what_is_missing():
    one, other = looking(), looking(name="b")

    def fired(policy, action):
        return Fired(policy, Found("r", 0, 1), "output", "choices", action)

    assert verdict_of(one, []) == verdict_of(one, [fired(other, "flag")]) == "clear"
    assert verdict_of(one, [fired(one, "bypass")]) == "not_made"
    assert verdict_of(one, [fired(one, "bypass"), fired(one, "flag")]) == "found"
