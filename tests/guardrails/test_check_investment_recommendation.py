"""What recommends is found by its rule, written or spoken, however it is cut; what only sounds like it is not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.guardrails.check import BadSettings
from trunkline.guardrails.checks.investment_recommendation import MOST_READ, TooMany
from trunkline.guardrails.registry import make_check

CHECK = make_check("investment_recommendation", {})
# A rule of several letters is one of them: the lines between R1 to R5 are thin.
RECOMMENDS = [
    "I'd buy more of the Vanguard fund.",
    "You should be 70 percent in equities.",
    "Roll your 401k into an IRA.",
    "Now is a good time to sell your shares.",
    "If I were you, I'd move it all into bonds.",
    "This fund will return eight percent.",
    "um you should put like seventy percent of it in stocks",
    "roll your four oh one k into an i r a",
]
DOES_NOT = [
    "A bond is a loan to a company or a government.",
    "You own 120 shares of Apple, worth $22,000.",
    "You asked me to sell 50 shares of Apple. Is that right?",
    "I can't tell you whether to buy Apple.",
    "If rates rise, bond prices fall.",
    "Past performance is no guarantee of future results.",
    "You should call your advisor.",
    "I'd recommend the three pm slot.",
    "Your statement will be ready on Monday.",
]
PIECES = st.lists(st.sampled_from([*RECOMMENDS, *DOES_NOT, " ", "\n", "Apple. ", "n\u200bow", "é"]), max_size=6)


def found(text, pieces=None):
    pieces = [text] if pieces is None else pieces
    scanner, out = CHECK.scanner("sentence"), []
    for place, piece in enumerate(pieces):
        out += scanner.feed(piece, place == len(pieces) - 1)
    return out


@pytest.mark.parametrize("text", RECOMMENDS)
def test_a_recommendation_is_found(text):
    (one,) = found(text)
    assert one.rule in {"R1", "R2", "R3", "R4", "R5", "R6"}
    assert (one.start, one.end) == (0, len(text))
    assert 0 < one.score <= 1


@pytest.mark.parametrize("text", DOES_NOT)
def test_what_only_sounds_like_one_is_not(text):
    assert found(text) == []


def test_it_is_found_in_its_sentence_among_others():
    text = "Your balance is $40,000. You should sell all of your Apple shares now. Anything else?"
    (one,) = found(text)
    assert text[one.start : one.end] == "You should sell all of your Apple shares now. "


def test_a_sentence_is_read_with_what_it_points_back_to():
    assert [one.start for one in found("You asked about Apple. You should get more of it.")] == [23]


@settings(deadline=None)
@given(PIECES, st.data())
def test_any_cut_gives_the_same_findings(pieces, data):
    text = " ".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    parts = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert found(text, parts) == found(text)


def test_the_threshold_says_how_sure_it_has_to_be():
    sure = make_check("investment_recommendation", {"threshold": 0.9999})
    text = " ".join(RECOMMENDS)
    fewer = sure.scanner("sentence").feed(text, True)
    assert {one.start for one in fewer} <= {one.start for one in found(text)}
    assert all(one.score >= 0.999 for one in fewer)
    with pytest.raises(BadSettings, match="Expected `float`"):
        make_check("investment_recommendation", {"threshold": 2})


def test_its_version_is_that_of_its_weights():
    assert CHECK.version == make_check("investment_recommendation", {}).version
    assert len(CHECK.version) > 8


def test_more_sentences_than_any_answer_has_cannot_be_checked():
    with pytest.raises(TooMany, match=str(MOST_READ)):
        found("Sell Apple now. " * (MOST_READ + 1))
