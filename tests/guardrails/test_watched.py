from hypothesis import given, settings
from hypothesis import strategies as st
from toy_checks import AskingWords, Throws, ThrowsLater, UnitWords, WholeWords, Words, expected

from trunkline.guardrails.check import Found
from trunkline.guardrails.policies import ANSWER, Policy
from trunkline.guardrails.scanners import LONGEST_WHOLE
from trunkline.guardrails.watched import FAILED, Watched

WORDS = ("ab", "aab", "b.", "c c", "bca")
ACTIONS = ("block", "replace", "redact", "flag")
texts = st.text(st.sampled_from("aaabbbccc .,\n"), max_size=60)
kinds = st.sampled_from([Words, UnitWords, WholeWords, AskingWords, lambda word: AskingWords(word, "whole")])
checks = st.builds(lambda kind, word: kind(word), kinds, st.sampled_from(WORDS))


@st.composite
def policy_sets(draw):
    chosen = draw(st.lists(st.tuples(checks, st.sampled_from(ACTIONS)), min_size=1, max_size=4))
    return [(Policy(f"p{n}", "1", check, action=action), check) for n, (check, action) in enumerate(chosen)]


def pieces_of(text, places):
    ends = sorted({min(place, len(text)) for place in places})
    return [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]


def watch(policies, pieces, hold="sentence", order=None):
    """Feed the pieces and return what came out; questions are answered in a drawn order, at a drawn time."""
    watched = Watched([policy for policy, _ in policies], hold, ANSWER, "choices[0].message.content")
    out, open_asks = [], []
    for place, piece in enumerate(pieces):
        watched.feed(piece, place == len(pieces) - 1)
        open_asks += watched.asks
        watched.asks.clear()
        while open_asks and (order is None or order()):
            ask = open_asks.pop(order(len(open_asks)) if order is not None else 0)
            ask.answered(ask.policy.asking.read(200, b"", ask.text))
        out.append(watched.give_out())
    while open_asks:
        ask = open_asks.pop()
        ask.answered(ask.policy.asking.read(200, b"", ask.text))
    out.append(watched.give_out())
    return watched, out


@settings(max_examples=400)
@given(
    policy_sets(),
    texts,
    st.lists(st.integers(0, 60), max_size=12),
    st.sampled_from(["sentence", "clause", "whole"]),
    st.data(),
)
def test_any_cut_and_any_order_of_answers_gives_the_output_and_the_verdict_of_the_whole(
    policies, text, places, hold, data
):
    def order(of=None):
        return data.draw(st.booleans()) if of is None else data.draw(st.integers(0, of - 1))

    said, fired, stop = expected(policies, text, hold)
    watched, out = watch(policies, pieces_of(text, places), hold, order)
    assert "".join(out) == said
    assert [(one.policy.name, one.found.rule, one.found.start, one.found.end) for one in watched.fired] == fired
    assert (watched.stop.policy if watched.stop else None) is stop


@given(policy_sets(), texts, st.lists(st.integers(0, 60), max_size=12))
def test_nothing_that_is_blocked_or_redacted_comes_out_at_any_moment(policies, text, places):
    said, _, _ = expected(policies, text, "sentence")
    _, out = watch(policies, pieces_of(text, places))
    so_far = ""
    for piece in out:
        so_far += piece
        assert said.startswith(so_far)


def fed(policy, *pieces):
    watched = Watched([policy], "sentence", ANSWER, "here")
    out = []
    for place, piece in enumerate(pieces):
        watched.feed(piece, place == len(pieces) - 1)
        out.append(watched.give_out())
    return watched, out


def test_a_pattern_holds_back_no_more_than_its_beginning():
    _, out = fed(Policy("p", "1", Words("secret"), action="redact"), "my sec", "ond secr", "et it", "")
    assert out == ["my ", "second ", "[SECRET] it", ""]


def test_a_sentence_leaves_with_the_delta_that_proves_its_end():
    _, out = fed(Policy("p", "1", UnitWords("x"), action="block"), "One", " two.", " Three", "")
    assert out == ["", "", "One two. ", "Three"]


def test_a_check_that_makes_no_scanner_stops_the_text():
    watched, out = fed_throwing(Throws(), "block")
    assert (watched.stop.found.rule, watched.stop.found.why, out) == (FAILED, "error: ValueError", ["", ""])


def test_a_check_that_throws_stops_the_text():
    watched, out = fed_throwing(ThrowsLater(), "block")
    assert (watched.stop.found.rule, watched.stop.found.why, out) == (FAILED, "error: RuntimeError", ["", ""])
    assert watched.stop.action == "block"


