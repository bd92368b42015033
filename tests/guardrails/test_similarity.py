"""How much of a text is about a topic: words, nearly the same words, words side by side, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.guardrails.similarity import LITTLE, WINDOW, Topics, stem, words_of

TOPICS = Topics({"pets": ["My puppy bites the kitten.", "A puppy needs food."], "money": ["Food stamps and money."]})
words = st.sampled_from(["puppy", "kitten", "money", "food", "stamps", "stone", "river", "the", "puppies", "today"])


def scores(text, window=WINDOW):
    return TOPICS.scores(words_of(text), window)


@pytest.mark.parametrize(
    ("word", "of"),
    [("votes", "vot"), ("voting", "vot"), ("voted", "vot"), ("policies", "policy"), ("bus", "bus"), ("class", "class"),
     ("stopped", "stop"), ("selling", "sell"), ("sing", "sing"), ("bank's", "bank"), ("is", "is"), ("red", "red")],
)  # fmt: skip
def test_the_commonest_endings_are_left_out(word, of):
    assert stem(word) == of


def test_small_words_say_nothing_and_some_say_little():
    assert [(word.stem, word.weight) for word in words_of("Would you walk THE puppies today, in 1998?")] == [
        ("walk", LITTLE), ("puppy", 1.0), ("today", LITTLE), ("1998", LITTLE),
    ]  # fmt: skip
    assert words_of("") == words_of("of the, and _ a") == []


def test_a_word_speaks_most_for_the_topic_that_has_it_most_often():
    assert scores("puppy puppy") == [[1.0, 0.0]]
    ((pets, money),) = scores("food")
    assert pets == money == 0.5  # one word of two


def test_words_side_by_side_speak_once_more():
    ((_, apart),) = scores("stamps food river")
    ((_, together),) = scores("food stamps river")
    assert together > apart


def test_a_word_that_is_spelt_nearly_alike_speaks_nearly_as_much():
    ((exact, _),) = scores("kitten river")
    ((alike, _),) = scores("kittten river")
    assert exact > alike > 0.6 * exact
    assert Topics({"cooking": ["kitchen", "kitten"]}).scores(words_of("kitchens kitchenn"), 2)[0][0] > 0.8
    assert scores("kit river") == scores("mitten river") == [[0.0, 0.0]]


def test_a_long_sentence_hides_nothing():
    around = " ".join(["river"] * 20)
    assert max(scores(f"{around} puppy bites kitten {around}"))[0] >= 3 / WINDOW
    assert len(scores(f"{around} puppy {around}")) == 41 - WINDOW + 1


@given(st.lists(words, max_size=30), st.integers(1, 40))
def test_scores_are_bounded_and_the_same_each_time(said, window):
    text = " ".join(said)
    first = scores(text, window)
    assert first == scores(text, window) == Topics(
        {"pets": ["My puppy bites the kitten.", "A puppy needs food."], "money": ["Food stamps and money."]}
    ).scores(words_of(text), window)  # fmt: skip
    assert len(first) == max(len(words_of(text)) - window, 0) + 1
    assert all(0 <= score <= 1.5 * max(1.0, 1 / LITTLE) for each in first for score in each)


@given(st.lists(words, max_size=20))
def test_words_of_no_topic_change_no_score_but_lower_it(said):
    (whole,) = scores(" ".join(said), 60)
    (more,) = scores(" ".join([*said, "granite", "meadow"]), 60)
    assert all(after <= before for before, after in zip(whole, more, strict=True))


def test_what_was_compared_is_remembered_for_a_bounded_number_of_words():
    topics = Topics({"pets": ["kitten"]})
    for number in range(9000):
        topics.scores(words_of(f"kittn{number:05d}x"), 1)
    assert topics.scores(words_of("kittens"), 1) == [[0.5]]
    assert topics.remembered <= 4096
