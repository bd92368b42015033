"""A sentence has the same words whether it is written, spoken or recognised."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.guardrails.folding import fold
from trunkline.guardrails.recommendation_words import CONTEXT, context_of, spelled_words_of, words_of


def words(text: str) -> str:
    return " ".join(words_of(fold(text).text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Roll your 401(k) into an IRA.", "um roll your four oh one k into an i r a"),
        ("You should be 70 percent in equities.", "you should be seventy percent in equities"),
        ("Put 12,500.50 in it!", "put twelve thousand five hundred in it"),
        ("I'd buy the S&P 500 E.T.F.", "i'd buy the s and p five hundred e t f"),
        ("\u201cDon\u2019t sell,\u201d I said.", "don't sell i said"),
        ("Use the 529.", "use the five twenty nine"),
        ("ＢＵＹ it n\u200bow", "buy it now"),
    ],
)
def test_one_form_for_what_is_written_and_what_is_heard(one, other):
    assert words(one) == words(other)


def test_a_question_is_told_from_what_is_said():
    assert words("Sell?") == "sell ?"
    assert words("Really?! Why??") == "really ? why ?"
    assert words("?") == ""


def test_a_contraction_is_taken_apart():
    assert words("I'd say you shouldn't") == "i 'd say you should n't"


@given(st.text(max_size=200))
def test_any_text_has_words_of_plain_letters(text):
    for word in words_of(fold(text).text):
        assert re.fullmatch(r"[a-z']+|#|\?|\d+[kb]?", word)


PIECES = st.sampled_from(
    ["buy", "a", "i", "s", "p", "&", "and", "n", "of", "four", "five", "oh", "one", "k", "401", "(k)", "401k", "457",
     "b", "fifty-seven", "twenty", "nine", "i'd", "don't", "it's", "u.s.", "e.t.f.,", "1,000.50", "$20", "70%", "point",
     "um", "er,", "hundred", "sell?", "what?!", "really,", "long-term", "(the", "fund)", "x", "-", "...", "the", "s&p",
     "529", "cash.\n"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=16))
def test_the_short_way_to_the_words_gives_those_of_the_long_one(pieces):
    text = " ".join(pieces)
    assert words_of(text) == spelled_words_of(text)


@given(st.lists(st.lists(st.integers(2, 9), max_size=30), max_size=4))
def test_the_context_is_the_end_of_the_two_sentences_before(before):
    flat = [place for words in before[-2:] for place in words]
    assert context_of(before) == flat[len(flat) - min(len(flat), CONTEXT) :]
