import csv
import io
import json

from hypothesis import given
from hypothesis import strategies as st

from trunkline.cli.lists import FORMULA, written
from trunkline.cli.options import Form
from trunkline.operations import neutral

COLUMNS = ("name", "count", "routes")
CELLS = st.one_of(st.none(), st.text(), st.integers(), st.booleans())
ROWS = st.lists(st.fixed_dictionaries({"name": CELLS, "count": CELLS, "routes": st.lists(st.text(), max_size=2)}))


def test_a_table_lines_up_and_shows_nothing_as_a_dash():
    rows = [{"name": "a", "count": 10, "routes": ["x", "y"]}, {"name": "日本", "count": None, "routes": []}]
    assert written(COLUMNS, rows, Form.table).splitlines() == [
        "name  count  routes",
        "a     10     x, y",
        "日本  -",
    ]


def test_csv_cells_that_a_spreadsheet_would_compute_are_text():
    rows = [{"name": text, "count": -1} for text in ("=1+1", "+1", "-1", "@x", "\tx", "\uff1dx", "plain")]
    read = list(csv.reader(io.StringIO(written(COLUMNS, rows, Form.csv))))
    assert [row[0][0] for row in read[1:-1]] == ["'", "'", "'", "'", "\\", "'"]
    assert read[-1] == ["plain", "-1", ""]


def test_headings_are_escaped_as_cells_are():
    columns, row = ("=1+1", "a\x1b[31mb"), {"=1+1": 1, "a\x1b[31mb": 2}
    assert written(columns, [row], Form.csv).splitlines()[0] == "'=1+1,a\\x1b[31mb"
    assert "\x1b" not in written(columns, [row], Form.table)


@given(ROWS)
def test_csv_has_one_row_for_each_and_no_cell_begins_a_formula(rows):
    read = list(csv.reader(io.StringIO(written(COLUMNS, rows, Form.csv))))
    assert len(read) == len(rows) + 1
    for row, cells in zip(rows, read[1:], strict=True):
        for column, cell in zip(COLUMNS, cells, strict=True):
            assert isinstance(row[column], int) or not cell.startswith(FORMULA)


@given(ROWS)
def test_json_keeps_values_and_types(rows):
    assert json.loads(written(COLUMNS, rows, Form.json)) == rows


@given(ROWS, st.sampled_from(Form))
def test_no_list_can_steer_a_terminal(rows, form):
    shown = written(COLUMNS, rows, form)
    assert neutral(shown.replace("\n", "")) == shown.replace("\n", "")
