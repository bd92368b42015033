"""A small network that says what a sentence does, by words and by the words around them. Nothing is learned here.

Each word has a vector (those of words it was never trained with lie near those of words that mean the like); three
layers look at the words within one, two and four places; what is strongest and what is common in a sentence decides.
The weights are data, made by `train.py`; the same weights say the same.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, final

import numpy as np

WEIGHTS: Final = Path(__file__).with_name("weights.npz")
UNKNOWN: Final = 1  # the place of a word that has no vector


@final
class Network:
    """The weights, and what they say. `labels` are what a sentence can be, as `probabilities` has them.

    A sentence whose `hints` are below `least` needs no more looking at. `version` is the digest of the training.
    """

    __slots__ = ("_bias", "_first", "_hints", "_out", "_places", "_second", "_third", "_unknown_hint", "_vectors",
                 "labels", "least", "version")  # fmt: skip

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
            hints: list[int] = data["hints"].tolist()
            self.least: int = int(data["least"])
        self._places: dict[str, int] = {name: place for place, name in enumerate(names)}
        self._unknown_hint = hints[UNKNOWN]
        self._hints: dict[str, int] = {name: hints[place] for place, name in enumerate(names)}

    def hints(self, words: Sequence[str]) -> int:
        """Return how much the words alone speak for a recommendation: cheap, and rough."""
        found, unknown = self._hints, self._unknown_hint
        total = 0
        for word in words:
            total += found.get(word, unknown)
        return total

    def probabilities(self, words: Sequence[str]) -> list[float]:
        """Return how likely a sentence is each of `labels`; of no words, all are as likely."""
        if not words:
            return [1.0 / len(self.labels)] * len(self.labels)
        places = [self._places.get(word, UNKNOWN) for word in words]
        state = _layer(self._vectors[places], self._first, self._bias[0], 1)
        state = state + _layer(state, self._second, self._bias[1], 2)
        state = state + _layer(state, self._third, self._bias[2], 4)
        said = np.concatenate((state.max(0), state.mean(0), _ONE)) @ self._out
        likely = np.exp(said - said.max())
        found: list[float] = (likely / likely.sum()).tolist()
        return found


_ONE: Final[Any] = np.ones(1, np.float32)


def _layer(state: Any, weights: Any, bias: Any, reach: int) -> Any:
    """Return what a layer makes of each word and of those so many places before and behind it."""
    count, width = state.shape
    wide = np.zeros((count + 2 * reach, width), np.float32)
    wide[reach : reach + count] = state
    seen = np.concatenate((wide[:count], state, wide[2 * reach :]), 1)
    return np.maximum(seen @ weights + bias, 0.0)
