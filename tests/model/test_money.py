from decimal import ROUND_CEILING, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.model.money import nano_usd, plain


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**9) | st.just(Decimal("7.5E-7")))
def test_an_amount_is_written_without_an_exponent_and_without_loss(amount: Decimal) -> None:
    text = plain(amount)
    assert set(text) <= set("0123456789.")
    assert Decimal(text) == amount


def test_a_small_amount_has_all_its_digits() -> None:
    assert plain(Decimal("7.5E-7")) == "0.00000075"
    assert plain(Decimal("1E+3")) == "1000"


@given(st.decimals(0, 10**12, allow_nan=False, places=14))
def test_nano_usd_are_rounded_up(amount):
    assert nano_usd(plain(amount)) == int((amount * 10**9).to_integral_value(ROUND_CEILING))


@pytest.mark.parametrize(("text", "nano"), [("0", 0), ("0.05", 50_000_000), ("3", 3 * 10**9), ("0.0000000001", 1)])
def test_nano_usd_of_amounts_as_records_have_them(text, nano):
    assert nano_usd(text) == nano
