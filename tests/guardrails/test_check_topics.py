"""Topics by examples: what is denied, what has the same words and is allowed, and what is neither."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.guardrails.check import BadSettings
from trunkline.guardrails.registry import make_check

POLITICS = {
    "name": "politics",
    "examples": ["Who should I vote for in the election?", "The senator lied about the war."],
}
SHARES = {"name": "shares", "examples": ["I want to vote my proxy shares.", "What is my account balance?"]}
DENY = make_check("topics", {"deny": [POLITICS]})
BOTH = make_check("topics", {"deny": [POLITICS], "allow": [SHARES]})
ONLY = make_check("topics", {"deny": [POLITICS], "allow": [SHARES], "others": "deny"})


def found(text, check, pieces=None):
    scanner, out = check.scanner("sentence"), []
    cut = pieces or [text]
    for place, piece in enumerate(cut):
        out += scanner.feed(piece, place == len(cut) - 1)
    return [(one.rule, text[one.start : one.end]) for one in out]


def test_a_sentence_of_a_denied_topic_is_found_where_it_stands():
    text = "Hello. Would you vote in this election? I would not."
    assert found(text, DENY) == [("politics", "Would you vote in this election? ")]
    assert found("WHO DID YOU VOTE FOR IN THE ELECT\u200bIONS", DENY) == [
        ("politics", "WHO DID YOU VOTE FOR IN THE ELECT\u200bIONS")
    ]


def test_an_example_of_what_is_allowed_keeps_the_same_words_apart():
    text = "How do I vote my shares?"
    assert found(text, DENY) == [("politics", text)]
    assert found(text, BOTH) == []


def test_what_is_like_nothing_is_found_only_where_others_are_denied():
    text = "Bake a sourdough loaf tonight."
    assert (found(text, DENY), found(text, BOTH)) == ([], [])
    assert found(text, ONLY) == [("off_topic", text)]
    assert found("What is the balance of my account?", ONLY) == []


def test_where_others_are_denied_a_faint_likeness_names_the_denied_topic():
    text = "The senator baked a sourdough loaf with raisins."
    assert found(text, BOTH) == []
    assert found(text, ONLY) == [("politics", text)]


@pytest.mark.parametrize("text", ["", "Yes, please.", "Bread?", "12 13 14"])
def test_what_is_too_short_to_tell_passes(text):
    assert found(text, ONLY) == []


def test_similarity_says_how_much_of_a_sentence_it_takes():
    text = "Maria asked the gardener whether somebody watered roses during that war."
    loose = make_check("topics", {"deny": [POLITICS], "similarity": 0.1})
    assert (found(text, DENY), found(text, loose)) == ([], [("politics", text)])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "it would find nothing"),
        ({"allow": [SHARES]}, "it would find nothing"),
        ({"others": "deny", "deny": [POLITICS]}, "needs topics that are allowed"),
        ({"deny": [POLITICS], "allow": [POLITICS]}, "two topics `politics`"),
        ({"deny": [{"name": "off_topic", "examples": ["x marks the spot"]}]}, "name the topic otherwise"),
        ({"deny": [{"name": "a", "examples": ["what is it?"]}]}, "no word that says something: 'what is it\\?'"),
        ({"deny": [{"name": "A", "examples": ["war"]}]}, "regex"),
        ({"deny": [POLITICS], "similarity": 0}, "> 0"),
        ({"deny": [{"name": "a", "examples": []}]}, "length >= 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, says):
    with pytest.raises(BadSettings, match=says):
        make_check("topics", settings)


sentences = st.sampled_from(
    ["Who won the election? ", "Vote my shares. ", "Bake bread with raisins and yeast. ", "Dr. No said so.", "The war"]
)


@given(st.lists(sentences | st.text(max_size=12), max_size=8).map("".join), st.lists(st.integers(0, 200), max_size=6))
def test_any_cut_finds_the_same(text, places):
    ends = sorted({min(place, len(text)) for place in places})
    pieces = [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]
    for check in (DENY, BOTH, ONLY):
        assert found(text, check, pieces) == found(text, check)


@given(st.lists(sentences, max_size=8).map("".join))
def test_what_is_allowed_takes_nothing_that_nobody_denied(text):
    assert set(found(text, BOTH)) <= set(found(text, DENY))
    assert len(found(text, BOTH)) <= len(found(text, ONLY))
