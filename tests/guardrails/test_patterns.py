import re

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.guardrails.expressions import ENDLESS, BadExpression, expression, words
from trunkline.guardrails.folding import fold
from trunkline.guardrails.patterns import CAP, GRID, PatternScanner, Rule, Rules

# Expressions of a small alphabet, as text, so that the two that read them are compared.
atoms = st.sampled_from(["a", "b", "-", "[ab]", "[^a]", r"\d", ".", r"\b", "1"])


def _grown(inner):
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["?", "+", "*", "{2}", "{1,3}", "??", "+?"])).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
    )


def _takes(text):
    try:
        expression(text)
    except BadExpression:
        return False
    return True


def _is_quick(text):
    """Whether `re` takes no more than polynomial time: nothing with a choice in it is repeated without end."""
    begins, at = [], 0
    while at < len(text):
        if text[at] == "(":
            begins.append(at + len("(?:"))
            at += len("(?:")
            continue
        if (
            text[at] == ")"
            and text[at + 1 : at + 2] in {"+", "*"}
            and re.search(r"[+*?{|]", text[begins[-1] : at].replace("(?:", ""))
        ):
            return False
        if text[at] == ")":
            begins.pop()
        at += 1
    return True


expressions = st.recursive(atoms, _grown, max_leaves=8).filter(_takes)
quick = expressions.filter(_is_quick)
texts = st.text(st.sampled_from("aab1-\n "), max_size=30)
places = st.lists(st.integers(0, 30), max_size=10)


def cut(text, ends):
    ends = sorted({min(end, len(text)) for end in ends})
    return [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]


def scan(rules, pieces):
    scanner, found, opened = PatternScanner(Rules(rules)), [], 0
    for place, piece in enumerate(pieces):
        before = scanner.open_at
        new = scanner.feed(piece, place == len(pieces) - 1)
        assert all(one.start >= before for one in new)
        assert scanner.open_at >= before
        found += new
        opened = scanner.open_at
    assert opened >= sum(map(len, pieces))
    return sorted((one.rule, one.start, one.end) for one in found)


@settings(max_examples=400)
@given(st.lists(quick, min_size=1, max_size=3), texts, places)
def test_matches_are_those_of_re_however_the_text_is_cut(every, text, ends):
    rules = [Rule(f"r{n}", expression(one)) for n, one in enumerate(every)]
    # Python's \b and \d are ours on this alphabet.
    expected = sorted((f"r{n}", m.start(), m.end()) for n, one in enumerate(every) for m in re.finditer(one, text))
    assert scan(rules, [text]) == expected
    assert scan(rules, cut(text, ends)) == expected


@given(quick, texts)
def test_what_can_begin_a_match_is_held_and_nothing_before_it(one, text):
    found = expression(one)
    rule = Rule("r", found)
    start = rule.live.search(text).start()
    # Nothing before it: no more text makes a match begin there.
    for more in ("a", "b", "1", "-", " ", "ab1-", "aaaa", "1111"):
        for match in re.finditer(one, text + more):
            assert match.end() <= len(text) or match.start() >= start


@given(expressions)
def test_the_length_of_a_match_is_as_said(one):
    found = expression(one)
    assert 0 < found.least <= found.most <= ENDLESS
    for text in ("a" * 40, "ab1-" * 10, "1" * 40, "- -a b"):
        assert all(found.least <= len(match.group()) <= found.most for match in re2.finditer(one, text))


@settings(max_examples=60)
@given(st.text(st.sampled_from("aaaaaaab-"), min_size=10, max_size=40), places.map(sorted))
def test_a_match_that_could_go_on_for_ever_is_found_at_its_cap_however_it_is_cut(text, ends):
    rules = [Rule("r", expression("ba+-"), cap=20)]
    long = "b" + "a" * (GRID + 500) + text + "b" + "a" * GRID + text
    assert scan(rules, [long]) == scan(rules, cut(long, [end * 80 for end in ends]))
    assert scan(rules, [long])[0][:2] == ("r", 0)


def test_a_rule_of_a_bounded_length_needs_no_cap():
    assert not Rule("r", expression("a{1,100}")).capped
    assert Rule("r", expression("a+")).capped
    assert Rule("r", expression("a{300}")).capped
    assert CAP == 256


def test_a_word_boundary_is_not_known_before_the_next_character():
    scanner = PatternScanner(Rules([Rule("r", expression(r"\bcat\b"))]))
    assert not scanner.feed("a cat", False)
    assert scanner.open_at == 2
    assert not scanner.feed("s", False)
    assert scanner.open_at == 6
    assert [(one.start, one.end) for one in scanner.feed(" cat.", False)] == [(7, 10)]


