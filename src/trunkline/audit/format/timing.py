"""When the chunks of a body came or went: a part of its own beside the bytes.

A JSON array of `[milliseconds since the call began, bytes]`, one pair for each chunk, in order; the bytes add up to
the length of the part that they time.
"""

import msgspec

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[tuple[int, int]]).decode


def encode_timing(marks: list[tuple[int, int]]) -> bytes:
    """Return the part that says when each chunk came: pairs of milliseconds and bytes."""
    return _encode(marks)


def decode_timing(part: bytes) -> list[tuple[int, int]]:
    """Return the pairs of milliseconds and bytes; raises ValueError if the part is none of ours."""
    try:
        return _decode(part)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a timing part: {error}") from None
