"""Values of the database as JSON has them. Pure."""

import datetime
import decimal
import math
import uuid
from typing import Any


def plain_value(value: Any) -> Any:
    """Return a value as JSON has it: decimals and times as text, exactly."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case decimal.Decimal():
            return _digits(value)
        case datetime.datetime():
            return value.isoformat().replace("+00:00", "Z")
        case datetime.date() | datetime.time():
            return value.isoformat()
        case uuid.UUID():
            return str(value)
        case list() | tuple():
            return [plain_value(one) for one in value]
        case dict():
            return {str(key): plain_value(one) for key, one in value.items()}
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
    return str(value)


def _digits(value: decimal.Decimal) -> str:
    """Return all digits that say something: the zeros that a column's scale puts at the end do not."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
