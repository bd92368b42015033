"""What an unquoted word means: the core schema of YAML 1.2, where `on`, `no` and `2027-06-30` are words.

Numbers with a fraction become `Decimal` from their text, never a binary float on the way.
Source: YAML 1.2.2, section 10.3.2.
"""

import re
from decimal import Decimal

from trunkline.config.document import Scalar

NULLS = frozenset({"", "~", "null", "Null", "NULL"})
BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?", re.ASCII)
# Beyond this a number is a typing error, and turning it into digits would take time and space.
MAX_DIGITS = 40

Plain = None | bool | int | Decimal | str


def meaning(scalar: Scalar) -> Plain:
    """Return the value of a scalar; a quoted one, and one that came from a reference, is always text."""
    text = scalar.text
    if not scalar.plain:
        return text
    if text in NULLS:
        return None
    if text in BOOLEANS:
        return BOOLEANS[text]
    return number(text)


def number(text: str) -> int | Decimal | str:
    """Return the number that the text spells, or the text."""
    if len(text) > MAX_DIGITS:
        return text
    if INTEGER.fullmatch(text):
        return int(text, 0 if text[:2] in {"0o", "0x"} else 10)
    return Decimal(text) if NUMBER.fullmatch(text) else text
