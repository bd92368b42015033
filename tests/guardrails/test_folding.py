from hypothesis import given
from hypothesis import strategies as st

from trunkline.guardrails.folding import Folding, fold, folded_character

letters = st.text(st.one_of(st.characters(), st.sampled_from("aZ 1\t\n-Ａ\u200b\u00adéﬁаο’…\u2003𝓑")), max_size=60)


def folded(pieces):
    folding = Folding()
    for piece in pieces:
        folding.add(piece)
    return folding


def origins(folding):
    return [folding.origin(place) for place in range(folding.begin, folding.end + 1)]


@given(st.lists(letters, max_size=6))
def test_however_a_text_is_cut_it_folds_the_same(pieces):
    whole, cut = fold("".join(pieces)), folded(pieces)
    assert cut.text == whole.text
    assert origins(cut) == origins(whole)


@given(letters)
def test_each_folded_character_comes_from_the_one_that_it_stands_for(text):
    folding = fold(text)
    assert folding.text == "".join(folded_character(character) for character in text)
    for place in range(folding.end):
        start, end = folding.origin(place), folding.origin_end(place + 1)
        assert end == start + 1
        assert folding.text[place] in folded_character(text[start])
    assert folding.origin(folding.end) == len(text)


@given(letters, letters, st.integers(0, 80))
def test_what_is_forgotten_changes_nothing_behind_it(before, after, place):
    whole, part = fold(before + after), fold(before)
    part.forget(place)
    part.add(after)
    begin = part.begin
    assert part.text == whole.text[begin:]
    assert part.end == whole.end
    assert origins(part) == origins(whole)[begin:]


@given(st.text(st.characters(max_codepoint=126), max_size=50))
def test_plain_text_is_lower_cased_and_nothing_else(text):
    printable = "".join(character for character in text if character.isprintable())
    assert fold(printable).text == printable.lower()


def test_what_looks_alike_is_alike():
    assert fold("ＳＳＮ").text == "ssn"
    assert fold("pаypаl").text == "paypal"
    assert fold("𝓑𝓾𝔂").text == "buy"
    assert fold("café ﬁne").text == "cafe fine"
    assert fold("don’t — 4–5…").text == "don't - 4-5..."
    assert fold("a\tb\u00a0c\r\nd").text == "a b c\n\nd"


def test_what_is_not_seen_is_left_out_and_the_span_still_covers_it():
    folding = fold("x 12\u200b3\u00ad-45 y")
    start = folding.text.index("123-45")
    assert folding.origin(start) == 2
    assert folding.origin_end(start + len("123-45")) == 10


def test_a_span_that_ends_nowhere_begins_and_ends_at_the_beginning():
    folding = fold("abc")
    assert folding.origin_end(0) == 0
