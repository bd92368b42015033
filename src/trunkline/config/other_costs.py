"""What calls do not cost at a model's provider (speech, telephony), as a CSV file -> rows; or every mistake of it.

A row is `at,kind,amount,session,user,note`: the columns in any order, the first three at least. `at` is a day of the
tenant's time zone, or a moment with its zone. `amount` is USD, exact; one below 0 takes back what was imported before.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from trunkline.config.csv_rows import CsvFile
from trunkline.config.directory import is_day
from trunkline.config.kinds import NODE
from trunkline.config.places import TooManyProblems
from trunkline.config.problems import ConfigInvalid
from trunkline.model.names import CONTROL, NAME_LIMIT
from trunkline.model.other_costs import OtherCost

COLUMNS = ("at", "kind", "amount", "session", "user", "note")
NEEDED = ("at", "kind", "amount")
MOST_ROWS = 250_000
AMOUNT = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,18})?", re.ASCII)
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})", re.ASCII)


def read_other_costs(text: str, file: str, time_zone: str) -> tuple[OtherCost, ...]:
    """Return the rows of a file. Raises ConfigInvalid with every mistake of it."""
    reader = _Reader(file, time_zone)
    try:
        rows = reader.read(text)
    except TooManyProblems:
        rows = ()
    if reader.problems.found:
        raise ConfigInvalid(reader.problems.found)
    return rows


FIRST_YEAR, LAST_YEAR = 1970, 9998


class _Reader:
    def __init__(self, file: str, time_zone: str) -> None:
        self._file = CsvFile(file, COLUMNS, NEEDED, MOST_ROWS)
        self.problems, self._report = self._file.problems, self._file.report
        self._zone = ZoneInfo(time_zone)

    def read(self, text: str) -> tuple[OtherCost, ...]:
        return tuple(self._row(line, *fields) for line, fields in self._file.rows(text))

    def _row(self, line: int, *fields: str) -> OtherCost:
        at, kind, amount, session, user, note = fields
        if not NODE.fullmatch(kind):
            self._report(line, "kind", "is not made of letters, digits, `.`, `_` and `-`", "write it like telephony")
        if not AMOUNT.fullmatch(amount):
            self._report(line, "amount", "is no amount in USD", "write it like 0.0135, with a point and no unit")
        for column, value in (("session", session), ("user", user), ("note", note)):
            if len(value) > NAME_LIMIT or CONTROL.search(value):
                fix = f"write at most {NAME_LIMIT} characters without control characters"
                self._report(line, column, "is no name", fix)
        exact = Decimal(amount) if AMOUNT.fullmatch(amount) else Decimal(0)
        return OtherCost(self._moment(line, at), kind, exact, session or None, user or None, note or None)

    def _moment(self, line: int, at: str) -> str:
        """Return a moment in UTC; of a day its beginning where the tenant is."""
        try:
            if is_day(at):
                return _utc(datetime.fromisoformat(at).replace(tzinfo=self._zone))
            if MOMENT.fullmatch(at):
                return _utc(datetime.fromisoformat(at))
        except (ValueError, OverflowError):
            pass
        self._report(line, "at", "is no time", "write a day like 2026-06-30, or a moment like 2026-06-30T12:00:00Z")
        return ""


def _utc(moment: datetime) -> str:
    """Return a moment in UTC; raises ValueError at the calendar's edges, where a time zone may have no such day."""
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError("the moment is at the edge of the calendar")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
