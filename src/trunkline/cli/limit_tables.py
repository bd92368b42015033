"""How limits and budgets are used, on standard output."""

import sys
from decimal import Decimal

import msgspec

from trunkline.channel.messages import LimitUse
from trunkline.cli.lists import Cell, written
from trunkline.cli.options import Form
from trunkline.cli.tables import say_behind
from trunkline.control.answers import LimitsInUse
from trunkline.ledger.limit_answers import SimulationReport

COLUMNS = (
    "owner",
    "rule",
    "percent",
    "used",
    "limit",
    "left",
    "unit",
    "per",
    "resets_in_s",
    "tenant",
    "enforced",
)
SIMULATED = (
    "calls",
    "percent",
    "effect",
    "tenant",
    "rule",
    "owner",
    "longest_wait_s",
    "first",
    "last",
    "example",
)
UNITS = {"requests": "requests", "tokens": "tokens", "concurrent": "calls", "money": "USD"}
NANO_USD = Decimal("0.000000001")
# Nobody knows when a running call will end.
UNFORESEEABLE = "concurrent"


def print_uses(found: LimitsInUse, form: Form) -> None:
    """Print how limits are used."""
    sys.stdout.write(written(COLUMNS, [_row(use) for use in found.uses], form))
    sys.stdout.flush()


def print_simulation(report: SimulationReport, form: Form) -> None:
    """Print what limits would have done; totals and what is missing on standard error, beside a list for programs."""
    rows: list[dict[str, Cell]] = [
        {name: value for name, value in msgspec.structs.asdict(row).items() if name in SIMULATED}
        | {"percent": None if row.share is None else round(100 * row.share, 2), "longest_wait_s": row.longest_wait}
        for row in report.rows
    ]
    text = written(SIMULATED, rows, form) if rows or form is not Form.table else ""
    total = f"{report.refused:,} of {report.calls:,} calls would have been refused"
    if form is Form.table:
        sys.stdout.write(f"{text}{total}\n")
    else:
        sys.stdout.write(text)
        sys.stderr.write(f"trunkline: {total}\n")
    sys.stdout.flush()
    if report.left_out:
        sys.stderr.write(f"trunkline: {report.left_out:,} more rows; --top shows more, --tenant chooses\n")
    if report.unjudged:
        sys.stderr.write(f"trunkline: {report.unjudged:,} calls are of tenants that the configuration does not have\n")
    say_behind(report.behind)


def _row(use: LimitUse) -> dict[str, Cell]:
    foreseeable = use.used and use.measure != UNFORESEEABLE and use.reset is not None
    return {
        "percent": round(100 * use.used / use.limit, 1),
        "used": _amount(use.used, use.measure),
        "limit": _amount(use.limit, use.measure),
        "left": _amount(max(0, use.limit - use.used), use.measure),
        "unit": UNITS[use.measure],
        "per": use.period or None,
        "resets_in_s": round(use.reset, 1) if foreseeable and use.reset is not None else None,
        "tenant": use.tenant,
        "rule": use.rule,
        "owner": f"each {use.scope}" if use.owner is None else use.owner,
        "enforced": use.enforced,
    }


def _amount(units: int, measure: str) -> Cell:
    return (units * NANO_USD).normalize() if measure == "money" else units
