"""Where a text may be cut: behind sentences or clauses. Boundaries depend on the text alone, never on how it came.

A sentence ends behind its end mark (and the closing quotes and brackets there) with the white space that follows, or
behind a line's end. A clause ends likewise behind a comma, semicolon, colon or dash. What has no end for `LONGEST`
characters is cut at its last space. The white space that proves an end belongs to the unit, one character of it, so
that who reads on can tell that the unit has ended.
"""

from typing import Final, final

LONGEST: Final = 240
_SHORTEST_CUT: Final = LONGEST // 2  # where a long unit is cut, at the earliest
_ENDS: Final = frozenset(".!?…")
_ENDS_ALONE: Final = frozenset("。！？｡\n\r\u2028\u2029")
_CLAUSE_ENDS: Final = frozenset(",;:—–-")
_CLAUSE_ENDS_ALONE: Final = frozenset("、，；：")
_CLOSERS: Final = frozenset("\"')]}»”’*_")
_INTERESTING: Final = _ENDS | _ENDS_ALONE
# Behind these a full stop ends no sentence: more often than not a name follows.
_ABBREVIATIONS: Final = frozenset(
    ("mr", "mrs", "ms", "dr", "prof", "sr", "jr", "st", "inc", "corp", "co", "ltd", "vs", "no", "approx", "e.g", "i.e")
)


@final
class Unit:
    """A piece of text that was cut out, and where it begins."""

    __slots__ = ("start", "text")

    def __init__(self, text: str, start: int) -> None:
        self.text, self.start = text, start


@final
class UnitCutter:
    """Cuts one text, fed in pieces, into sentences or clauses. `open_at` is where the unfinished unit begins."""

    __slots__ = ("_clauses", "_looked", "_tail", "open_at")

    def __init__(self, *, clauses: bool) -> None:
        self._clauses = clauses
        self._tail = ""
        self._looked = 0  # how much of the tail is known to hold no boundary
        self.open_at = 0

    def feed(self, text: str, last: bool) -> list[Unit]:
        """Take the next piece and return the units that have ended; the last piece ends the last unit."""
        tail = self._tail + text
        units: list[Unit] = []
        begin, place, length = 0, self._looked, len(tail)
        while place < length:
            end = self._boundary(tail, begin, place)
            if end == 0:
                place += 1
                continue
            units.append(Unit(tail[begin:end], self.open_at + begin))
            begin = place = end
        if last and begin < length:
            units.append(Unit(tail[begin:], self.open_at + begin))
            begin = place = length
        self._tail = tail[begin:]
        self._looked = place - begin
        self.open_at += begin
        return units

    def _boundary(self, tail: str, begin: int, place: int) -> int:
        """Return the end of the unit if the character at `place` proves one, 0 if it does not."""
        character = tail[place]
        if character in _ENDS_ALONE or (self._clauses and character in _CLAUSE_ENDS_ALONE):
            return place + 1
        if character.isspace():
            before = place - 1
            while before > begin and tail[before] in _CLOSERS:
                before -= 1
            if before >= begin:
                mark = tail[before]
                if mark in _ENDS:
                    if mark != "." or not _abbreviates(tail, begin, before):
                        return place + 1
                elif self._clauses and mark in _CLAUSE_ENDS and before == place - 1 and before > begin:
                    return place + 1
        if place - begin + 1 >= LONGEST:
            space = tail.rfind(" ", begin + _SHORTEST_CUT, place + 1)
            return (space if space >= 0 else place) + 1
        return 0


def _abbreviates(tail: str, begin: int, stop: int) -> bool:
    """Whether the full stop at `stop` belongs to the word before it: an abbreviation, or somebody's initial."""
    start = stop
    while start > begin and not tail[start - 1].isspace() and stop - start < 8:
        start -= 1
    word = tail[start:stop].lstrip("(\"'[").lower()
    return word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha() and word != "i")
