from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trunkline.model.money import plain


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**9) | st.just(Decimal("7.5E-7")))
def test_an_amount_is_written_without_an_exponent_and_without_loss(amount: Decimal) -> None:
    text = plain(amount)
    assert set(text) <= set("0123456789.")
    assert Decimal(text) == amount


def test_a_small_amount_has_all_its_digits() -> None:
    assert plain(Decimal("7.5E-7")) == "0.00000075"
    assert plain(Decimal("1E+3")) == "1000"
