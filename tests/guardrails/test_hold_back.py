import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_checks import AskingWords, ThrowsLater, Tools, UnitWords, Words, expected

from trunkline.guardrails.hold_back import MOST_CHOICES, SLICE, HoldBack, TooManyChoices, spans_of
from trunkline.guardrails.policies import Policies, Policy
from trunkline.guardrails.scanners import LONGEST_WHOLE
from trunkline.model.delta import Delta, ToolDelta
from trunkline.model.usage import Usage

SENTENCE = "I cannot say that."
ACTIONS = ("block", "replace", "redact", "flag")


def run(policies, batches, choices=1, hold="sentence"):
    """Return the hold-back and what it let out after each batch of deltas, the end included."""
    back = HoldBack(Policies(policies, hold), choices)
    out = []
    for batch in batches:
        for _ in back.take(batch):
            pass
        answer_all(back)
        out.append(back.give())
    for _ in back.end():
        pass
    answer_all(back)
    out.append(back.give())
    return back, out


def answer_all(back):
    while back.asks:
        ask = back.asks.pop()
        ask.answered(ask.policy.asking.read(200, b"", ask.text))


def said(out, choice=0, field="text"):
    return "".join(getattr(delta, field) for batch in out for delta in batch if delta.choice == choice)


def finish(out, choice=0):
    return [delta.finish for batch in out for delta in batch if delta.choice == choice and delta.finish]


def tools(out, choice=0):
    return [delta.tool for batch in out for delta in batch if delta.choice == choice and delta.tool is not None]


def policy(check, action="block", **more):
    return Policy("p", "1", check, action=action, sentence=SENTENCE if action == "replace" else "", **more)


# Any cut, any choice, any policies

words = st.sampled_from(["ab", "b.", "cab", "c c"])
texts = st.text(st.sampled_from("abc .,"), max_size=30)
checks = st.builds(lambda kind, word: kind(word), st.sampled_from([Words, UnitWords, AskingWords]), words)


@st.composite
def policy_sets(draw):
    chosen = draw(st.lists(st.tuples(checks, st.sampled_from(ACTIONS)), min_size=1, max_size=3))
    return [
        (Policy(f"p{n}", "1", check, action=action, sentence=""), check) for n, (check, action) in enumerate(chosen)
    ]


@settings(max_examples=300)
@given(policy_sets(), st.lists(texts, min_size=1, max_size=3), st.data())
def test_every_choice_of_any_cut_comes_out_as_the_whole_of_it_would(pairs, answers, data):
    rest, batches = list(answers), []
    while any(rest):
        choice = data.draw(st.sampled_from([n for n, text in enumerate(rest) if text]))
        size = data.draw(st.integers(1, len(rest[choice])))
        batches.append([Delta(choice=choice, text=rest[choice][:size])])
        rest[choice] = rest[choice][size:]
    batches.append([Delta(choice=choice, finish="stop") for choice in range(len(answers))])
    back, out = run([policy for policy, _ in pairs], batches, len(answers))
    for choice, text in enumerate(answers):
        clear, _, stop = expected(pairs, text, "sentence")
        assert said(out, choice).removesuffix(" ") == clear.removesuffix(
            " "
        )  # a sentence, though empty here, stands apart
        filtered = stop is not None and stop.action == "block"
        assert finish(out, choice) == (["content_filter"] if filtered else ["stop"])
    assert not back.holding


@settings(max_examples=200)
@given(
    st.dictionaries(st.sampled_from(["to", "ab", "note"]), texts, max_size=3), st.lists(st.integers(0, 80), max_size=6)
)
def test_arguments_of_any_cut_come_out_whole_or_not_at_all(arguments, places):
    written = json.dumps(arguments)
    ends = sorted({min(place, len(written)) for place in places})
    pieces = [written[a:b] for a, b in zip([0, *ends], [*ends, len(written)], strict=True)]
    batches = [[Delta(tool=ToolDelta(0, "id", "send", pieces[0]))]]
    batches += [[Delta(tool=ToolDelta(0, arguments=piece))] for piece in pieces[1:]]
    batches.append([Delta(finish="tool_calls")])
    for action in ACTIONS:
        _, out = run([policy(Words("cab"), action)], batches)
        hit = any("cab" in text for text in [*arguments, *arguments.values()])
        assert all(not batch for batch in out[: len(batches) - 1])
        if not hit or action == "flag":
            assert tools(out) == [ToolDelta(0, "id", "send", written)]
        elif action == "redact":
            (call,) = tools(out)
            assert "cab" not in json.dumps(json.loads(call.arguments))
        else:
            assert tools(out) == []
            assert finish(out) == ["content_filter" if action == "block" else "stop"]


