"""Identifiers that sort by the time they were made."""

from typing import Final

RANDOM_DIGITS = 19  # hexadecimal: 74 of their 76 bits are in an id, as many as RFC 9562 has room for
_VARIANT: Final = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))  # two random bits behind the variant's 10


def prefix_of(unix_ms: int) -> str:
    """Return what all ids of this millisecond begin with: the time and the version, as in `01234567-89ab-7`."""
    digits = f"{unix_ms & 0xFFFF_FFFF_FFFF:012x}"
    return f"{digits[:8]}-{digits[8:]}-7"


def uuid7(prefix: str, random: str) -> str:
    """Return the UUIDv7 (RFC 9562) with this prefix and at least RANDOM_DIGITS random hexadecimal digits."""
    return f"{prefix}{random[:3]}-{_VARIANT[random[3]]}{random[4:7]}-{random[7:19]}"
