"""What control's log says of all logs: `log.checkpoints` records, each with the checkpoints that were signed together.

A log that has gone, or that ends before what a checkpoint covers, is missed by them.
"""

import msgspec

CHECKPOINTS = "log.checkpoints"


class SignedLog(msgspec.Struct, frozen=True, omit_defaults=True):
    """A log as it was signed: the checkpoint, a signed note, and what came since the one before.

    `started` are the indices of `log.started` records, `sealed` those of `log.sealed`.
    """

    checkpoint: str
    started: list[int] = []
    sealed: list[int] = []


class Checkpoints(msgspec.Struct, frozen=True):
    """The payload of `log.checkpoints`."""

    checkpoints: list[SignedLog]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Checkpoints).decode


def encode_checkpoints(logs: list[SignedLog]) -> bytes:
    """Return the payload of a `log.checkpoints` record."""
    return _encode(Checkpoints(logs))


def decode_checkpoints(record: bytes) -> list[SignedLog]:
    """Return what a `log.checkpoints` record says; raises ValueError if it cannot be read."""
    try:
        return _decode(record).checkpoints
    except msgspec.MsgspecError as error:
        raise ValueError(f"a {CHECKPOINTS} record cannot be read: {error}") from None
