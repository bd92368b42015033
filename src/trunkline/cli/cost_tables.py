"""Reports of cost on standard output."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from trunkline.cli.lists import Cell, written
from trunkline.cli.options import Form
from trunkline.ledger.cost_answers import CostReport, CostRow

NOBODY = "(none)"
TOTAL = "total"
COUNTS = ("calls", "conversations", "prompt_tokens", "cached_tokens", "completion_tokens")
AMOUNTS = ("cost", "imported", "total", "cost_per_conversation", "total_before", "change")
SHARES = ("estimated_share", "cancelled_share", "failed_share")
OTHERS = ("imported", "total")
COMPARED = ("total_before", "change")


def told(report: CostReport, form: Form) -> str:
    """Return a report as text. JSON is an object with `rows` and `total`; a table leaves out what nothing is in."""
    if form is Form.json:
        rows = [_named(report.by, row) for row in report.rows]
        return _json({"by": report.by, "rows": rows, "total": _named((), report.total)})
    columns = [*report.by, *_columns(report, form)]
    return written(columns, list(_rows(report, form)), form)


def _columns(report: CostReport, form: Form) -> list[str]:
    left_out: set[str] = set() if report.total.total_before is not None else set(COMPARED)
    if form is Form.table and not any(Decimal(row.imported) for row in (*report.rows, report.total)):
        left_out |= set(OTHERS)
    return [name for name in (*COUNTS, *AMOUNTS, *SHARES) if name not in left_out]


def _rows(report: CostReport, form: Form) -> Iterator[Mapping[str, Cell]]:
    for row in report.rows:
        names = (NOBODY if value is None else value for value in row.group)
        yield dict(zip(report.by, names, strict=True)) | _figures(row, form)
    names = (TOTAL if n == 0 else "" for n in range(len(report.by)))
    yield dict(zip(report.by, names, strict=True)) | _figures(report.total, form)


def _figures(row: CostRow, form: Form) -> dict[str, Cell]:
    found: dict[str, Cell] = {name: getattr(row, name) for name in COUNTS}
    for name in AMOUNTS:
        value = getattr(row, name)
        found[name] = None if value is None else Decimal(value)
    for name in SHARES:
        value = getattr(row, name)
        found[name] = _percent(value) if form is Form.table else None if value is None else Decimal(value)
    return found


def _percent(share: str | None) -> str | None:
    return None if share is None else f"{Decimal(share) * 100:.1f} %"


def _named(by: tuple[str, ...], row: CostRow) -> dict[str, Any]:
    figures: dict[str, Any] = msgspec.to_builtins(row)
    figures.pop("group")
    return dict(zip(by, row.group, strict=True)) | figures if by else figures


def _json(value: object) -> str:
    # ASCII only: nothing in it can steer a terminal.
    return json.dumps(value, indent=2).replace("\x7f", "\\u007f") + "\n"
