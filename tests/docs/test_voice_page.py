"""The voice page says of errors, headers and sentences what the gateway does; tests/voice carries out its snippets."""

import re

from pages import prose_of, quoted, rows, text_of

from trunkline.gateway.answering import INSTEAD_OF

HEARD = rows("docs/voice.md", "what happens", "what is heard", "outcome in the record")


def test_the_codes_that_become_the_sentence_are_named():
    codes = [code for what, heard, _ in HEARD if heard.startswith("the sentence") for code in quoted(what)]
    assert sorted(codes) == sorted(INSTEAD_OF)


def test_its_outcomes_are_those_of_the_interface_page():
    outcomes = {
        quoted(name)[0] for name, *_ in rows("docs/interface.md", "outcome", "what happened", "in this version")
    }
    assert {outcome for *_, cell in HEARD for outcome in quoted(cell)} <= outcomes


def test_its_headers_are_those_of_the_interface_page():
    assert set(re.findall(r"x-[a-z-]+", text_of("docs/voice.md"))) <= set(quoted(prose_of("docs/interface.md")))
