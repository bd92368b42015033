"""What somebody else has said is text in HTML, and nothing but text."""

import html
import re

from hypothesis import given
from hypothesis import strategies as st

from trunkline.ledger.markup import facts, marked, table, text
from trunkline.model.names import CONTROL

anything = st.text(st.characters(exclude_categories=()))
spans = st.lists(st.tuples(st.integers(-5, 40), st.integers(-5, 40)), max_size=5)


@given(anything)
def test_no_text_opens_or_closes_anything(said):
    found = text(said)
    assert not re.search(r"[<>\"']", found)
    assert found.encode().decode() == found
    assert not CONTROL.search(found.replace("\n", "").replace("\t", ""))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp"])))
def test_a_text_without_controls_is_shown_as_it_is(said):
    assert html.unescape(text(said)) == said


@given(anything, spans)
def test_marks_change_nothing_of_a_text_and_are_closed(said, found):
    shown = marked(said, found)
    assert re.sub("</?mark>", "", shown) == text(said)
    assert re.findall("</?mark>", shown) == ["<mark>", "</mark>"] * shown.count("<mark>")


def test_what_was_found_is_marked_also_where_findings_overlap():
    assert marked("My SSN is 1", [(3, 6), (5, 9), (3, 4)]) == "My <mark>S</mark><mark>SN</mark><mark> is</mark> 1"


def test_what_steers_a_screen_is_seen():
    assert text("a\u202eb\x1b[1m\ud800\n\tc") == "a\\u202eb\\x1b[1m\\ud800\n\tc"


def test_facts_and_tables_take_what_is_known():
    found = facts({"A": "<b>", "B": None, "C": "", "D": 0})
    assert found == "<dl><dt>A</dt><dd>&lt;b&gt;</dd><dt>D</dt><dd>0</dd></dl>\n"
    assert "<td>1</td><td></td><td>&amp;</td>" in table(("x", "y", "z"), [(1, None, "&")])
