"""A small network that says what a sentence does, by words and by the words around them. Nothing is learned here.

Each word has a vector (those of words it was never trained with lie near those of words that mean the like); three
layers look at the words within one, two and four places; what is strongest and what is common in the sentence decides.
What stands before the sentence is looked at as well, and decides nothing itself. The weights are data, made by
`training/investment_recommendation/train.py`; the same weights say the same.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, final

import numpy as np

WEIGHTS: Final = Path(__file__).with_name("recommendation_weights.npz")
UNKNOWN: Final = 1  # the place of a word that has no vector
PAIRS: Final = 1 << 16  # weights of neighbours; what falls together shares one
PAIR_FACTOR: Final = 31_337
SEAM: Final = "|"  # stands between the sentence and what is before it


@final
class RecommendationNetwork:
    """The weights, and what they say. `labels` are what a sentence can be, in the order of `probabilities`.

    A sentence is the `places` of its words. One whose `hints` are below `least` needs no more looking at. At
    `threshold` two of a hundred that do not recommend were found, of those held out. `version` is the digest of the
    training.
    """

    __slots__ = ("_bias", "_first", "_hints", "_one", "_out", "_pairs", "_places", "_seam", "_second", "_third",
                 "_vectors", "labels", "least", "threshold", "version")  # fmt: skip

    def __init__(self, path: Path = WEIGHTS) -> None:
        with np.load(path, allow_pickle=False) as data:
            names: list[str] = bytes(data["words"]).decode().split("\n")
            self.labels: list[str] = bytes(data["labels"]).decode().split("\n")
            self.version: str = bytes(data["version"]).decode()
            self._vectors: Any = data["vectors"].astype(np.float32) * data["scale"]
            self._first: Any = data["first"].astype(np.float32)
            self._second: Any = data["second"].astype(np.float32)
            self._third: Any = data["third"].astype(np.float32)
            self._bias: Any = data["bias"].astype(np.float32)
            self._out: Any = data["out"].astype(np.float32)
            self._hints: list[int] = data["hints"].tolist()
            self._pairs: list[int] = data["pairs"].tolist()
            self.least: int = int(data["least"])
            self.threshold: float = float(data["threshold"])
        self._one: Any = np.ones(1, np.float32)
        self._places: dict[str, int] = {name: place for place, name in enumerate(names)}
        self._seam = self._places[SEAM]

    def places(self, words: Sequence[str]) -> list[int]:
        """Return which of the known words these are."""
        known = self._places
        return [known.get(word, UNKNOWN) for word in words]

    def hints(self, places: list[int]) -> int:
        """Return how much the words and their neighbours alone speak for a recommendation: cheap, and rough."""
        words, pairs = self._hints, self._pairs
        total, before = 0, 0
        for place in places:
            total += words[place]
            if before:
                total += pairs[(before * PAIR_FACTOR + place) % PAIRS]
            before = place
        return total

    def probabilities(self, places: list[int], context: list[int]) -> list[float]:
        """Return how likely a sentence is each of `labels`, as it stands behind its context. There must be words."""
        every = [*context, self._seam, *places] if context else places
        state = _layer(self._vectors[every], self._first, self._bias[0], 1)
        state = state + _layer(state, self._second, self._bias[1], 2)
        state = (state + _layer(state, self._third, self._bias[2], 4))[len(every) - len(places) :]
        said = np.concatenate((state.max(0), state.mean(0), self._one)) @ self._out
        likely = np.exp(said - said.max())
        found: list[float] = (likely / likely.sum()).tolist()
        return found


def _layer(state: Any, weights: Any, bias: Any, reach: int) -> Any:
    """Return what a layer makes of each word and of those so many places before and behind it."""
    count, width = state.shape
    wide = np.zeros((count + 2 * reach, width), np.float32)
    wide[reach : reach + count] = state
    seen = np.concatenate((wide[:count], state, wide[2 * reach :]), 1)
    return np.maximum(seen @ weights + bias, 0.0)