# What a policy's action does


def test_without_a_finding_all_comes_out_as_it_came():
    batches = [[Delta(text="One. ")], [Delta(text="Two.")], [Delta(finish="length", stop_reason="max_tokens")]]
    _, out = run([policy(UnitWords("bad"))], batches)
    assert out == [
        [Delta(text="One. ")],
        [],
        [Delta(text="Two."), Delta(finish="length", stop_reason="max_tokens")],
        [],
    ]


def test_block_ends_the_answer_where_the_finding_begins():
    back, out = run([policy(Words("bad"))], [[Delta(text="This is bad")], [Delta(text=" and worse", finish="stop")]])
    assert (said(out), finish(out), back.stopped) == ("This is ", ["content_filter"], True)
    assert (back.stop.policy.name, back.stop.where) == ("p", "choices[0].message.content")


def test_replace_says_its_sentence_apart_from_what_was_said():
    for before, after in (("This bad", f"This {SENTENCE}"), ("This,bad", f"This, {SENTENCE}"), ("bad", SENTENCE)):
        _, out = run([policy(Words("bad"), "replace")], [[Delta(text=before)]])
        assert (said(out), finish(out)) == (after, ["stop"])


def test_a_replaced_answer_ends_as_its_policy_says():
    _, out = run([policy(Words("bad"), "replace", finish_reason="content_filter")], [[Delta(text="bad")]])
    assert finish(out) == ["content_filter"]


def test_the_other_choices_go_on():
    batches = [
        [Delta(text="bad"), Delta(choice=1, text="good ")],
        [Delta(text="more"), Delta(choice=1, text="too")],
        [Delta(finish="stop"), Delta(choice=1, finish="stop")],
    ]
    back, out = run([policy(Words("bad"))], batches, choices=2)
    assert (said(out), finish(out)) == ("", ["content_filter"])
    assert (said(out, 1), finish(out, 1)) == ("good too", ["stop"])
    assert not back.stopped


def test_an_answer_is_stopped_when_all_that_was_asked_for_is():
    back, _ = run([policy(Words("bad"))], [[Delta(text="bad")]], choices=2)
    assert not back.stopped
    back, _ = run([policy(Words("bad"))], [[Delta(text="bad"), Delta(choice=1, text="bad")]], choices=2)
    assert back.stopped


def test_refusals_and_reasoning_are_looked_at_too():
    for field in ("refusal", "reasoning"):
        _, out = run([policy(Words("bad"), "redact")], [[Delta(**{field: "so ba"})], [Delta(**{field: "d it"})]])
        assert said(out, field=field) == "so [BAD] it"


def test_a_policy_of_transcripts_does_not_look_at_reasoning():
    _, out = run([policy(Words("bad"), stages=("transcript",))], [[Delta(reasoning="bad")], [Delta(text="bad")]])
    assert (said(out, field="reasoning"), said(out), finish(out)) == ("bad", "", ["content_filter"])


def test_each_finding_is_kept_with_where_it_stands():
    batches = [[Delta(text="a bad"), Delta(choice=1, refusal="bad")]]
    back, _ = run([policy(Words("bad"), "flag")], batches, choices=2)
    assert [(one.where, one.found.start, one.stage) for one in back.fired] == [
        ("choices[0].message.content", 2, "output"),
        ("choices[1].message.refusal", 0, "output"),
    ]


# Tool calls


