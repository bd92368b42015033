"""How limits and budgets are used, on standard output."""

import sys
from decimal import Decimal

from trunkline.channel.messages import LimitUse
from trunkline.cli.lists import Cell, written
from trunkline.cli.options import Form
from trunkline.control.answers import LimitsInUse

COLUMNS = (
    "percent",
    "used",
    "limit",
    "left",
    "unit",
    "per",
    "resets_in_s",
    "tenant",
    "rule",
    "owner",
    "enforced",
)
UNITS = {"requests": "requests", "tokens": "tokens", "concurrent": "calls", "money": "USD"}
NANO_USD = Decimal("0.000000001")
# Nobody knows when a running call will end.
UNFORESEEABLE = "concurrent"


def print_uses(found: LimitsInUse, form: Form) -> None:
    """Print how limits are used."""
    sys.stdout.write(written(COLUMNS, [_row(use) for use in found.uses], form))
    sys.stdout.flush()


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
