"""What a command prints, on a page of a certain width."""

from hypothesis import given
from hypothesis import strategies as st

from trunkline.cli.demo.folding import LEAST, folded, hanging
from trunkline.cli.lists import written
from trunkline.cli.options import Form

WORD = st.text(alphabet="abcdefghij", min_size=1, max_size=12)
CELLS = st.lists(WORD, min_size=3, max_size=3)


def words_of(text: str) -> list[str]:
    return sorted(text.split())


def test_what_fits_stays_as_it_was():
    text = "user  calls\nann   4\n\ncall 17\n  at: noon\n"
    assert folded(text, 40) == text


def test_a_wide_table_comes_in_bands_that_begin_with_what_tells_its_rows_apart():
    text = "team    user  calls  a long heading  another long heading\nwealth  ann   4      1               2\n"
    text += "wealth  bo    5      3               4\ntotal         9      4               6\n"
    assert folded(text, 40) == (
        "team    user  calls  a long heading\nwealth  ann   4      1\nwealth  bo    5      3\ntotal         9      4\n"
        "\n"
        "team    user  another long heading\nwealth  ann   2\nwealth  bo    4\ntotal         6\n"
    )


def test_a_long_last_column_goes_on_beneath_itself():
    text = "ms   event   detail\n0.0  opened  route advisor-voice, JSON; estimated 42 + 256 tokens\n"
    assert folded(text, 50) == (
        "ms   event   detail\n0.0  opened  route advisor-voice, JSON; estimated\n             42 + 256 tokens\n"
    )


def test_a_long_line_goes_on_under_its_beginning():
    assert folded("  user: What is the current allocation of them all?\n", 40) == (
        "  user: What is the current allocation\n      of them all?\n"
    )


def test_indented_lines_are_no_table_whatever_gaps_they_have():
    text = "2026-11-26T00:24:05Z  call 17\n  user: What is the allocation of them?\n"
    assert folded(text, 36) == "2026-11-26T00:24:05Z  call 17\n  user: What is the allocation of\n      them?\n"


def test_what_is_said_stands_behind_who_says_it():
    assert hanging("  ann  ", "What is the current allocation of them?", 37) == [
        "  ann  What is the current allocation",
        "       of them?",
    ]


@given(lines=st.lists(st.lists(WORD, max_size=30), max_size=6), width=st.integers(LEAST, 60))
def test_no_word_is_lost_and_no_line_is_too_long(lines, width):
    text = "\n".join(" ".join(words) for words in lines) + "\n"
    shown = folded(text, width)
    assert words_of(shown) == words_of(text)
    assert max(map(len, shown.split("\n"))) <= width


@given(rows=st.lists(CELLS, min_size=1, max_size=5), width=st.integers(LEAST, 100))
def test_every_cell_of_a_table_is_on_the_page(rows, width):
    columns = ["n", "first", "second", "third"]
    numbered = [dict(zip(columns, [str(n), *row], strict=True)) for n, row in enumerate(rows)]
    shown = folded(written(columns, numbered, Form.table), width)
    assert set(words_of(shown)) == {*columns, *(cell for row in numbered for cell in row.values())}
    assert max(map(len, shown.split("\n"))) <= width
