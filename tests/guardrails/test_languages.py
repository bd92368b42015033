"""Languages by their small words: what is clearly another one is found, names and borrowed words are not."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trunkline.guardrails.check import BadSettings
from trunkline.guardrails.languages import KNOWN, LEAST_WORDS, other_language
from trunkline.guardrails.registry import make_check

SPANISH = "No puedo entrar en la aplicación desde ayer."
ENGLISH = "I cannot get into the app since yesterday."
RUSSIAN = "Я хотел бы узнать, когда придёт моя карта."


def found(text, *allowed, pieces=None):
    scanner, out = make_check("language", {"allow": list(allowed)}).scanner("sentence"), []
    cut = pieces or [text]
    for place, piece in enumerate(cut):
        out += scanner.feed(piece, place == len(cut) - 1)
    return [(text[one.start : one.end], one.why) for one in out]


def test_a_sentence_in_another_language_is_found_where_it_stands():
    assert found(f"{ENGLISH} {SPANISH} {ENGLISH}", "en") == [(f"{SPANISH} ", "it is in `es`")]
    assert found(f"{ENGLISH} {SPANISH}", "es") == [(f"{ENGLISH} ", "it is in `en`")]
    assert found(f"{ENGLISH} {SPANISH}", "es", "en") == []


@pytest.mark.parametrize("allowed", [["en"], ["uk"], ["el", "ja"]])
def test_a_script_that_nobody_asked_for_is_found_and_one_that_is_shared_by_its_words(allowed):
    assert found(RUSSIAN, *allowed) == [(RUSSIAN, "it is in `ru`")]
    assert found(RUSSIAN, "ru", "en") == []


def test_japanese_is_told_from_chinese_by_its_syllables():
    assert found("口座にいくらお金があるか知りたいです。", "zh")
    assert found("口座にいくらお金があるか知りたいです。", "ja") == []
    assert found("我想知道我的账户里有多少钱。", "zh") == []


def test_accents_and_capitals_may_be_missing_and_what_is_not_seen_hides_nothing():
    assert found("NO PUEDO ENTRAR EN LA APLICACION DESDE AYER", "en")
    assert found("no pue\u200bdo en\u00adtrar en la aplicación des\u200bde ayer", "en")


@pytest.mark.parametrize("text", ["", "Sí.", "¿Dónde está?", "1 2 3 4 5 6", "Calle de los Reyes, Madrid", "- - ' ’"])
def test_what_is_too_short_or_may_be_names_passes(text):
    assert found(text, "en") == []


def test_a_short_sentence_is_read_with_those_before_it():
    assert found("Lo siento mucho.", "en") == []
    assert found(f"{SPANISH} Lo siento mucho.", "en")[1:] == [("Lo siento mucho.", "it is in `es`")]
    assert found(f"{SPANISH} Okay then.", "en")[1:] == []


def test_a_language_that_is_not_known_is_refused():
    with pytest.raises(BadSettings, match="`xx` is not one of ar, bg"):
        make_check("language", {"allow": ["en", "xx"]})
    with pytest.raises(BadSettings):
        make_check("language", {"allow": []})


several = st.sampled_from([SPANISH, ENGLISH, RUSSIAN, "Ja. ", "où est-ce? ", "我想知道。"])
texts = st.lists(several | st.text(max_size=20))


@given(texts.map("".join), st.lists(st.integers(0, 200), max_size=6), st.sampled_from(["en", "es", "zh"]))
@example("a- b ’c", [1], "en")
def test_any_cut_finds_the_same(text, places, allowed):
    ends = sorted({min(place, len(text)) for place in places})
    pieces = [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]
    assert found(text, allowed, pieces=pieces) == found(text, allowed)


@given(st.text(max_size=240), st.sampled_from(KNOWN))
def test_no_text_is_in_another_language_where_all_are_allowed(text, one):
    assert other_language(text, "", frozenset(KNOWN)) == ""
    assert other_language(text, "", frozenset([one])) != one


@given(st.lists(st.sampled_from(SPANISH.split()), max_size=LEAST_WORDS - 1))
def test_fewer_words_than_it_takes_say_nothing(words):
    assert other_language(" ".join(words), "", frozenset(["en"])) == ""


def test_hostile_text_takes_linear_time():
    def taken(text):
        began = time.process_time()
        found(text, "en")
        return time.process_time() - began

    for unit in ("de la ", "ñ", "'-", "a\u0301", "я", "我", "e" * 239 + " "):
        assert taken(unit * (200_000 // len(unit))) < 20.0  # a bound that catches what is not linear
