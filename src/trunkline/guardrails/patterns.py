"""Rules that are regular expressions, and the scanner that follows all of a check's rules through a text.

What comes out is held back from the first place on at which a match could still begin, which is usually the end of the
text. Matches are the leftmost ones of each rule that do not overlap. Where a match may be endless, it is a finding once
it could be as long as the rule's `cap`.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final, final

import re2

from trunkline.guardrails.check import NOTHING, Found, Hold, Scanner
from trunkline.guardrails.expressions import BadExpression, Expression
from trunkline.guardrails.folding import Folding

CAP: Final = 256  # folded characters
GRID: Final = 1024  # at each of these offsets it is seen whether a match has reached its cap, whatever pieces come
_MEMORY: Final = 32 << 20  # bytes that RE2 may use for all rules of a check together

# How much of what was matched, as folded, really is what was looked for (by a checksum, say): 0 if nothing of it is.
Verify = Callable[[str], int]


@final
class Rule:
    """One thing to be found. Never changed. What is found is the expression's group, if it has one, else the match."""

    __slots__ = ("cap", "capped", "expression", "live", "matches", "name", "score", "verify", "why")

    def __init__(
        self,
        name: str,
        found: Expression,
        why: str = "",
        verify: Verify | None = None,
        score: float = 1.0,
        cap: int = CAP,
    ) -> None:
        self.name, self.expression, self.why = name, found, why
        self.verify, self.score, self.cap = verify, score, cap
        self.capped = found.most > cap
        self.matches = _compiled(found.matches)
        self.live = _compiled(f"{found.prefixes}\\z")


def _compiled(expression: str) -> Any:
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        raise BadExpression(f"RE2 does not take it: {error}") from None


@final
class Rules:
    """The rules of a check. Never changed. Raises BadExpression for more than RE2 can hold together."""

    __slots__ = ("any_live", "any_match", "capped", "every")

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.every = tuple(rules)
        self.capped = any(rule.capped for rule in rules)
        self.any_match = _compiled("|".join([rule.expression.matches for rule in rules]))
        self.any_live = _compiled(f"(?:{'|'.join([rule.expression.prefixes for rule in rules])})\\z")


@final
class PatternScanner:
    """Follows the rules of a check through one text."""

    __slots__ = ("_ahead", "_folding", "_length", "_open", "_rules", "open_at")

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._folding = Folding()
        self._length = 0  # of the text as it came
        self._open = 0  # the folded offset before which nothing begins any more
        self._ahead: dict[int, int] = {}  # the rules that have matched up to somewhere behind that
        self.open_at = 0

    def feed(self, text: str, last: bool) -> Sequence[Found]:
        """Take the next piece and return the findings that have become certain."""
        room = GRID - self._length % GRID
        if len(text) < room or (len(text) == room and not last):
            return self._take(text, last)
        found: list[Found] = []
        start = 0
        while start < len(text):
            piece = text[start : start + room]
            start += room
            found += self._take(piece, last and start >= len(text))
            room = GRID
        return found

    def _take(self, piece: str, last: bool) -> Sequence[Found]:
        rules, folding = self._rules, self._folding
        folding.add(piece)
        self._length += len(piece)
        text, at = _subject(folding.text), self._open - folding.begin
        capped = rules.capped and not last and self._length % GRID == 0
        found: Sequence[Found] = NOTHING
        if capped or rules.any_match.search(text, at) is not None:
            found = self._follow(last, capped)
        elif last:
            self._open = folding.end
        else:
            self._open = folding.begin + int(rules.any_live.search(text, at).start())
        self.open_at = max(self._length, 1) if last else folding.origin(self._open)
        folding.forget(self._open - 1)  # the one before tells whether a word begins
        return found

    def _follow(self, last: bool, capped: bool) -> list[Found]:
        """Follow each rule by itself."""
        found: list[Found] = []
        places: dict[int, int] = {}
        for index, rule in enumerate(self._rules.every):
            place = max(self._open, self._ahead.get(index, 0))
            places[index] = self._follow_rule(rule, place, found, last, capped=capped and rule.capped)
        self._open = min(*places.values(), self._folding.end)
        self._ahead = {index: place for index, place in places.items() if place > self._open}
        return found

    def _follow_rule(self, rule: Rule, place: int, found: list[Found], last: bool, *, capped: bool) -> int:
        """Add what the rule finds from `place` on, and return the first offset at which it may find more."""
        folding = self._folding
        text, begin, end = _subject(folding.text), folding.begin, folding.end
        group, live = rule.expression.groups, end if last else -1
        while place < end:
            if live < place:
                live = begin + int(rule.live.search(text, place - begin).start())
            match = rule.matches.search(text, place - begin)
            if match is not None and begin + match.start() < live:
                start, stop = match.span(group)
                place = begin + match.end()
                if rule.verify is not None:
                    accepted = rule.verify(folding.text[start:stop])
                    if accepted == 0:
                        place = begin + match.start() + 1
                        continue
                    if accepted < stop - start:
                        place = stop = start + accepted
                        place += begin
                found.append(self._found(rule, begin + start, begin + stop))
            elif capped and end - live >= rule.cap:
                found.append(self._found(rule, live, live + rule.cap))
                place = live + rule.cap
            else:
                return live
        return place

    def _found(self, rule: Rule, start: int, end: int) -> Found:
        folding = self._folding
        return Found(rule.name, folding.origin(start), folding.origin_end(end), rule.score, rule.why)


@final
class PatternCheck:
    """Finds what rules say. Raises BadExpression for more than can be held together."""

    __slots__ = ("_rules", "version")

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = Rules(rules)
        said = [f"{rule.name} {rule.cap} {rule.score} {rule.expression.matches}" for rule in rules]
        self.version = hashlib.sha256("\n".join(said).encode()).hexdigest()[:12]

    def scanner(self, hold: Hold) -> Scanner:  # noqa: ARG002 - a rule holds back what its match needs
        """Return a scanner for one text."""
        return PatternScanner(self._rules)


def _subject(text: str) -> str | bytes:
    """Return a text as RE2 takes it fastest, with the same offsets."""
    return text.encode() if text.isascii() else text
