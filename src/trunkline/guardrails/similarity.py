"""How much of a sentence is about a topic that examples describe. Nothing is learned: the same examples say the same.

A sentence is its words, without those that every sentence has and with those that mean little counting little. A
word speaks for the topics whose examples have it, or one spelt so nearly alike that they share most of their groups of
three letters; most for the topic that has it most often. Two words that stand side by side in an example as well speak
for it once more. What is counted is what part of the words within a window speaks for a topic, so that a long sentence
hides nothing.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, final

from trunkline.guardrails.folding import fold
from trunkline.guardrails.language_words import WORDS

WINDOW: Final = 8  # words that say something
LITTLE: Final = 0.3  # what a word weighs that means little
_PAIR: Final = 0.5  # what two words side by side weigh beside themselves
_LEAST_WEIGHT: Final = 2.0  # a sentence of one word is taken for one of two
_ALIKE: Final = 0.65  # of the groups of letters that two words have, the part that they share
_SAME_START: Final = 3  # letters
_LONGEST_WORD: Final = 40
_REMEMBERED: Final = 4096  # words that were compared
_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_SMALL_TOO: Final = (
    "being did does doing done having here itself myself yourself onto upon been both few most nor same such"
    " till until while whom whose i've i'd we'll we're he's she's they're what's won't didn't doesn't isn't"
    " wasn't couldn't wouldn't shouldn't haven't hasn't ain't gonna wanna um uh oh ok okay well so ever never"
    " always often already"
)  # fmt: skip
_SMALL: Final = frozenset([*WORDS["en"].split(), *_SMALL_TOO.split()])
_LITTLE_WORDS: Final = (
    "able ask away bad begin believe best better bit bring buy came change come day days different do early"
    " easy else end even ever every far feel find first friend full gave give go going good got great guy half"
    " happen hard hear help here high home hour house idea keep kind knew know last late later least leave"
    " left less let life like little long look lot low made make man many mean men might minute moment month"
    " more morning move much must name new next nice night none nothing number often old one open other own"
    " part people person place please point put question quick quite read real really reason right run said"
    " same saw say second see seem send set show side since small some somebody soon sort start still stop"
    " sure take talk tell thank thing think third three time today together tomorrow tonight took true try"
    " turn two understand use used usually wait walk wanted week went whole wife husband woman women wonder"
    " word work world worse worst would write wrong year years yesterday young mother father mom dad son"
    " daughter brother sister kid child uncle cousin monday tuesday wednesday thursday friday saturday sunday"
    " january february march april june july august september october november december five six seven eight"
    " nine ten hundred twice once again explain describe opinion everything anything something safe okay job"
    " notice check list cost extra normal stand pick suggest without allow country information agree"
)  # fmt: skip


def stem(word: str) -> str:
    """Return an English word without the commonest endings; others most often as they are."""
    word = word.removesuffix("'s")
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith("s") and len(word) > 3 and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending, shortest in (("ing", 6), ("ed", 5)):
        if word.endswith(ending) and len(word) >= shortest:
            word = word[: -len(ending)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word.removesuffix("e") if len(word) > 3 else word


_LITTLE_STEMS: Final = frozenset([stem(word) for word in _LITTLE_WORDS.split()])


@final
class Word:
    """A word that says something: its stem, and what it weighs."""

    __slots__ = ("stem", "weight")

    def __init__(self, of: str) -> None:
        self.stem = stem(of)
        self.weight = LITTLE if self.stem in _LITTLE_STEMS or self.stem.isdigit() else 1.0


def words_of(text: str) -> list[Word]:
    """Return the words of a text that say something."""
    found = _WORD.findall(fold(text).text)
    return [Word(word[:_LONGEST_WORD]) for word in found if word not in _SMALL and (len(word) > 1 or word.isdigit())]


@final
class Topics:
    """Topics by their examples; tells how much of a text is about each. `names` are in the order of its scores."""

    __slots__ = ("_by_start", "_compared", "_pairs", "_weights", "names")

    def __init__(self, examples: Mapping[str, Sequence[str]]) -> None:
        self.names = tuple(examples)
        counts: dict[str, list[int]] = {}
        self._pairs: dict[tuple[str, str], list[int]] = {}
        for topic, texts in enumerate(examples.values()):
            for text in texts:
                words = words_of(text)
                for word in words:
                    counts.setdefault(word.stem, [0] * len(self.names))[topic] += 1
                for first, second in pairwise(words):
                    self._pairs.setdefault((first.stem, second.stem), []).append(topic)
        self._weights = {known: [count / max(each) for count in each] for known, each in counts.items()}
        self._by_start: dict[str, list[tuple[str, frozenset[str]]]] = {}
        for known in counts:
            self._by_start.setdefault(known[:_SAME_START], []).append((known, _groups(known)))
        self._compared: dict[str, tuple[str, float]] = {}

    @property
    def remembered(self) -> int:
        """How many words are remembered that were compared with those of the examples."""
        return len(self._compared)

    def scores(self, words: Sequence[Word], window: int) -> list[list[float]]:
        """Return for each window of so many words how much of it is about each topic, 0 to 1 and a little above."""
        each = self._each(words)
        scores: list[list[float]] = []
        for begin in range(max(len(words) - window, 0) + 1):
            weight = max(sum([word.weight for word in words[begin : begin + window]]), _LEAST_WEIGHT)
            scores.append([sum(column[begin : begin + window]) / weight for column in each])
        return scores

    def _each(self, words: Sequence[Word]) -> list[list[float]]:
        """Return for each topic what each word says for it."""
        each = [[0.0] * len(words) for _ in self.names]
        before = ""
        for place, word in enumerate(words):
            known, alike = self._nearest(word.stem)
            if known:
                for topic, weight in enumerate(self._weights[known]):
                    each[topic][place] += word.weight * weight * alike
                for topic in frozenset(self._pairs.get((before, known), ())):
                    each[topic][place] += _PAIR
            before = known
        return each

    def _nearest(self, word: str) -> tuple[str, float]:
        """Return the word of the examples that is most like this one, and how much; nothing if none is."""
        if word in self._weights:
            return word, 1.0
        known = self._compared.get(word)
        if known is None:
            known = self._compare(word)
            if len(self._compared) >= _REMEMBERED:
                self._compared.clear()
            self._compared[word] = known
        return known

    def _compare(self, word: str) -> tuple[str, float]:
        best, most = "", 0.0
        groups = _groups(word)
        for other, its in self._by_start.get(word[:_SAME_START], ()):
            alike = 2 * len(groups & its) / (len(groups) + len(its))
            if alike > most:
                best, most = other, alike
        return (best, most) if most >= _ALIKE else ("", 0.0)


def _groups(word: str) -> frozenset[str]:
    """Return the groups of three letters of a word, its beginning and end among them."""
    framed = f"^{word}$"
    return frozenset([framed[place : place + 3] for place in range(len(framed) - 2)])