def test_a_check_that_throws_and_may_is_noted_as_bypassed():
    for check in (Throws(), ThrowsLater()):
        watched, out = fed_throwing(check, "allow")
        assert (watched.stop, out) == (None, ["some ", "text"])
        assert [(one.found.rule, one.action) for one in watched.fired] == [(FAILED, "bypass")]


def fed_throwing(check, on_error):
    return fed(Policy("p", "1", check, action="redact", on_error=on_error), "some ", "text")


def test_what_stops_says_so_even_where_its_action_would_only_edit_or_flag():
    for action, stopping in (("redact", "block"), ("flag", "block"), ("replace", "replace"), ("block", "block")):
        watched, _ = fed(Policy("p", "1", ThrowsLater(), action=action), "x")
        assert watched.stop.action == stopping


class Lies:
    """Finds something where it has said that nothing can be found any more."""

    version = "1"

    def __init__(self, found):
        self.found, self.open_at = found, 0

    def scanner(self, hold):
        return self

    def feed(self, text, last):
        self.open_at += len(text)
        return [self.found] if last else []


def test_a_finding_in_what_has_left_is_a_fault_of_the_check():
    for found in (Found("r", 0, 1), Found("r", 3, 3), Found("r", 3, 99)):
        watched, out = fed(Policy("p", "1", Lies(found)), "abc", "def")
        assert (watched.stop.found.rule, out) == (FAILED, ["abc", ""])


def test_a_text_that_is_too_long_to_be_held_is_not_passed():
    for check in (WholeWords("x"), AskingWords("x", "whole")):
        watched, out = fed(Policy("p", "1", check), "a" * LONGEST_WHOLE, "a", "a")
        assert (watched.stop.found.why, out) == ("too_long", ["", "", ""])


def test_an_answer_that_does_not_come_is_decided_for_the_piece_and_the_next_is_asked_about():
    policy = Policy("p", "1", AskingWords("bad"), action="redact", on_error="allow")
    watched = Watched([policy], "sentence", ANSWER, "here")
    watched.feed("One. A bad one. ", True)
    first, second = watched.asks
    second.answered([Found("bad", 2, 5)])
    assert watched.give_out() == ""
    first.failed("timeout")
    assert watched.give_out() == "One. A [BAD] one. "
    assert [(one.action, one.found.rule, one.found.why) for one in watched.fired] == [
        ("bypass", FAILED, "timeout"),
        ("redact", "bad", ""),
    ]


def test_an_answer_that_does_not_come_stops_a_text_by_default():
    watched = Watched([Policy("p", "1", AskingWords("bad"))], "sentence", ANSWER, "here")
    watched.feed("One. Two. ", False)
    first, second = watched.asks
    second.failed("timeout")
    first.answered([])
    assert watched.give_out() == "One. "
    assert (watched.stop.found.start, watched.stop.found.end) == (5, 10)


def test_a_late_or_second_answer_changes_nothing():
    watched = Watched([Policy("p", "1", AskingWords("bad"), on_error="allow")], "sentence", ANSWER, "here")
    watched.feed("One. ", True)
    (ask,) = watched.asks
    ask.failed("timeout")
    ask.answered([Found("bad", 0, 3)])
    ask.failed("again")
    assert watched.give_out() == "One. "
    assert len(watched.fired) == 1


def test_spans_of_an_answer_that_lie_outside_are_moved_inside():
    policy = Policy("p", "1", AskingWords("bad"), action="redact")
    watched = Watched([policy], "sentence", ANSWER, "here")
    watched.feed("One. Two.", True)
    watched.asks[0].answered([])
    watched.asks[1].answered([Found("bad", -5, 900)])
    assert watched.give_out() == "One. [BAD]"


def test_after_a_stop_nothing_is_looked_at_or_comes_out():
    watched, _ = fed(Policy("p", "1", Words("bad")), "a bad", "")
    watched.feed("more", False)
    assert watched.give_out() == ""
    assert not watched.holding


def test_redactions_that_overlap_leave_one_marker_and_no_rest():
    one, two = Policy("a", "1", Words("abc"), action="redact"), Policy("b", "1", Words("bcd"), action="redact")
    watched = Watched([one, two], "sentence", ANSWER, "here")
    watched.feed("xabcdy", True)
    assert watched.give_out() == "x[ABC]y"


def test_a_sentence_of_the_policy_takes_the_place_of_what_is_redacted():
    policy = Policy("a", "1", Words("abc"), action="redact", sentence="(left out)")
    assert fed(policy, "xabcy")[1] == ["x(left out)y"]


def test_what_is_repeated_shows_no_text():
    watched, _ = fed(Policy("p", "1", Words("bad"), action="flag"), "a bad one")
    assert repr(watched.fired) == "[Fired('p', Found(2, 5, 'bad', 1.0, ''), 'output', 'here', 'flag')]"
