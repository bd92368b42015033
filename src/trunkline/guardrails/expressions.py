"""Regular expressions that can be followed through a text that is still coming.

An expression is read once and written twice for RE2: as itself, and as all that could be the beginning of a match
(`prefixes`). Where the end of a text is such a beginning, more text may make a match of it. RE2 takes linear time,
whatever the text is; what it cannot do (look around, back references) is refused here, and so are anchors, since a text
that still comes has no end.

Letters are folded as text is (`folding`), so an expression matches whatever its case. Source: RE2's syntax page.
"""

import re
import warnings
from re import _constants as names  # type: ignore[attr-defined]  # what `re` reads an expression to
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final, final

from trunkline.guardrails.folding import folded_character

LONGEST_EXPRESSION: Final = 2000  # characters
DEEPEST: Final = 50
MOST_REPEATS: Final = 1000  # RE2's limit
ENDLESS: Final = 1 << 30
_CATEGORIES: Final = {
    names.CATEGORY_DIGIT: r"\d",
    names.CATEGORY_NOT_DIGIT: r"\D",
    names.CATEGORY_SPACE: r"\s",
    names.CATEGORY_NOT_SPACE: r"\S",
    names.CATEGORY_WORD: r"\w",
    names.CATEGORY_NOT_WORD: r"\W",
}
_BOUNDARIES: Final = {names.AT_BOUNDARY: r"\b", names.AT_NON_BOUNDARY: r"\B"}


class BadExpression(ValueError):
    """An expression that cannot be followed; says why."""


@final
class Expression:
    """An expression of RE2's. Never changed.

    `matches` and `prefixes` are RE2's syntax; `least` and `most` say how long a match can be, in folded characters,
    `most` being ENDLESS where nothing bounds it. `groups` counts its groups: one at most.
    """

    __slots__ = ("groups", "least", "matches", "most", "prefixes")

    def __init__(self, matches: str, prefixes: str, least: int, most: int, groups: int = 0) -> None:
        self.matches, self.prefixes, self.least, self.most, self.groups = matches, prefixes, least, most, groups


def expression(text: str) -> Expression:
    """Return what an expression says. Raises BadExpression."""
    if len(text) > LONGEST_EXPRESSION:
        raise BadExpression(f"it is longer than {LONGEST_EXPRESSION} characters")
    if _depth(text) > DEEPEST:
        raise BadExpression(f"its groups stand more than {DEEPEST} deep in each other")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what may mean something else in a later Python
            found = _sequence(list(parser.parse(text, re.IGNORECASE)))
    except (re.error, OverflowError) as error:
        raise BadExpression(f"it is not a regular expression: {error}") from None
    if found.least == 0:
        raise BadExpression("it matches where there is nothing")
    if found.groups > 1:
        raise BadExpression("it has more than one group; write `(?:...)` for those that only hold together")
    return found


def _depth(text: str) -> int:
    """Return how deep groups stand in each other, at most."""
    depth = deepest = 0
    for character in text:
        depth += (character == "(") - (character == ")" and depth > 0)
        deepest = max(deepest, depth)
    return deepest


def words(text: str) -> Expression:
    """Return the expression of a word or a phrase that stands by itself, with any white space between its words.

    Raises BadExpression.
    """
    parts = text.split()
    if not parts or len(text) > LONGEST_EXPRESSION:
        raise BadExpression("it is empty" if not parts else f"it is longer than {LONGEST_EXPRESSION} characters")
    start = r"\b" if _is_word(parts[0][0]) else ""
    end = r"\b" if _is_word(parts[-1][-1]) else ""
    return expression(start + r"\s{1,4}".join([re.escape(part) for part in parts]) + end)


def any_of(expressions: list[Expression]) -> Expression:
    """Return the expression of any of these; of those that match at one place, the longest one first."""
    if len(expressions) == 1:
        return expressions[0]
    return _branch(sorted(expressions, key=lambda one: -one.most))


def _is_word(character: str) -> bool:
    folded = folded_character(character)
    return folded.isascii() and (folded.isalnum() or folded == "_")


