"""Identifiers that sort by the time they were made."""

_FIXED_BITS = 0xF << 76 | 0b11 << 62
_VERSION_AND_VARIANT = 0x7 << 76 | 0b10 << 62


def uuid7(unix_ms: int, random: bytes) -> str:
    """Return the UUIDv7 (RFC 9562) of this millisecond with these 10 random bytes."""
    bits = (unix_ms << 80 | int.from_bytes(random, "big")) & ~_FIXED_BITS | _VERSION_AND_VARIANT
    digits = f"{bits:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
