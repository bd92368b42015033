"""What an export is made of. Pure."""

from typing import NamedTuple

import msgspec

from trunkline.ledger.archive import Stored
from trunkline.ledger.evidence_answers import ExportQuestion, Missing


class Entry(msgspec.Struct):
    """A call, or calls that were refused: records and bodies, and the milliseconds and bytes of their chunks.

    `lost` says why some or all of it is missing; None where nothing is.
    """

    call: str | None
    opened: Stored | None = None
    ended: Stored | None = None
    refused: Stored | None = None
    lost: str | None = None
    bodies: dict[str, bytes] = {}
    timings: dict[str, list[tuple[int, int]]] = {}

    def records(self) -> dict[str, Stored]:
        """Return the records that are there, by what they are: `opened`, `closed` or `abandoned`, `refused`."""
        ended = self.ended.members["type"].removeprefix("call.") if self.ended is not None else "closed"
        found = {"opened": self.opened, ended: self.ended, "refused": self.refused}
        return {name: record for name, record in found.items() if record is not None}


class Export(NamedTuple):
    """An export as a whole: who has made it, when (Unix seconds), and how much is in it, or is not."""

    asked: ExportQuestion
    who: str
    made_at: float
    calls: int
    refusals: int
    missing: Missing
