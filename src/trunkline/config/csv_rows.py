"""Rows of a CSV file with named columns, and the list of what is wrong with them, line by line."""

import csv
import io
from collections.abc import Iterator, Sequence

from trunkline.config.places import Problems, nearest
from trunkline.config.problems import Problem

# Excel saves "CSV UTF-8" with it.
BYTE_ORDER_MARK = "\ufeff"


class CsvFile:
    """A file whose first line names its columns: those that are `needed`, and others of `columns`, in any order.

    A problem's column is the number of the field, in the order of `columns`.
    """

    def __init__(self, file: str, columns: Sequence[str], needed: Sequence[str], most: int) -> None:
        self.problems = Problems(file)
        self._columns, self._needed, self._most = columns, needed, most

    def report(self, line: int, column: str, message: str, fix: str) -> None:
        """Report a mistake; an empty `column` means the whole line. Raises TooManyProblems."""
        position = self._columns.index(column) + 1 if column else 1
        self.problems.take(Problem(self.problems.file, line, position, column, message, fix))

    def rows(self, text: str) -> Iterator[tuple[int, Sequence[str]]]:
        """Yield each row with its line, its fields in the order of `columns`; one without a column is empty."""
        reader = csv.reader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK), newline=""), strict=True)
        try:
            header = next((row for row in reader if row), [])
            if not self._good_header(reader.line_num or 1, header):
                return
            places = [header.index(column) if column in header else len(header) for column in self._columns]
            for count, row in enumerate(reader, 1):
                if count > self._most:
                    self.report(reader.line_num, "", f"has more than {self._most:,} rows", "split it, or remove some")
                    return
                if len(row) == len(header):
                    row.append("")
                    yield reader.line_num, [row[place] for place in places]
                elif row:
                    wanted = f"has {len(row)} fields and the first line {len(header)}"
                    self.report(reader.line_num, "", wanted, "quote what has a comma in it; write all commas")
        except csv.Error as error:
            self.report(reader.line_num, "", f"is no CSV: {error}", "mend the quotes here; what follows was not read")

    def _good_header(self, line: int, header: Sequence[str]) -> bool:
        before = len(self.problems.found)
        for column in self._needed:
            if column not in header:
                how = f"write the line `{','.join(self._columns)}` first"
                self.report(line, "", f"there is no column `{column}`", how)
        for column in dict.fromkeys(header):
            if column not in self._columns:
                fix = (
                    "separate columns with commas"
                    if ";" in column or "\t" in column
                    else nearest(column, self._columns)
                )
                self.report(line, "", f"no such column: `{column[:100]}`", fix)
            elif header.count(column) > 1:
                self.report(line, column, "the column is there twice", "remove one of the two")
        return len(self.problems.found) == before
