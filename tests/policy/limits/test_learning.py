"""Estimates that learn."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.policy.limits.learning import AnswerLengths, Learning, TokenRatio


def test_the_guess_stands_until_something_is_known():
    assert TokenRatio().expect(100) == 100
    assert AnswerLengths().expect(256) == 256


@pytest.mark.parametrize("true_ratio", [0.8, 1.3, 2.0])
def test_a_models_tokenizer_is_learned_within_a_tenth(true_ratio):
    ratio = TokenRatio()
    for prompt in range(200):
        guessed = 100 + prompt
        ratio.learn(guessed, round(guessed * true_ratio))
    assert ratio.expect(1000) == pytest.approx(1000 * true_ratio, rel=0.1)


def test_a_tokenizer_that_changes_is_followed():
    ratio = TokenRatio()
    for _ in range(5000):
        ratio.learn(500, 500)
    for _ in range(5000):
        ratio.learn(500, 750)
    assert ratio.expect(1000) == pytest.approx(1500, rel=0.1)


@given(st.lists(st.tuples(st.integers(-5, 10**9), st.integers(-5, 10**12)), max_size=50), st.integers(1, 10**7))
def test_no_count_of_a_providers_makes_an_estimate_absurd(counts, guessed):
    ratio = TokenRatio()
    for pair in counts:
        ratio.learn(*pair)
    assert 1 <= ratio.expect(guessed) <= 5 * guessed + 1


@given(st.lists(st.integers(0, 100_000), min_size=20, max_size=500))
def test_the_90th_percentile_is_at_most_an_eighth_too_high_and_never_too_low(lengths):
    learned = AnswerLengths()
    for length in lengths:
        learned.learn(length)
    exact = max(1, sorted(lengths)[ceil(0.9 * len(lengths)) - 1])
    assert exact <= learned.expect(7) <= exact * 1.125


@given(st.integers(-3, 10**15))
def test_any_length_can_be_learned(tokens):
    learned = AnswerLengths()
    for _ in range(20):
        learned.learn(tokens)
    assert learned.expect(5) >= min(max(1, tokens), 1_000_000)


def test_each_model_and_each_route_of_a_tenant_learns_for_itself():
    learning = Learning()
    learning.ratio("openai/a").learn(100_000, 200_000)
    assert learning.ratio("openai/b").expect(100) == 100
    assert learning.ratio("openai/a").expect(100) > 150
    for _ in range(30):
        learning.lengths("t", "short").learn(10)
    assert learning.lengths("t", "short").expect(256) == 10
    assert learning.lengths("u", "short").expect(256) == 256
