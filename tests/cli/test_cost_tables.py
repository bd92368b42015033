"""How a report of cost is written."""

import json

import pytest

from trunkline.cli.cost_tables import told
from trunkline.cli.options import Form
from trunkline.ledger.cost_answers import CostReport, CostRow


def row(group=(), **fields):
    figures = {
        "calls": 4, "conversations": 1, "prompt_tokens": 100, "cached_tokens": 0, "completion_tokens": 9,
        "cost": "0.02", "imported": "0", "total": "0.02", "cost_per_conversation": "0.020000",
        "estimated_share": "0.1250", "cancelled_share": None, "failed_share": "0.0000",
    }  # fmt: skip
    return CostRow(group=group, **(figures | fields))


def report(*rows, **total):
    return CostReport(("user",), rows, row(**total))


def test_a_table_has_percents_a_row_for_nobody_and_the_total_last():
    lines = told(report(row(("ann",)), row((None,))), Form.table).splitlines()
    assert [line.split()[0] for line in lines] == ["user", "ann", "(none)", "total"]
    assert "12.5 %" in lines[1]


@pytest.mark.parametrize(
    ("fields", "words"),
    [({}, []), ({"imported": "1"}, ["imported", "total"]), ({"total_before": "1", "change": "-0.98"}, ["change"])],
)
def test_a_table_leaves_out_what_nothing_is_in(fields, words):
    head = told(report(row(("ann",)), **fields), Form.table).splitlines()[0]
    assert [word for word in ("imported", "  total", "change") if word in head.replace("total before", "")] == [
        f"  {word}" if word == "total" else word for word in words
    ]


def test_what_is_less_than_before_is_a_number_in_csv_and_no_formula():
    written = told(report(row(("=x",)), total_before="1", change="-0.98"), Form.csv)
    assert written.splitlines()[-1].split(",")[-4] == "-0.98"
    assert written.splitlines()[1].startswith("'=x,")


def test_json_has_exact_amounts_as_text_and_nobody_as_null():
    found = json.loads(told(report(row((None,))), Form.json))
    assert found["rows"][0]["user"] is None
    assert (found["rows"][0]["cost"], found["total"]["estimated_share"]) == ("0.02", "0.1250")
    assert "user" not in found["total"]
