"""Imported costs: a CSV file -> exact rows, or every mistake of it."""

from decimal import Decimal

import pytest

from trunkline.config.other_costs import COLUMNS, read_other_costs
from trunkline.config.problems import ConfigInvalid
from trunkline.model.other_costs import OtherCost

HEADER = "at,kind,amount,session,user,note\n"


def test_a_row_is_exact_and_a_day_begins_where_the_tenant_is():
    rows = "2026-06-30,telephony,0.0135,s-1,,\n2026-06-30T12:00:00+02:00,speech,-1.000000000000000001,,ann,taken back\n"
    assert read_other_costs(HEADER + rows, "t.csv", "America/New_York") == (
        OtherCost("2026-06-30T04:00:00.000000Z", "telephony", Decimal("0.0135"), "s-1"),
        OtherCost("2026-06-30T10:00:00.000000Z", "speech", Decimal("-1.000000000000000001"), None, "ann", "taken back"),
    )


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("30.06.2026,speech,1,,,", "at"),
        ("2026-06-31,speech,1,,,", "at"),
        ("2026-06-30T12:00:00,speech,1,,,", "at"),
        ("0001-01-01T00:00:00+14:00,speech,1,,,", "at"),
        ("0001-01-01T00:00:00Z,speech,1,,,", "at"),
        ("9999-12-31T23:59:59Z,speech,1,,,", "at"),
        ("9999-12-31,speech,1,,,", "at"),
        ("2026-06-30,,1,,,", "kind"),
        ("2026-06-30,text to speech,1,,,", "kind"),
        ('2026-06-30,speech,"1,5",,,', "amount"),
        ("2026-06-30,speech,$1,,,", "amount"),
        ("2026-06-30,speech,1e3,,,", "amount"),
        ("2026-06-30,speech,0.0000000000000000001,,,", "amount"),
        ("2026-06-30,speech,1,a\u202eb,,", "session"),
        (f"2026-06-30,speech,1,,{'a' * 513},", "user"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_field(row, column):
    with pytest.raises(ConfigInvalid) as invalid:
        read_other_costs(f"{HEADER}{row}\n", "t.csv", "UTC")
    (problem,) = invalid.value.problems
    assert (problem.line, problem.path, problem.column) == (2, column, COLUMNS.index(column) + 1)
    assert problem.fix
