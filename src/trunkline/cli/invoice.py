"""A provider's bill as a CSV file, and its comparison with our count on standard output."""

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from trunkline.cli.failure import ConfigurationFailed
from trunkline.cli.lists import Cell, written
from trunkline.cli.options import Form
from trunkline.config.csv_rows import CsvFile
from trunkline.config.directory import is_day
from trunkline.config.other_costs import AMOUNT
from trunkline.config.places import TooManyProblems
from trunkline.ledger.reconcile import Billed, Compared

COLUMNS = ("day", "model", "amount", "tokens")
NEEDED = ("day", "model", "amount")
MOST_ROWS = 100_000
TOKENS = re.compile(r"[0-9]{1,15}", re.ASCII)


def read_bill(text: str, file: str) -> list[Billed]:
    """Return the lines of a bill. Raises ConfigurationFailed with every mistake of it."""
    bill = CsvFile(file, COLUMNS, NEEDED, MOST_ROWS)
    lines = []
    try:
        for line, (day, model, amount, tokens) in bill.rows(text):
            if not is_day(day):
                bill.report(line, "day", "is no day of the calendar", "write it like 2026-06-30")
            if not model:
                bill.report(line, "model", "is empty", "name the model")
            if not AMOUNT.fullmatch(amount):
                bill.report(
                    line, "amount", "is no amount in USD", "write it like 12.34, with a point and no sign of money"
                )
            if tokens and not TOKENS.fullmatch(tokens):
                bill.report(line, "tokens", "is no number of tokens", "write digits alone, or nothing")
            lines.append((day, model, amount, tokens))
    except TooManyProblems:
        pass
    if bill.problems.found:
        raise ConfigurationFailed("the bill is not good; mend what is named above", list(map(str, bill.problems.found)))
    return [
        Billed(day, model, Decimal(amount), int(tokens) if tokens else None) for day, model, amount, tokens in lines
    ]


def days_of(bill: Sequence[Billed]) -> tuple[date, date]:
    """Return the first and the last day of a bill that has lines."""
    days = [date.fromisoformat(line.day) for line in bill]
    return min(days), max(days)


def compared(lines: Sequence[Compared], total: Compared, form: Form) -> str:
    """Return the comparison as text, the total last."""
    return written(Compared._fields, [_row(line) for line in (*lines, total)], form)


def _row(line: Compared) -> dict[str, Cell]:
    return line._asdict()
