"""The check `promissory`: words that promise what nobody can.

Sentence by sentence, since a promise that is denied ("past performance does not guarantee future results") is the
opposite of one. Source: FINRA Rule 2210(d)(1)(B) and (F): no promissory or misleading claims, no projections of
performance.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, final

import msgspec
import re2

from trunkline.guardrails.check import NOTHING, CheckKind, Found, Hold, Scanner
from trunkline.guardrails.folding import fold
from trunkline.guardrails.scanners import scanner_of

_NUMBER: Final = (
    r"(?:\d[\d,.]{0,9}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty"
    r"|double[- ]digit)"
)
_PERCENT: Final = rf"{_NUMBER}(?: (?:to|or|and a half|point) ?(?:{_NUMBER})?)? ?(?:%|percent|per cent)"
_GAIN: Final = r"(?:returns?|profits?|gains?|income|growth|yields?|interest|performance|money back|principal|results?)"
_WILL: Final = r"\b(?:will|'ll|going to|gonna|bound to|certain to|sure to)\b"
_EARN: Final = "(?:return|earn|make|gain|grow|deliver|generate|give|go up|bring)"
_NEVER: Final = r"\b(?:can't|cannot|can not|won't|will not|never|impossible to|no way to)"
_BETWEEN: Final = r"[^.;!?]{0,40}?"
# rule, what it is, and the words.
_RULES: Final = (
    (
        "guaranteed",
        "a guaranteed return",
        (
            rf"\bguarantee(?:s|d|ing)?\b{_BETWEEN}\b{_GAIN}\b",
            rf"\b{_GAIN}\b{_BETWEEN}\b(?:is|are|be|comes?|it's|they're) (?:\w+ )?guaranteed\b",
            r"\b(?:i|we) (?:can |do )?(?:guarantee|promise) (?:you|that|it|this|your)\b",
            rf"\b(?:assured|certain|sure) {_GAIN}\b",
        ),
    ),
    (
        "no_risk",
        "a claim that nothing can be lost",
        (
            r"\brisk[- ]?free\b",
            r"\b(?:no|zero|without(?: any)?|free of(?: any)?) (?:\w+ ){0,1}(?:risk|downside)s?\b",
            rf"{_NEVER} (?:possibly |ever )?(?:lose|go wrong|fail|miss)\b",
            r"\b(?:sure|safe) (?:thing|bet)s?\b",
            r"\b(?:completely|totally|perfectly|absolutely|one hundred percent|100 ?%|100 percent) safe\b",
            r"\bnothing to lose\b",
        ),
    ),
    (
        "projection",
        "a projection of performance",
        (
            rf"{_WILL}{_BETWEEN}\b{_EARN}\b{_BETWEEN}{_PERCENT}",
            rf"{_WILL}{_BETWEEN}\b(?:double|triple|quadruple|beat the market|outperform|pay off)\b",
            rf"{_WILL}{_BETWEEN}\bmake (?:you rich|money)\b",
            rf"\bexpect{_BETWEEN}\b(?:returns?|gains?|profits?|growth)\b{_BETWEEN}{_PERCENT}",
            rf"\bexpect{_BETWEEN}{_PERCENT}{_BETWEEN}\b(?:returns?|gains?|profits?|growth|a year|annually|per year)\b",
            r"\b(?:double|triple) (?:your|their|my|the) (?:money|investment|savings)\b",
        ),
    ),
)  # fmt: skip
# What stands before a promise, in it or behind it and makes it none.
_DENIED: Final = re2.compile(
    r"\b(?:no|not|never|cannot|nobody|nothing|none|neither|nor|without|can't|don't|doesn't|didn't|won't|isn't|aren't|wasn't"
    r"|wouldn't|couldn't|shouldn't|unable|avoid|beware|careful|so-called|illegal|prohibited|too good|whether|if|would"
    r"|could|might|may)\b[^.;!?]{0,60}$"
)


_SPEAKER: Final = re2.compile(r"\b(?:i|we)\s*$")  # what I will do is no return of an investment
_NOTHING: Final = re2.compile(r"\b(?:guarantee\w* (?:nothing|no)|no guarantee)\b")
_OF_RISK: Final = re2.compile(
    r"^-|^ ?(?:assessment|tolerance|profile|questionnaire|management|disclosure|score|review|factor)"
)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """There are none."""


def _any_of(forms: Iterable[str]) -> str:
    return "|".join([f"(?:{one})" for one in forms])


def _compiled() -> list[tuple[str, str, Any]]:
    return [(name, why, re2.compile(_any_of(forms))) for name, why, forms in _RULES]


@final
class Promissory:
    """Finds promises in sentences."""

    __slots__ = ("_any", "_rules", "version")

    def __init__(self, settings: Settings) -> None:  # noqa: ARG002 - there are none
        self._rules = _compiled()
        self._any = re2.compile(_any_of(_any_of(forms) for _, _, forms in _RULES))
        self.version = "1"

    def scanner(self, hold: Hold) -> Scanner:
        """Return a scanner for one text."""
        return scanner_of(hold, self._look)

    def _look(self, unit: str, before: str) -> Sequence[Found]:  # noqa: ARG002 - a promise is made in one sentence
        folding = fold(unit)
        if self._any.search(folding.text.encode() if folding.text.isascii() else folding.text) is None:
            return NOTHING
        found: list[Found] = []
        for name, why, expression in self._rules:
            match = expression.search(folding.text)
            while match is not None:
                if not _is_denied(folding.text, match.start(), match.end()):
                    start, end = folding.origin(match.start()), folding.origin_end(match.end())
                    found.append(Found(name, start, end, 1.0, why))
                    break
                match = expression.search(folding.text, match.start() + 1)
        return found or NOTHING


def _is_denied(text: str, start: int, end: int) -> bool:
    """Whether a promise is none for the words around it."""
    before, said, after = text[:start], text[start:end], text[end:]
    return any((
        _DENIED.search(before),
        _NOTHING.search(said),
        _SPEAKER.search(before) and not said.startswith(("guarantee", "i ", "we ")),
        _OF_RISK.search(after),
    ))  # fmt: skip


KIND: Final = CheckKind(Settings, Promissory, stages=("output",))
