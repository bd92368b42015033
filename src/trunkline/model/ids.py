"""Identifiers that sort by the time they were made."""


def uuid7(unix_ms: int, random: bytes) -> str:
    """Return the UUIDv7 (RFC 9562) of this millisecond with these 10 random bytes."""
    head = f"{unix_ms:012x}"
    tail = random.hex()
    variant = "89ab"[random[2] & 3]
    return f"{head[:8]}-{head[8:]}-7{tail[:3]}-{variant}{tail[5:8]}-{tail[8:20]}"
