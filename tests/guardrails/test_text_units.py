from hypothesis import example, given
from hypothesis import strategies as st

from trunkline.guardrails.units import LONGEST, UnitCutter

texts = st.text(st.sampled_from("ab .,;!?…:-–\n。、，\"')*MrDri0No"), max_size=700)


def cut(pieces, clauses=False):
    cutter, units, opens = UnitCutter(clauses=clauses), [], []
    for place, piece in enumerate(pieces):
        units += cutter.feed(piece, place == len(pieces) - 1)
        opens.append(cutter.open_at)
    return [(unit.start, unit.text) for unit in units], opens


def sentences(text):
    return [unit for _, unit in cut([text])[0]]


def clauses(text):
    return [unit for _, unit in cut([text], clauses=True)[0]]


@given(texts, st.lists(st.integers(0, 700), max_size=8), st.booleans())
def test_however_a_text_is_cut_its_units_are_the_same(text, places, of_clauses):
    ends = sorted({min(place, len(text)) for place in places})
    pieces = [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]
    assert cut(pieces, of_clauses)[0] == cut([text], of_clauses)[0]


@given(texts, st.booleans())
def test_units_are_the_whole_text_and_none_is_longer_than_the_longest(text, of_clauses):
    units, _ = cut([text], of_clauses)
    assert "".join(unit for _, unit in units) == text
    assert [start for start, _ in units] == [sum(len(unit) for _, unit in units[:n]) for n in range(len(units))]
    assert all(0 < len(unit) <= LONGEST for _, unit in units)


@given(texts)
@example("、D. 0")
def test_each_clause_lies_in_one_sentence_unless_one_is_cut_for_its_length(text):
    if all(len(unit) < LONGEST // 2 for unit in sentences(text)):
        ends = {start + len(unit) for start, unit in cut([text], True)[0]}
        assert {start + len(unit) for start, unit in cut([text])[0]} <= ends


def test_a_sentence_ends_with_the_space_that_proves_its_end():
    assert sentences("Yes. No! Why? So… then") == ["Yes. ", "No! ", "Why? ", "So… ", "then"]


def test_the_end_mark_alone_proves_nothing():
    cutter = UnitCutter(clauses=False)
    assert cutter.feed("It is 3.", False) == []
    assert cutter.open_at == 0
    assert [unit.text for unit in cutter.feed("5 percent. Good", False)] == ["It is 3.5 percent. "]
    assert cutter.open_at == 19


def test_closing_quotes_and_brackets_belong_to_the_sentence():
    assert sentences('She said "go." (He agreed.) **Done.** End') == [
        'She said "go." ',
        "(He agreed.) ",
        "**Done.** ",
        "End",
    ]


def test_a_line_and_an_ideographic_full_stop_end_a_sentence_alone():
    assert sentences("a\nb。c\r\nd") == ["a\n", "b。", "c\r", "\n", "d"]


def test_abbreviations_and_initials_end_no_sentence():
    assert sentences("Mr. J. Smith of Acme Inc. called. I. Yes") == ["Mr. J. Smith of Acme Inc. called. ", "I. ", "Yes"]


def test_no_is_an_answer_where_it_begins_a_sentence_and_a_number_elsewhere():
    assert sentences("No. It is account no. 5 of two. no. Yes") == [
        "No. ",
        "It is account no. 5 of two. ",
        "no. ",
        "Yes",
    ]
    assert clauses("Well, no. 5 is it") == ["Well, ", "no. ", "5 is it"]


def test_a_question_mark_behind_an_abbreviation_does():
    assert sentences("Inc? Yes") == ["Inc? ", "Yes"]


def test_clauses_end_behind_commas_semicolons_colons_and_dashes_with_a_space():
    assert clauses("First, then; so: well - 1,000 end") == ["First, ", "then; ", "so: ", "well - ", "1,000 end"]
    assert clauses("一，二、三") == ["一，", "二、", "三"]


def test_a_clause_mark_with_nothing_before_it_ends_none():
    assert clauses("- a point") == ["- a point"]


def test_what_has_no_end_is_cut_at_its_last_space():
    words = "word " * 60
    units = sentences(words)
    assert len(units[0]) == LONGEST
    assert units[0].endswith(" ")
    assert all(unit.endswith(" ") for unit in units)


def test_what_has_neither_end_nor_space_is_cut_at_the_longest():
    assert [len(unit) for unit in sentences("x" * (2 * LONGEST + 3))] == [LONGEST, LONGEST, 3]


def test_an_empty_text_has_no_units():
    assert cut([""]) == ([], [0])
