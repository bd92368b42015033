"""Lists on standard output: for eyes, for programs, for spreadsheets. Cells hold what came from outside."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal

from rich.cells import cell_len

from trunkline.cli.options import Form
from trunkline.model.money import plain
from trunkline.operations import neutral

Cell = str | int | float | bool | Decimal | None | Sequence[str]
Row = Mapping[str, Cell]

# What spreadsheets take for the beginning of a formula, in ASCII and in full width (OWASP, "CSV Injection").
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
GAP = "  "


def written(columns: Sequence[str], rows: Sequence[Row], form: Form) -> str:
    """Return the rows as text that ends in a line feed. JSON keeps types; None is `-` in a table, nothing in CSV."""
    if form is Form.json:
        return _json(columns, rows)
    if form is Form.csv:
        return _csv(columns, rows)
    return _table(columns, rows)


def _json(columns: Sequence[str], rows: Sequence[Row]) -> str:
    values = [{column: row.get(column) for column in columns} for row in rows]
    # ASCII only: nothing in it can steer a terminal.
    return json.dumps(values, indent=2, default=_exact).replace("\x7f", "\\u007f") + "\n"


def _exact(value: object) -> str:
    """Return a decimal as text: JSON's numbers are binary floats."""
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is no cell")
    return plain(value)


def _csv(columns: Sequence[str], rows: Sequence[Row]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_csv_cell(column) for column in columns])
    for row in rows:
        writer.writerow([_csv_cell(row.get(column)) for column in columns])
    return out.getvalue()


def _csv_cell(value: Cell) -> str:
    text = neutral(_shown(value, nothing=""))
    if isinstance(value, int | float | Decimal) or not text.startswith(FORMULA):
        return text
    return f"'{text}"


def _table(columns: Sequence[str], rows: Sequence[Row]) -> str:
    lines = [[neutral(column).replace("_", " ") for column in columns]]
    lines += [[neutral(_shown(row.get(column), nothing="-")) for column in columns] for row in rows]
    widths = [max(cell_len(line[i]) for line in lines) for i in range(len(columns))]
    return "".join(
        GAP.join(cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in lines
    )


def _shown(value: Cell, nothing: str) -> str:
    if value is None:
        return nothing
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, str | int | float):
        return str(value)
    return ", ".join(value)
