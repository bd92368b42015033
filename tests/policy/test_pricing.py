from decimal import Decimal, localcontext

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.model.delta import Usage
from trunkline.model.money import plain, whole_number
from trunkline.model.snapshot import Price, Rates
from trunkline.policy.pricing import TOKEN_CLASSES, Tariff, cost_of, expected_cost


def rates(start=0, **changes):
    values = dict.fromkeys(Usage.__struct_fields__, Decimal(0)) | {
        "input": Decimal("0.15"),
        "cached_input": Decimal("0.075"),
        "output": Decimal("0.60"),
        "reasoning": Decimal("0.60"),
    }
    return Rates(from_prompt_tokens=start, **(values | changes))


MINI = Price(version="test-1", source="override", tiers=(rates(),))
TIERED = Price(version="t", source="override", tiers=(rates(), rates(1000, input=Decimal("0.30"))))


def test_a_cost_is_exact_to_the_last_digit():
    cost = cost_of(Usage(input=212, output=58), Tariff(MINI), estimated=False)
    assert cost.amount == "0.00006660"
    assert [(line.token_class, line.amount) for line in cost.lines] == [
        ("input", "0.00003180"),
        ("output", "0.00003480"),
    ]
    assert (cost.price_version, cost.price_source, cost.estimated) == ("test-1", "override", False)


def test_cached_and_reasoning_tokens_have_their_own_lines():
    cost = cost_of(Usage(input=100, cached_input=1000, output=10, reasoning=90), Tariff(MINI), estimated=True)
    assert {line.token_class for line in cost.lines} == {"input", "cached_input", "output", "reasoning"}
    assert Decimal(cost.amount) == Decimal("0.000015") + Decimal("0.000075") + Decimal("0.000006") + Decimal("0.000054")
    assert cost.estimated


def test_an_estimate_is_the_cost_of_the_same_tokens_uncached():
    price = Price(version="t", source="override", tiers=TIERED.tiers, per_request=Decimal("0.01"))
    for prompt in (10, 5000):
        exact = cost_of(Usage(input=prompt, output=256), Tariff(price), estimated=True)
        assert expected_cost(prompt, 256, Tariff(price)) == exact.amount


def test_a_price_per_request_is_added_once():
    price = Price(version="t", source="override", tiers=(rates(),), per_request=Decimal("0.01"))
    assert cost_of(Usage(), Tariff(price), estimated=False).amount == "0.01"


def test_a_tier_is_chosen_by_the_whole_prompt():
    assert Tariff(TIERED).rates_for(999)[0].text == "0.15"
    assert Tariff(TIERED).rates_for(1000)[0].text == "0.30"
    assert cost_of(Usage(input=600, cached_input=400), Tariff(TIERED), estimated=False).lines[0].unit_price == "0.30"


COUNTS = st.integers(0, 10**9)


@settings(max_examples=200, deadline=None)
@given(st.builds(Usage, **dict.fromkeys(Usage.__struct_fields__, COUNTS)))
def test_lines_add_up_to_the_amount_and_classes_to_the_totals(usage):
    cost = cost_of(usage, Tariff(TIERED), estimated=False)
    assert sum((Decimal(line.amount) for line in cost.lines), Decimal(0)) == Decimal(cost.amount)
    assert sum(line.tokens for line in cost.lines) == usage.prompt_tokens + usage.completion_tokens
    assert "E" not in "".join([cost.amount, *(line.amount + line.unit_price for line in cost.lines)])


# With exponents of either sign, as a price list may write them.
RATE = st.builds(lambda digits, exponent: Decimal(digits).scaleb(exponent), st.integers(0, 10**9), st.integers(-12, 3))
TIER = st.builds(rates, **dict.fromkeys(TOKEN_CLASSES, RATE))
USED = st.builds(Usage, **dict.fromkeys(TOKEN_CLASSES, st.integers(0, 10**6)))


@settings(max_examples=300, deadline=None)
@given(USED, st.lists(TIER, min_size=1, max_size=3), RATE)
def test_whole_numbers_say_what_decimals_say_to_the_last_digit(usage, tiers, per_request):
    tiers = tuple(msgspec.structs.replace(tier, from_prompt_tokens=n * 1_000_000) for n, tier in enumerate(tiers))
    price = Price(version="t", source="override", tiers=tiers, per_request=per_request)
    tier = [tier for tier in tiers if tier.from_prompt_tokens <= usage.prompt_tokens][-1]
    with localcontext(prec=60):
        parts = [
            (name, count, getattr(tier, name), count * getattr(tier, name) * Decimal("0.000001"))
            for name, count in zip(TOKEN_CLASSES, msgspec.structs.astuple(usage), strict=True)
            if count
        ]
        total = sum((part for *_, part in parts), per_request)
        uncached = per_request + (usage.input * tiers[0].input + usage.output * tiers[0].output) * Decimal("0.000001")
    cost = cost_of(usage, Tariff(price), estimated=False)
    assert [msgspec.structs.astuple(line) for line in cost.lines] == [
        (name, count, plain(rate), plain(part)) for name, count, rate, part in parts
    ]
    assert cost.amount == plain(total)
    if usage.input < 1_000_000:
        assert expected_cost(usage.input, usage.output, Tariff(price)) == plain(uncached)


@pytest.mark.parametrize("word", ["NaN", "Infinity"])
def test_what_is_no_number_is_no_price(word):
    with pytest.raises(ValueError, match="invalid literal"):
        whole_number(Decimal(word), 6)
