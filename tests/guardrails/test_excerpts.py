"""What is shown around a finding, and what never is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_checks import Throws, Words

from trunkline.guardrails import excerpts
from trunkline.guardrails.check import TextCheck
from trunkline.guardrails.excerpts import Hiding, excerpt
from trunkline.guardrails.registry import make_check

HIDING = (Hiding(Words("secret")), Hiding(Words("hidden"), "(gone)"))


@pytest.mark.parametrize(
    ("text", "start", "end", "shown"),
    [
        ("Ask Acme now.", 4, 8, "Ask «Acme» now."),
        ("x" * 40 + " Acme", 41, 45, "…" + "x" * 29 + " «Acme»"),
        ("Acme " + "x" * 40, 0, 4, "«Acme» " + "x" * 29 + "…"),
        ("a" * 100, 0, 100, "«" + "a" * 60 + "…»" + "a" * 30 + "…"),
        ("a secret, hidden here", 2, 8, "a «[SECRET]», (gone) here"),
        ("a secret here", 4, 6, "a [SECRET]«[SECRET]»[SECRET] here"),
        ("short", 3, 99, "sho«rt»"),
        ("short", 99, 100, "short«»"),
        ("short", -3, 2, "«sh»ort"),
        ("", 0, 1, ""),
    ],
)
def test_a_finding_is_shown_with_what_stands_around_it(text, start, end, shown):
    assert excerpt(text, start, end, HIDING) == shown


def test_a_finding_that_is_not_to_be_seen_is_not():
    assert excerpt("Ask Acme now.", 4, 8, HIDING, "[RIVAL]") == "Ask «[RIVAL]» now."
    assert excerpt("a" * 100, 0, 100, HIDING, "[LONG]") == "«[LONG]»[LONG]…"


def test_what_begins_far_before_is_hidden_too():
    key = "-----BEGIN PRIVATE KEY-----\n" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo\n" * 60 + "-----END PRIVATE KEY-----"
    at = key.index("QUJD") + 36 * 50
    shown = excerpt(key, at, at + 4, [Hiding(make_check("secrets", {}))])  # type: ignore[arg-type]
    assert "QUJD" not in shown
    assert "[PRIVATE KEY]" in shown


def test_where_a_check_throws_nothing_is_shown():
    assert excerpt("Ask Acme now.", 4, 8, [Hiding(Throws())]) == excerpts.UNKNOWN


WORD: TextCheck = Words("qqq")


@given(st.text("ab q", max_size=200), st.integers(0, 200), st.integers(0, 200), st.booleans())
def test_nothing_that_is_hidden_is_ever_shown(text, start, length, marked):
    shown = excerpt(text, start, start + length, [Hiding(WORD, "#")], "%" if marked else "")
    at, hidden = 0, set()
    while (at := text.find("qqq", at)) >= 0:
        hidden |= {at, at + 1, at + 2}
        at += 3
    if marked:
        hidden |= set(range(start, start + length))
    visible = [letter for place, letter in enumerate(text) if place not in hidden]
    # All that is seen was there, in its order, and none of it was hidden.
    left = iter(visible)
    assert all(letter in left for letter in shown if letter in "ab q")
