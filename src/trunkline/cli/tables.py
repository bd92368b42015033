"""Tables of the ledger on standard output, and what has to be said beside them on standard error."""

import json
import sys

from trunkline.cli.lists import Cell, written
from trunkline.cli.options import Form
from trunkline.ledger.answers import Table

MEGABYTE = 1 << 20


def print_table(table: Table, form: Form, *, more: str) -> None:
    """Print a table; `more` says what to do where rows were left out."""
    rows = [{name: _cell(value, form) for name, value in zip(table.columns, row, strict=True)} for row in table.rows]
    sys.stdout.write(written(table.columns, rows, form))
    sys.stdout.flush()
    if table.more:
        sys.stderr.write(f"trunkline: there are more than these {len(table.rows):,} rows; {more}\n")
    say_behind(table.behind)


def say_behind(unread: int) -> None:
    """Say on standard error that the index lacks so many bytes of the logs, if it does."""
    if unread:
        megabytes = max(1, unread // MEGABYTE)
        sys.stderr.write(f"trunkline: the index has yet to read {megabytes:,} MB of the logs: the latest is missing\n")


def _cell(value: object, form: Form) -> Cell:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return value if form is Form.json else json.dumps(value)  # type: ignore[return-value]
