"""docs/review.md: its program draws as the gateway does, and its tables have every field, column and decision."""

from decimal import Decimal
from random import Random

import msgspec
from pages import blocks, quoted, rows

from trunkline.control.reviews import ReviewSampled
from trunkline.ledger.review_answers import VERDICTS
from trunkline.ledger.review_lists import COUNTS
from trunkline.ledger.sampling import Draw

PAGE = "docs/review.md"


def test_the_program_of_the_page_draws_what_the_gateway_draws():
    program: dict = {}
    exec(blocks(PAGE, "python")[0], program)
    calls = sorted(f"0198f2a4-6f1e-7c3a-9d52-{Random(number).randrange(16**12):012x}" for number in range(211))
    for percent in ("0.001", "2.5", "5", "33.333", "100"):
        draw = Draw("a seed", Decimal(percent), all_flagged=False)
        for call in calls:
            draw.take(call, flagged=False, known=False)
        found = draw.drawn()
        assert program["drawn"](calls, "a seed", percent) == set(found.chosen)
        assert program["digest"](calls) == found.digest


def test_every_field_of_a_sample_is_on_the_page():
    said = [name for cell, _ in rows(PAGE, "field", "what it is") for name in quoted(cell)]
    assert sorted(said) == sorted(field.name for field in msgspec.structs.fields(ReviewSampled))


def test_every_decision_is_on_the_page():
    assert [quoted(cell)[0] for cell, _ in rows(PAGE, "decision", "what it says")] == list(VERDICTS)


def test_every_column_of_the_report_is_on_the_page():
    said = [name for cell, _ in rows(PAGE, "column", "what it is") for name in quoted(cell)]
    assert sorted(said) == sorted(COUNTS)
