"""The network says what its weights say, computed here once more, place by place."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.guardrails.recommendation_network import (
    PAIR_FACTOR,
    PAIRS,
    SEAM,
    UNKNOWN,
    WEIGHTS,
    RecommendationNetwork,
)
from trunkline.guardrails.recommendation_words import MOST

NETWORK = RecommendationNetwork()
with np.load(WEIGHTS) as data:
    DATA = {name: data[name] for name in data.files}
WORDS = bytes(DATA["words"]).decode().split("\n")
PLACES = st.integers(UNKNOWN, len(WORDS) - 1)


def layer(state, weights, bias, reach):
    """Return what a layer makes of the words, one at a time."""
    width, found = len(state[0]), []
    for place in range(len(state)):
        said = bias.astype(np.float64).copy()
        for tap, offset in enumerate((-reach, 0, reach)):
            if 0 <= place + offset < len(state):
                said += state[place + offset] @ weights[tap * width : (tap + 1) * width].astype(np.float64)
        found.append(np.maximum(said, 0))
    return found


def expected(places, context):
    every = [*context, WORDS.index(SEAM), *places] if context else places
    state = [DATA["vectors"][place].astype(np.float64) * float(DATA["scale"]) for place in every]
    state = layer(state, DATA["first"], DATA["bias"][0], 1)
    for name, bias, reach in (("second", 1, 2), ("third", 2, 4)):
        state = [
            one + more for one, more in zip(state, layer(state, DATA[name], DATA["bias"][bias], reach), strict=True)
        ]
    sentence = np.array(state[len(every) - len(places) :])
    said = np.concatenate([sentence.max(0), sentence.mean(0), [1.0]]) @ DATA["out"].astype(np.float64)
    likely = [math.exp(one - max(said)) for one in said]
    return [one / sum(likely) for one in likely]


@settings(max_examples=25, deadline=None)
@given(st.lists(PLACES, min_size=1, max_size=MOST), st.lists(PLACES, max_size=20))
def test_what_it_says_is_what_the_weights_say(places, context):
    assert NETWORK.probabilities(places, context) == pytest.approx(expected(places, context), abs=1e-4)


def test_it_says_the_same_again_to_the_last_bit():
    places = NETWORK.places(["i", "'d", "buy", "more", "of", "the", "vanguard", "fund"])
    assert NETWORK.probabilities(places, []) == RecommendationNetwork().probabilities(places, [])


@given(st.lists(PLACES, max_size=30))
def test_hints_are_those_of_the_words_and_of_their_neighbours(places):
    beside = sum(int(DATA["pairs"][(a * PAIR_FACTOR + b) % PAIRS]) for a, b in pairwise(places))
    assert NETWORK.hints(places) == sum(int(DATA["hints"][place]) for place in places) + beside


def test_a_word_that_it_does_not_know_is_an_unknown_one():
    assert NETWORK.places(["zzyzzyva", "sell"]) == [UNKNOWN, WORDS.index("sell")]
