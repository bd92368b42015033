"""Amounts of money as text: exact decimals of USD without an exponent, which not every reader takes."""

from decimal import Decimal

NOTHING = "0"


def plain(amount: Decimal) -> str:
    """Return all digits of an amount, as in `0.00000075`: never `7.5E-7`, never rounded."""
    digits = str(amount)
    return format(amount, "f") if "E" in digits else digits  # formatting takes three times as long
