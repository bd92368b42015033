"""The check `investment_recommendation`: words that tell a person what to do with their money.

The line is the one that regulators draw: a call to action about a particular security, strategy, account or timing
(FINRA Rule 2111 and Regulation Best Interest: "recommendation"; MiFID II, Delegated Regulation 2017/565, Article 9:
"personal recommendation"). Not caught are education, facts, the client's own order read back, refusals, neutral
conditionals, disclosures and everyday advice.

Sentence by sentence, each with the two before it as context. Most sentences have no words that a recommendation needs,
and are not looked at any closer; a small network reads the others.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Final, final

import msgspec

from trunkline.guardrails.check import NOTHING, CheckKind, Found, Hold, Scanner
from trunkline.guardrails.folding import fold
from trunkline.guardrails.recommendation_network import RecommendationNetwork
from trunkline.guardrails.recommendation_words import BEFORE, MOST, context_of, words_of
from trunkline.guardrails.scanners import UnitScanner

RULES: Final = {
    "R1": "it urges to act on a particular security",
    "R2": "it urges a personal strategy or allocation",
    "R3": "it urges a choice of account, a rollover or a transfer",
    "R4": "it says when to act, or to hold",
    "R5": "it recommends without saying so",
    "R6": "it promises a gain",
}
POINTING: Final = 14  # words of a sentence that may need those before it: a longer one says itself what it is about
MOST_READ: Final = 2048  # sentences of one text that the network reads


class TooMany(Exception):
    """A text has more sentences to be read closely than any answer has: the check cannot be made."""

    def __init__(self) -> None:
        super().__init__(f"more than {MOST_READ} sentences to be read")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`threshold` is how sure the check has to be: lower finds more, and more wrongly; training has set one."""

    threshold: Annotated[float, msgspec.Meta(gt=0, lt=1)] | None = None


@lru_cache(1)
def _network() -> RecommendationNetwork:
    """Return the network; its weights are the same for all policies, and take megabytes."""
    return RecommendationNetwork()


@final
class InvestmentRecommendation:
    """Finds recommendations in sentences."""

    __slots__ = ("_network", "_threshold", "version")

    def __init__(self, settings: Settings) -> None:
        self._network = _network()
        self._threshold = self._network.threshold if settings.threshold is None else settings.threshold
        self.version = f"1.{self._network.version}"

    def scanner(self, hold: Hold) -> Scanner:  # noqa: ARG002 - a recommendation takes a sentence
        """Return a scanner for one text."""
        return UnitScanner(_Reader(self._network, self._threshold).look)


@final
class _Reader:
    """Reads the sentences of one text, one after the other."""

    __slots__ = ("_before", "_left", "_network", "_threshold")

    def __init__(self, network: RecommendationNetwork, threshold: float) -> None:
        self._network, self._threshold, self._left = network, threshold, MOST_READ
        self._before: list[list[int]] = []  # the words of the last two sentences

    def look(self, unit: str, before: str) -> Sequence[Found]:  # noqa: ARG002 - its words have been read already
        """Return what is found in a sentence. Raises TooMany."""
        network = self._network
        places = network.places(words_of(fold(unit).text))
        if not places:
            return NOTHING
        context, self._before = self._before, [*self._before[1 - BEFORE :], places]
        if network.hints(places) < network.least:
            return NOTHING
        # A sentence of more words than are read at once is hardly one: its beginning is read, and its end.
        for part in (places,) if len(places) <= MOST else (places[:MOST], places[-MOST:]):
            self._left -= 1
            if self._left < 0:
                raise TooMany
            likely = network.probabilities(part, context_of(context) if len(part) <= POINTING else [])
            each = {label: likely[place] for place, label in enumerate(network.labels) if label in RULES}
            score = sum(each.values())
            if score >= self._threshold:
                rule = max(each, key=each.__getitem__)
                return (Found(rule, 0, len(unit), round(score, 3), RULES[rule]),)
        return NOTHING


KIND: Final = CheckKind(Settings, InvestmentRecommendation, stages=("output",))