def _sequence(items: list[Any]) -> Expression:
    parts = [part for item in items for part in _parts(*item)]
    matches = "".join([part.matches for part in parts])
    prefixes = ""
    for part in reversed(parts):
        # A part may be begun, or be there whole with the next one begun.
        prefixes = f"(?:{part.prefixes}|{part.matches}{prefixes})" if prefixes else f"(?:{part.prefixes})"
    return Expression(
        matches,
        prefixes,
        sum(part.least for part in parts),
        min(sum(part.most for part in parts), ENDLESS),
        sum(part.groups for part in parts),
    )


def _parts(kind: Any, value: Any) -> list[Expression]:
    if kind is names.LITERAL:
        return [_one(_escaped(character)) for character in _folded(value)]
    if kind is names.NOT_LITERAL:
        return [_one(f"[^{''.join(_escaped(character) for character in _folded(value))}]")]
    if kind is names.ANY:
        return [_one(r"[^\n]")]
    if kind is names.IN:
        return [_one(_class(value))]
    if kind is names.BRANCH:
        return [_branch([_sequence(list(branch)) for branch in value[1]])]
    if kind is names.SUBPATTERN:
        return [_group(*value)]
    if kind in {names.MAX_REPEAT, names.MIN_REPEAT}:
        return [_repeated(*value, lazy=kind is names.MIN_REPEAT)]
    if kind is names.AT and value in _BOUNDARIES:
        # Whether this is one is not known before the next character has come.
        return [Expression(_BOUNDARIES[value], "", 0, 0)]
    if kind is names.AT:
        raise BadExpression("it has an anchor (`^` or `$`), and a text that still comes has neither lines nor an end")
    raise BadExpression("it looks ahead, behind or back, which takes more than linear time")


def _one(matches: str) -> Expression:
    return Expression(matches, "", 1, 1)


def _branch(branches: list[Expression]) -> Expression:
    return Expression(
        f"(?:{'|'.join([branch.matches for branch in branches])})",
        f"(?:{'|'.join(dict.fromkeys([branch.prefixes for branch in branches]))})",
        min(branch.least for branch in branches),
        max(branch.most for branch in branches),
        sum(branch.groups for branch in branches),
    )


def _group(group: int | None, added: int, removed: int, items: Any) -> Expression:
    if removed or added & ~re.IGNORECASE:
        raise BadExpression("it sets flags other than `i`, which is always set")
    inner = _sequence(list(items))
    opening = "(?:" if group is None else "("
    return Expression(
        f"{opening}{inner.matches})", inner.prefixes, inner.least, inner.most, inner.groups + (group is not None)
    )


def _repeated(least: int, most: Any, items: Any, *, lazy: bool) -> Expression:
    inner = _sequence(list(items))
    if inner.groups:
        raise BadExpression("a group is repeated; write `(?:...)` for those that only hold together")
    endless = most is names.MAXREPEAT
    if most == 0 or least > MOST_REPEATS or (not endless and most > MOST_REPEATS):
        raise BadExpression(f"something is repeated more than {MOST_REPEATS} times, or never")
    if inner.least == 0 and (endless or most > 1):
        raise BadExpression("it repeats what may be nothing")
    upper = "" if endless else str(most)
    before = f"(?:{inner.matches})*" if endless else f"(?:{inner.matches}){{0,{most - 1}}}" if most > 1 else ""
    return Expression(
        f"(?:{inner.matches}){{{least},{upper}}}" + ("?" if lazy else ""),
        before + inner.prefixes,
        inner.least * least,
        ENDLESS if endless else min(inner.most * int(most), ENDLESS),
    )


def _class(items: Any) -> str:
    inside = ""
    for kind, value in items:
        if kind is names.NEGATE:
            inside += "^"
        elif kind is names.LITERAL:
            inside += "".join([_escaped(character) for character in _folded(value)])
        elif kind is names.RANGE:
            inside += _range(*value)
        else:
            inside += _CATEGORIES[value]
    return f"[{inside}]"


def _range(first: int, last: int) -> str:
    if chr(first).isalpha() and chr(last).isalpha() and first < 128:
        first, last = ord(chr(first).lower()), ord(chr(last).lower())
    if first > last:
        raise BadExpression("a range of letters must be of one case")
    return f"{_escaped(chr(first))}-{_escaped(chr(last))}"


def _folded(code: int) -> str:
    folded = folded_character(chr(code))
    if not folded:
        raise BadExpression("it has a character that is not seen, which text is rid of before")
    return folded


def _escaped(character: str) -> str:
    return character if character.isalnum() and character.isascii() else f"\\x{{{ord(character):x}}}"
