"""The check `investment_recommendation`: words that tell a person what to do with their money.

The line is the one that regulators draw: a call to action about a particular security, strategy, account or timing
(FINRA Rule 2111 and Regulation Best Interest: "recommendation"; MiFID II, Delegated Regulation 2017/565, Article 9:
"personal recommendation"). Not caught are education, facts, the client's own order read back, refusals, neutral
conditionals, disclosures and everyday advice.

Sentence by sentence. Most sentences have no word that a recommendation needs, and are not looked at any closer; a small
network reads the others. A sentence that points back ("You should get more of it.") is read with the one before it too.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Final, final

import msgspec
from network import Network
from reading import words_of

from trunkline.guardrails.check import NOTHING, CheckKind, Found, Hold, Scanner
from trunkline.guardrails.folding import fold
from trunkline.guardrails.scanners import UnitScanner
from trunkline.guardrails.units import UnitCutter

RULES: Final = {
    "R1": "it urges to act on a particular security",
    "R2": "it urges a personal strategy or allocation",
    "R3": "it urges a choice of account, a rollover or a transfer",
    "R4": "it says when to act, or to hold",
    "R5": "it recommends without saying so",
    "R6": "it promises a gain",
}
_THRESHOLD: Final = 0.9
MOST_READ: Final = 4096  # sentences of one text that the network reads
_WINDOW: Final = 32  # words that are read at once: in a longer sentence little would be lost among much
_STEP: Final = 16  # so that what stands at a seam is read whole in one of two windows
# What may stand for something named in the sentence before.
_BACK: Final = "it that this them those these they one ones there both neither either same"
_POINTS_BACK: Final = frozenset(_BACK.split())
_LONGEST_POINTING: Final = 14  # words; a longer sentence says itself what it is about


class TooMany(Exception):
    """A text has more sentences to be read closely than any answer has: the check cannot be made."""

    def __init__(self) -> None:
        super().__init__(f"more than {MOST_READ} sentences to be read")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`threshold` is how sure the check has to be: lower finds more, and more wrongly."""

    threshold: Annotated[float, msgspec.Meta(gt=0, lt=1)] = _THRESHOLD


@lru_cache(1)
def _network() -> Network:
    """Return the network; its weights are the same for all policies, and take megabytes."""
    return Network()


@final
class InvestmentRecommendation:
    """Finds recommendations in sentences."""

    __slots__ = ("_network", "_threshold", "version")

    def __init__(self, settings: Settings) -> None:
        self._network = _network()
        self._threshold = settings.threshold
        self.version = f"1.{self._network.version}"

    def scanner(self, hold: Hold) -> Scanner:  # noqa: ARG002 - a recommendation takes a sentence
        """Return a scanner for one text."""
        return UnitScanner(_Reader(self._network, self._threshold).look)


@final
class _Reader:
    """Reads the sentences of one text."""

    __slots__ = ("_left", "_network", "_threshold")

    def __init__(self, network: Network, threshold: float) -> None:
        self._network, self._threshold, self._left = network, threshold, MOST_READ

    def look(self, unit: str, before: str) -> Sequence[Found]:
        """Return what is found in a sentence; `before` is what stands before it. Raises TooMany."""
        words = words_of(fold(unit).text)
        found = self._read(words, unit)
        if found is None and before and len(words) <= _LONGEST_POINTING and not _POINTS_BACK.isdisjoint(words):
            found = self._read([*words_of(fold(_last_sentence(before)).text), *words], unit)
        return NOTHING if found is None else (found,)

    def _read(self, words: list[str], unit: str) -> Found | None:
        network = self._network
        if not words or network.hints(words) < network.least:
            return None
        for begin in range(0, max(1, len(words) - _WINDOW + _STEP), _STEP):
            self._left -= 1
            if self._left < 0:
                raise TooMany
            likely = network.probabilities(words[begin : begin + _WINDOW])
            each = {label: likely[place] for place, label in enumerate(network.labels) if label in RULES}
            score = sum(each.values())
            if score >= self._threshold:
                rule = max(each, key=each.__getitem__)
                return Found(rule, 0, len(unit), round(score, 3), RULES[rule])
        return None


def _last_sentence(text: str) -> str:
    units = UnitCutter(clauses=False).feed(text, last=True)
    return units[-1].text if units else ""


KIND: Final = CheckKind(Settings, InvestmentRecommendation, stages=("output",))
