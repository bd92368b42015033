"""What `replay` and `audit export` ask of the ledger and are answered. Light, as `answers`."""

import msgspec


class ReplayQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which call's released bytes are wanted: its id, or the `id` of its answer."""

    call: str


class Chunk(msgspec.Struct, frozen=True, tag_field="is", tag="chunk"):
    """Bytes that were released together, and when: milliseconds since the call began."""

    ms: float
    data: bytes


class ReplayEnd(msgspec.Struct, frozen=True, tag_field="is", tag="end"):
    """All has been said, so many bytes; `note` is what has to be known of them."""

    size: int
    note: str | None = None


class EvidenceFailed(msgspec.Struct, frozen=True, tag_field="is", tag="failed"):
    """It cannot go on, for this reason."""

    reason: str


ReplayWord = Chunk | ReplayEnd | EvidenceFailed
