"""A bill against our count: the differences add up, and say where they come from."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.ledger.cost_answers import PaidRow
from trunkline.ledger.reconcile import Billed, compare, plain_name, total_of


def counted(day="2026-06-15", model="gpt-4o-mini", amount="10", tokens=1000, estimated="0"):
    return PaidRow(
        group=(), day=day, tenant="harbor", provider="openai", model=model, token_class="input", unit_price="1",
        price_version="p1", tokens=tokens, calls=1, amount=amount, estimated=estimated,
    )  # fmt: skip


def billed(amount="10", day="2026-06-15", model="gpt-4o-mini", tokens=None):
    return Billed(day, model, Decimal(amount), tokens)


@pytest.mark.parametrize(
    ("bill", "ours", "explanation"),
    [
        ([billed()], [counted()], "agrees"),
        ([billed("10.004")], [counted()], "rounding"),
        ([billed("9", tokens=1000)], [counted()], "the tokens agree: the price is 0.9000 times ours"),
        (
            [billed("11", tokens=1100)],
            [counted(estimated="2")],
            "within what is estimated; 2 of ours is estimated; +1",
        ),
        ([billed("15", tokens=1500)], [counted(estimated="2")], "not explained; 2 of ours is estimated; +500 tokens"),
        ([billed("15")], [counted()], "not explained"),
        ([billed()], [], "not counted here"),
        ([], [counted()], "not on the bill"),
    ],
)
def test_a_difference_is_explained_as_far_as_it_can_be(bill, ours, explanation):
    (line,) = compare(bill, ours)
    assert line.explanation.startswith(explanation)
    assert line.difference == line.billed - line.counted


def test_days_that_add_up_are_said_to():
    lines = compare([billed("7", "2026-06-15"), billed("13", "2026-06-16")], [counted(), counted("2026-06-16")])
    assert [line.difference for line in lines] == [Decimal(-3), Decimal(3)]
    assert all(line.explanation.startswith("the days add up") for line in lines)


@pytest.mark.parametrize(
    "name", ["gpt-4o-mini", "gpt-4o-mini-2024-07-18", "openai/gpt-4o-mini", "GPT-4o-mini", "gpt-4o-mini-20240718"]
)
def test_a_bill_may_name_a_model_with_its_date(name):
    assert plain_name(name) == "gpt-4o-mini"
    assert [line.explanation for line in compare([billed(model=name)], [counted()])] == ["agrees"]


def test_lines_of_one_day_and_model_count_together_whatever_the_class_or_tenant():
    (line,) = compare([billed("4", tokens=400), billed("6", tokens=600)], [counted(amount="3"), counted(amount="7")])
    assert (line.billed, line.counted, line.billed_tokens, line.counted_tokens) == (10, 10, 1000, 2000)


AMOUNTS = st.decimals(0, 1000, places=6).map(str)
DAYS, MODELS = st.sampled_from(["2026-06-01", "2026-06-02"]), st.sampled_from(["a", "b"])


@given(
    st.lists(st.builds(billed, AMOUNTS, DAYS, MODELS), max_size=6),
    st.lists(st.builds(counted, DAYS, MODELS, AMOUNTS, st.integers(0, 9)), max_size=6),
)
def test_no_cent_is_lost_between_the_bill_and_the_lines(bill, ours):
    lines = compare(bill, ours)
    total = total_of(lines)
    assert total.billed == sum(line.amount for line in bill)
    assert total.counted == sum(Decimal(row.amount) for row in ours)
    assert total.difference == sum(line.difference for line in lines) == total.billed - total.counted
    assert all(line.explanation for line in lines)