def call(name, arguments, index=0):
    return Delta(tool=ToolDelta(index, f"call{index}", name, arguments))


def test_a_tool_call_waits_for_the_text_before_it():
    batches = [[Delta(text="Let me see")], [call("find", "{}")], [call("get", "{}", 1)], [Delta(finish="tool_calls")]]
    _, out = run([policy(UnitWords("bad"))], batches)
    assert out[:3] == [[], [], []]
    assert [bool(delta.text) for delta in out[3]] == [True, False, False, False]
    assert [tool.name for tool in tools(out)] == ["find", "get"]


@given(st.lists(st.tuples(st.integers(0, 2), st.text("ab{}", max_size=3)), max_size=12))
def test_pieces_of_calls_that_come_in_any_order_are_put_together_each_by_itself(pieces):
    batches = [[call(f"tool{index}", "", index) for index in range(3)]]
    batches += [[Delta(tool=ToolDelta(index, arguments=piece))] for index, piece in pieces]
    _, out = run([policy(Words("never"))], [*batches, [Delta(finish="tool_calls")]])
    whole = ["".join(piece for at, piece in pieces if at == index) for index in range(3)]
    assert tools(out) == [ToolDelta(index, f"call{index}", f"tool{index}", whole[index]) for index in range(3)]


def test_a_forbidden_tool_ends_the_answer_and_the_calls_before_it_stand():
    batches = [[call("find", "{}"), call("sell", "{}", 1), call("get", "{}", 2)], [Delta(finish="tool_calls")]]
    for action, ends in (("block", "content_filter"), ("redact", "content_filter"), ("replace", "stop")):
        _, out = run([policy(Tools("sell"), action)], batches)
        assert [tool.name for tool in tools(out)] == ["find"]
        assert finish(out) == [ends]


def test_a_forbidden_tool_may_be_flagged_only():
    back, out = run([policy(Tools("sell"), "flag")], [[call("sell", "")], [Delta(finish="tool_calls")]])
    assert [tool.name for tool in tools(out)] == ["sell"]
    assert [(one.found.rule, one.action) for one in back.fired] == [("forbidden_tool", "flag")]


def test_a_check_of_tools_sees_the_arguments_decoded():
    _, out = run([policy(Tools("other"))], [[call("sell", '{"amount": 5}')], [Delta(finish="tool_calls")]])
    assert finish(out) == ["content_filter"]


class ToolsThrow:
    version = "1"

    def examine(self, name, arguments):
        raise RuntimeError


def test_a_check_of_tools_that_throws_stops_the_call_unless_it_may_not():
    batches = [[call("sell", "[1")], [Delta(finish="tool_calls")]]
    _, out = run([policy(ToolsThrow())], batches)
    assert tools(out) == []
    back, out = run([policy(ToolsThrow(), on_error="allow")], batches)
    assert len(tools(out)) == 1
    assert [one.action for one in back.fired] == ["bypass"]


def test_tool_calls_that_no_policy_covers_come_out_in_pieces_behind_the_text():
    batches = [
        [Delta(text="A bad one"), call("find", "{")],
        [Delta(tool=ToolDelta(0, arguments="}"))],
        [Delta(finish="tool_calls")],
    ]
    _, out = run([policy(UnitWords("bad"), "redact", stages=("transcript",))], batches)
    assert said(out) == "A [BAD] one"
    assert tools(out) == [ToolDelta(0, "call0", "find", "{"), ToolDelta(0, arguments="}")]


