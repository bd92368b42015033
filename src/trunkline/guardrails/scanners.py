"""The two ready-made scanners for checks that look at one unit of a text at a time; `patterns` has the third."""

from collections.abc import Callable, Sequence
from typing import Final, final

from trunkline.guardrails.check import NOTHING, Found, Hold, Scanner
from trunkline.guardrails.units import UnitCutter

CARRIED: Final = 2  # units that the next one is read with
LONGEST_WHOLE: Final = 1 << 20  # characters of a text that is held until its end

# Finds things in a unit; the second text is what came just before it, which has been cleared.
UnitCheck = Callable[[str, str], Sequence[Found]]
WholeCheck = Callable[[str], Sequence[Found]]


class TooLong(Exception):
    """A text cannot be held until its end: the check that needs all of it cannot be made."""

    def __init__(self) -> None:
        super().__init__(f"longer than {LONGEST_WHOLE} characters")


@final
class UnitScanner:
    """Shows a check sentence after sentence, or clause after clause, each with the two before it.

    What the check finds in the text before is taken to begin with the unit: that text may have left already.
    """

    __slots__ = ("_before", "_check", "_cutter")

    def __init__(self, check: UnitCheck, *, clauses: bool = False) -> None:
        self._check = check
        self._cutter = UnitCutter(clauses=clauses)
        self._before: list[str] = []

    @property
    def open_at(self) -> int:
        """Where the unit begins that has not ended."""
        return self._cutter.open_at

    def feed(self, text: str, last: bool) -> Sequence[Found]:
        """Check the units that this piece ends."""
        found: list[Found] = []
        for unit in self._cutter.feed(text, last):
            for one in self._check(unit.text, "".join(self._before)):
                start = max(one.start, 0)
                end = min(max(one.end, start + 1), len(unit.text))
                found.append(Found(one.rule, unit.start + start, unit.start + end, one.score, one.why))
            self._before = [*self._before[1 - CARRIED :], unit.text]
        return found or NOTHING


@final
class WholeScanner:
    """Shows a check the whole text, at its end."""

    __slots__ = ("_check", "_length", "_parts", "open_at")

    def __init__(self, check: WholeCheck) -> None:
        self._check = check
        self._parts: list[str] = []
        self._length = 0
        self.open_at = 0

    def feed(self, text: str, last: bool) -> Sequence[Found]:
        """Keep the piece; check at the last. Raises TooLong."""
        self._length += len(text)
        if self._length > LONGEST_WHOLE:
            raise TooLong
        self._parts.append(text)
        if not last:
            return NOTHING
        self.open_at = max(self._length, 1)
        return self._check("".join(self._parts))


def scanner_of(hold: Hold, check: UnitCheck) -> Scanner:
    """Return the scanner that shows a check so much text at a time."""
    if hold == "whole":
        return WholeScanner(lambda text: check(text, ""))
    return UnitScanner(check, clauses=hold == "clause")
