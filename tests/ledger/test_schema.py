"""The index begins with the tables and views that its pages promise."""

import duckdb
import pytest

from trunkline.ledger.schema import MONEY, VIEWS, people, statements


@pytest.fixture
def empty():
    with duckdb.connect() as connection:
        for statement in (*people("/dev/null"), *statements()):
            connection.execute(statement)
        yield connection


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_has_the_columns_and_types_that_are_said(empty, view):
    found = empty.execute(f'DESCRIBE "{view}"').fetchall()
    assert [(name, kind) for name, kind, *_ in found] == [
        (name, kind.replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE")) for name, kind in VIEWS[view].items()
    ]


def test_money_is_decimal_in_every_view():
    money = {(view, column) for view, columns in VIEWS.items() for column, kind in columns.items() if kind == MONEY}
    assert money == {
        ("calls", "cost"),
        ("costs", "unit_price"),
        ("costs", "amount"),
        ("sessions", "cost"),
        ("imports", "amount"),
    }