def test_a_tool_call_that_is_too_large_to_be_held_is_not_passed():
    piece = "1" * (LONGEST_WHOLE // 4)
    batches = [[call("a", piece)]] + [[Delta(tool=ToolDelta(0, arguments=piece))]] * 4
    back, out = run([policy(Words("bad"))], batches)
    assert (tools(out), finish(out), back.stop.found.why) == ([], ["content_filter"], "too_long")


def test_a_tool_call_waits_for_its_questions():
    back = HoldBack(Policies([policy(AskingWords("bad"))]), 1)
    for _ in back.take([call("a", '{"a": "good"}'), Delta(finish="tool_calls")]):
        pass
    assert (back.give(), back.holding) == ([], True)
    answer_all(back)
    assert [delta.tool is not None for delta in back.give()] == [True, False]


# What only the engine knows leaves


def test_log_probabilities_annotations_and_audio_do_not_leave():
    batches = [[Delta(text="hi", logprobs={"content": []}, annotations=[1])], [Delta(finish="stop")]]
    back, out = run([policy(Words("bad"))], batches)
    assert back.dropped == {"logprobs", "annotations"}
    assert all(delta.logprobs is None and delta.annotations is None for batch in out for delta in batch)


def test_audio_that_no_check_can_hear_is_blocked_or_left_out_and_noted():
    batches = [[Delta(text="hi", audio={"data": ""})], [Delta(finish="stop")]]
    back, out = run([policy(Words("bad"))], batches)
    assert (said(out), finish(out), back.dropped) == ("", ["content_filter"], {"audio"})
    back, out = run([policy(Words("bad"), on_unscannable="allow")], batches)
    assert (said(out), [one.action for one in back.fired]) == ("hi", ["bypass"])
    assert all(delta.audio is None for batch in out for delta in batch)


def test_what_is_said_of_the_answer_as_a_whole_passes_at_once():
    usage = Usage(input=1, output=2)
    whole = Delta(usage=usage, model="m", provider_id="i", service_tier="t", system_fingerprint="f")
    _, out = run([policy(UnitWords("bad"))], [[Delta(text="held"), whole]])
    assert out[0] == [whole]


def test_what_comes_for_a_choice_after_its_end_is_left_out():
    _, out = run(
        [policy(Words("bad"))], [[Delta(text="hi"), Delta(finish="stop")], [Delta(text="more", finish="stop")]]
    )
    assert (said(out), finish(out)) == ("hi", ["stop"])


def test_a_choice_that_never_ends_comes_out_at_the_end_without_a_finish():
    _, out = run([policy(UnitWords("bad"))], [[Delta(text="cut off")]])
    assert (said(out), finish(out)) == ("cut off", [])


def test_an_answer_of_too_many_choices_is_refused():
    back = HoldBack(Policies([policy(Words("bad"))]), 1)
    with pytest.raises(TooManyChoices):
        for _ in back.take([Delta(choice=n, text="x") for n in range(MOST_CHOICES + 1)]):
            pass


def test_a_long_text_is_looked_at_in_steps():
    back = HoldBack(Policies([policy(Words("bad"))]), 1)
    assert len(list(back.take([Delta(text="x" * 100_000)]))) == 100_000 // SLICE
    assert said([back.give()]) == "x" * 100_000


def test_a_check_that_throws_stops_every_text():
    for delta in (Delta(text="x"), Delta(refusal="x"), Delta(reasoning="x"), call("f", "{}")):
        back, out = run([policy(ThrowsLater())], [[delta], [Delta(finish="stop")]])
        assert (finish(out), said(out), tools(out)) == (["content_filter"], "", [])
        assert back.stop.found.rule == "check_failed"


def test_the_strictest_stop_of_the_choices_is_the_calls():
    policies = [Policy("r", "1", Words("one"), action="replace", sentence=SENTENCE), Policy("b", "1", Words("two"))]
    back, _ = run(policies, [[Delta(text="one"), Delta(choice=1, text="two")]], choices=2)
    assert back.stop.policy.name == "b"


def test_spans_that_overlap_are_one_behind_the_other():
    back, _ = run(
        [Policy("a", "1", Words("abcd"), action="redact"), Policy("b", "1", Words("cdef"), action="redact"),
         Policy("c", "1", Words("bc"), action="redact")],
        [[Delta(text="xabcdefy")]],
    )  # fmt: skip
    assert spans_of(back.fired) == [(1, 5, "[ABCD]"), (5, 7, "")]


def test_released_counts_what_came_out():
    back, _ = run([policy(Words("bad"), "replace")], [[Delta(text="It is bad")]])
    assert back.released == len("It is ") + len(SENTENCE)
