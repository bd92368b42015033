"""What `replay` and `audit export` ask of the ledger and are answered. Light, as `answers`."""

from typing import Literal

import msgspec

from trunkline.ledger.answers import Period

ExportFormat = Literal["jsonl", "html"]


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


class ExportQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which calls are to be exported, oldest first, and how; what is None is not asked for."""

    period: Period
    tenant: str | None = None
    user: str | None = None
    subject: str | None = None
    session: str | None = None
    finding: str | None = None
    outcome: str | None = None
    format: ExportFormat = "jsonl"


class ExportStep(msgspec.Struct, frozen=True, tag_field="is", tag="step"):
    """How far an export is: so many of so many calls and rows of refusals."""

    done: int
    of: int


class ExportData(msgspec.Struct, frozen=True, tag_field="is", tag="data"):
    """The next bytes of the file."""

    data: bytes


class Missing(msgspec.Struct, frozen=True):
    """What an export cannot have: `running` calls of that time have not ended yet.

    `unreadable` records are none that the index understands, and `damaged` logs cannot be read to their end: which
    calls are theirs nobody knows.
    """

    running: int
    unreadable: int
    damaged: int


class ExportEnd(msgspec.Struct, frozen=True, tag_field="is", tag="end"):
    """The file is whole: so many bytes, of so many calls and rows of refusals.

    `lost` of them are named without what the log should have of them, or without all of it.
    """

    size: int
    calls: int
    refusals: int
    lost: int
    missing: Missing


ExportWord = ExportStep | ExportData | ExportEnd | EvidenceFailed
