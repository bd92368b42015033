"""The lines of what a call paid for add up to its cost, exactly, whoever was paid."""

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from trunkline.ledger.paid import paid_by
from trunkline.ledger.records import AttemptPart, CostPart, EndedPart
from trunkline.model.delta import Usage
from trunkline.model.money import plain
from trunkline.model.records import CallClosed, Cost
from trunkline.model.snapshot import Price, Rates
from trunkline.policy.pricing import Tariff, cost_of, sum_of

TOKENS = st.integers(0, 5000)
USAGES = st.builds(Usage, input=TOKENS, cached_input=TOKENS, output=TOKENS, reasoning=TOKENS)
MONEY = st.decimals("0", "30", places=9)


@st.composite
def costs(draw) -> Cost:
    rates = Rates(from_prompt_tokens=0, **{name: draw(MONEY) for name in Usage.__struct_fields__})
    return cost_of(
        draw(USAGES), Tariff(price_of(rates, draw(st.sampled_from([Decimal(0), Decimal("0.00123")])))), estimated=False
    )


def price_of(rates: Rates, per_request: Decimal) -> Price:
    return Price(tiers=(rates,), per_request=per_request, version="p1", source="override")


def part_of(cost: Cost) -> CostPart:
    return msgspec.convert(msgspec.to_builtins(cost), CostPart)


@given(st.lists(st.one_of(st.none(), costs()), max_size=3), st.one_of(st.none(), costs()))
def test_lines_add_up_to_the_cost_failed_attempts_included(failed, last):
    spent = None
    attempts = []
    for cost in failed:
        attempts.append(AttemptPart("first", "m-1", "failed", cost=part_of(cost) if cost is not None else None))
        if cost is not None:
            spent = cost if spent is None else sum_of(spent, cost)
    whole = last if spent is None else spent if last is None else sum_of(spent, last)
    attempts.append(AttemptPart("second", "m-2", "answered"))
    ended = EndedPart(
        "c", "t", "answered", attempts=tuple(attempts), cost=part_of(whole) if whole is not None else None
    )
    lines = paid_by(ended)
    assert sum((Decimal(line.amount) for line in lines), Decimal(0)) == (Decimal(whole.amount) if whole else 0)
    assert sum(getattr(line, "provider", None) == "first" for line in lines) == sum(
        len(paid_by(EndedPart("c", "t", "answered", attempts=(attempts[-1],), cost=part_of(cost))))
        for cost in failed
        if cost is not None
    )


def test_what_is_taken_of_a_record_is_what_the_record_has():
    assert set(EndedPart.__struct_fields__) - {"at"} <= set(CallClosed.__struct_fields__)
    assert plain(Decimal("1E-7")) == "0.0000001"