def test_what_is_found_is_the_group():
    assert scan([Rule("r", expression(r"account (\d+)"))], ["my account 1234 is"]) == [("r", 11, 15)]


def test_what_its_check_does_not_take_is_looked_at_again_from_the_next_character():
    rule = Rule("r", expression("[ab]{2}"), verify=lambda text: 2 * (text == "bb"))
    assert scan([rule], ["aabbab"]) == [("r", 2, 4)]
    assert scan([rule], list("aabbab")) == [("r", 2, 4)]


def test_only_what_its_check_takes_of_a_match_is_found():
    rule = Rule("r", expression("a+b*"), verify=lambda text: text.count("a"))
    assert scan([rule], ["aabbab"]) == scan([rule], list("aabbab")) == [("r", 0, 2), ("r", 4, 5)]


def test_a_finding_says_what_its_rule_says():
    (found,) = PatternScanner(Rules([Rule("r", expression("a"), "an a", score=0.5)])).feed("a", True)
    assert (found.rule, found.why, found.score) == ("r", "an a", 0.5)


def test_what_looks_alike_matches_and_the_span_is_of_the_text_as_it_came():
    rule = Rule("r", expression("SSN [0-9]{3}"))
    for text in ("ssn 123", "ＳＳＮ 123", "S\u200bSN 1\u00ad23", "ssn\u00a0١٢٣"):
        assert scan([rule], [f"my {text}."]) == [("r", 3, 3 + len(text))]
        assert scan([rule], list(f"my {text}.")) == [("r", 3, 3 + len(text))]


def test_words_stand_by_themselves():
    rule = Rule("r", words("Buy  now!"))
    assert scan([rule], ["buy now! rebuy now! buy\n now!"]) == [("r", 0, 8), ("r", 20, 29)]
    assert scan([Rule("r", words("-x"))], ["a-x-xy -x"]) == [("r", 1, 3), ("r", 7, 9)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a(", "not a regular expression"),
        ("^a", "anchor"),
        ("a$", "anchor"),
        (r"\Aa", "anchor"),
        ("(?=a)b", "linear"),
        ("(?<!a)b", "linear"),
        (r"(a)\1", "linear"),
        ("(a)(b)", "more than one group"),
        ("(?:(a)b)+", "a group is repeated"),
        ("a*", "nothing"),
        (r"\b", "nothing"),
        ("(?:a*)*b", "repeats what may be nothing"),
        ("a{1001}", "1000"),
        ("a{0}b", "1000"),
        ("(?s:a.)", "flags"),
        ("(?-i:a)", "flags"),
        ("[Z-a]", "range"),
        ("a\u200bb", "not seen"),
        ("a" * 2001, "2000"),
        ("(" * 300 + "a" + ")" * 300, "deep"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_the_reason(text, reason):
    with pytest.raises(BadExpression, match=reason):
        expression(text)


@pytest.mark.parametrize(("text", "reason"), [("", "empty"), ("  ", "empty"), ("a " * 1500, "2000")])
def test_words_that_cannot_be_followed_are_refused(text, reason):
    with pytest.raises(BadExpression, match=reason):
        words(text)


def test_what_re2_does_not_take_is_refused():
    with pytest.raises(BadExpression, match="RE2"):
        Rule("r", expression("(?:(?:a{1000}){1000})"))


@given(st.text(max_size=30))
def test_any_text_is_an_expression_or_refused(text):
    try:
        found = expression(text)
    except BadExpression:
        return
    try:
        Rules([Rule("r", found)])
    except BadExpression as error:
        assert "RE2" in str(error)


@given(st.text(st.characters(exclude_categories=["Mn", "Me", "Cf", "Cc", "Cs"]), min_size=1, max_size=12))
def test_a_word_finds_itself(text):
    try:
        rule = Rule("r", words(text))
    except BadExpression:
        return
    found = scan([rule], [f"\n{' '.join(text.split())}\n"])
    assert found
    assert fold(text).text


def test_classes_and_categories_are_as_in_re():
    pairs = [(r"[\d\s]x", "1x"), (r"[\w]\W\S\D", "a-bc"), ("[^\\n]b", "ab"), ("[A-C]", "b"), ("[é]", "e")]
    pairs.append(("[^é]a", "xa"))
    for one, text in pairs:
        assert scan([Rule("r", expression(one))], [text])
