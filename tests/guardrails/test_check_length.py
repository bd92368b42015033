from hypothesis import given
from hypothesis import strategies as st

from trunkline.guardrails.policies import ANSWER, Policy
from trunkline.guardrails.registry import make_check
from trunkline.guardrails.watched import Watched


@given(st.lists(st.text("ab", max_size=9), min_size=1, max_size=6), st.integers(1, 30))
def test_what_is_within_the_length_comes_out_and_no_more(pieces, most):
    policy = Policy("p", "1", make_check("length", {"most": most}))
    watched, out = Watched([policy], "sentence", ANSWER, "here"), ""
    for place, piece in enumerate(pieces):
        watched.feed(piece, place == len(pieces) - 1)
        out += watched.give_out()
    text = "".join(pieces)
    assert out == text[:most]
    assert (watched.stop is not None) == (len(text) > most)


def test_it_is_found_once():
    scanner = make_check("length", {"most": 3}).scanner("sentence")
    assert [len(scanner.feed(text, False)) for text in ("ab", "cd", "ef")] == [0, 1, 0]
