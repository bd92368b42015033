"""Amounts of money as text: exact decimals of USD without an exponent, which not every reader takes."""

from decimal import Decimal
from typing import Final

NOTHING = "0"
NANO_PLACES: Final = 9
NANO_PER_USD: Final = 1_000_000_000


def plain(amount: Decimal) -> str:
    """Return all digits of an amount, as in `0.00000075`: never `7.5E-7`, never rounded."""
    digits = str(amount)
    return format(amount, "f") if "E" in digits else digits  # formatting takes three times as long


def nano_usd(amount: str) -> int:
    """Return an amount in USD, not below zero and written as `plain` does, as whole nano-USD, rounded up."""
    dollars, _, decimals = amount.partition(".")
    nano = int(dollars) * NANO_PER_USD + int(decimals[:NANO_PLACES].ljust(NANO_PLACES, "0"))
    return nano + 1 if decimals[NANO_PLACES:].strip("0") else nano


def whole_number(amount: Decimal, shift: int) -> tuple[int, int]:
    """Return an amount divided by 10^`shift` as a whole number and how many of its digits are decimals.

    Raises ValueError for what is no finite number.
    """
    sign, digits, exponent = amount.as_tuple()
    number = int("".join(map(str, digits)))
    if sign:
        number = -number
    places = shift - int(exponent)
    return (number, places) if places >= 0 else (number * 10**-places, 0)


def amount_text(number: int, places: int) -> str:
    """Return a whole number of which the last `places` digits are decimals, as `plain` would write it."""
    if places == 0:
        return str(number)
    digits = str(abs(number)).rjust(places + 1, "0")
    return f"{'-' if number < 0 else ''}{digits[:-places]}.{digits[-places:]}"
