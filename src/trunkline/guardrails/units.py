"""Where a text may be cut: behind sentences or clauses. Boundaries depend on the text alone, never on how it came.

A sentence ends behind its end mark (and the closing quotes and brackets there) with the white space that follows, or
behind a line's end. A clause ends likewise behind a comma, semicolon, colon or dash. What has no end for `LONGEST`
characters is cut at its last space. The white space that proves an end belongs to the unit, one character of it, so
that who reads on can tell that the unit has ended.
"""

import re
from typing import Final, final

LONGEST: Final = 240
_SHORTEST_CUT: Final = LONGEST // 2  # where a long unit is cut, at the earliest
_ENDS: Final = ".!?…"
_ENDS_ALONE: Final = "。！？｡\n\r\u2028\u2029"
_CLOSERS: Final = "\"')]}»”’*_"
_CLAUSE_ENDS: Final = ",;:—–-"
_CLAUSE_ENDS_ALONE: Final = "、，；："
_SENTENCE_END: Final = rf"[{_ENDS}][{re.escape(_CLOSERS)}]*\s|[{_ENDS_ALONE}]"
_OF_SENTENCES: Final = re.compile(_SENTENCE_END)
_OF_CLAUSES: Final = re.compile(rf"{_SENTENCE_END}|[{re.escape(_CLAUSE_ENDS)}]\s|[{_CLAUSE_ENDS_ALONE}]")
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

    __slots__ = ("_ends", "_looked", "_tail", "open_at")

    def __init__(self, *, clauses: bool) -> None:
        self._ends = _OF_CLAUSES if clauses else _OF_SENTENCES
        self._tail = ""
        self._looked = 0  # how much of the tail is known to hold no boundary
        self.open_at = 0

    def feed(self, text: str, last: bool) -> list[Unit]:
        """Take the next piece and return the units that have ended; the last piece ends the last unit."""
        tail = self._tail + text if self._tail else text
        units: list[Unit] = []
        begin, length = 0, len(tail)
        end = self._boundary(tail, 0, _before_mark(tail, self._looked))
        while end:
            units.append(Unit(tail[begin:end], self.open_at + begin))
            begin = end
            end = self._boundary(tail, begin, begin)
        if last and begin < length:
            units.append(Unit(tail[begin:], self.open_at + begin))
            begin = length
        self._tail = tail[begin:]
        self._looked = length - begin
        self.open_at += begin
        return units

    def _boundary(self, tail: str, begin: int, place: int) -> int:
        """Return where the unit ends that begins at `begin`, 0 if it goes on; nothing before `place` ends it."""
        limit = begin + LONGEST
        match = self._ends.search(tail, place, limit)
        while match is not None:
            start, end = match.start(), match.end()
            mark = tail[start]
            if tail[end - 1] in _ENDS_ALONE or not (
                (mark == "." and _abbreviates(tail, begin, start)) or (start == begin and mark in _CLAUSE_ENDS)
            ):
                return end
            match = self._ends.search(tail, end, limit)
        if len(tail) < limit:
            return 0
        space = tail.rfind(" ", begin + _SHORTEST_CUT, limit)
        return (space + 1) if space >= 0 else limit


def _before_mark(tail: str, place: int) -> int:
    """Return where a mark may stand that what comes at `place` proves to be an end."""
    while place > 0 and tail[place - 1] in _CLOSERS:
        place -= 1
    return max(place - 1, 0)


def _abbreviates(tail: str, begin: int, stop: int) -> bool:
    """Whether the full stop at `stop` belongs to the word before it: an abbreviation, or somebody's initial."""
    start = stop
    while start > begin and stop - start < 8:
        before = tail[start - 1]
        if before.isspace() or before in _CLAUSE_ENDS_ALONE:  # where a word ends, whichever units are cut
            break
        start -= 1
    word = tail[start:stop].lstrip("(\"'[").lower()
    if word == "no" and start == begin:
        return False  # an answer, not a number
    return word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha() and word != "i")
