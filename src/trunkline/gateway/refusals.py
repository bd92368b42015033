"""Refused calls on their way into the log: one record per key, rule and second, however many there were.

A log that fails closed must not be filled by a flood of calls that were never let in. Calls that name no known key
share one count; nothing of what they sent is kept.
"""

from collections.abc import Callable
from typing import cast

import msgspec

from trunkline.errors import CallError
from trunkline.model.records import CallRefused, Outcome
from trunkline.operations import OperationalLog

LARGEST_BATCH = 1000  # different (key, rule) pairs within a second; the rest share a record per code


class _Count:
    __slots__ = ("first", "seen", "unsaid")

    def __init__(self, first: CallRefused) -> None:
        self.first, self.seen, self.unsaid = first, 0, 0


def refused_record(error: CallError, snapshot: str) -> CallRefused:
    """Return the record of a refusal by somebody of whom nothing is known."""
    return CallRefused(
        outcome=cast("Outcome", error.outcome),
        status=error.status,
        code=error.code,
        source=error.source,
        rule=error.rule,
        count=1,
        snapshot=snapshot,
    )


class Refusals:
    """Counts refusals and, when told that a second is over, hands out the records to append.

    It says in the operational log what has not been said there call by call: how often strangers were refused.
    """

    def __init__(self, append: Callable[[CallRefused], None], operations: OperationalLog) -> None:
        self._append, self._operations = append, operations
        self._counts: dict[tuple[str | None, str | None, str | None, str | None], _Count] = {}

    def add(self, error: CallError, refused: CallRefused, *, said: bool = False) -> None:
        """Count a refusal; the first of its kind in this second lends its details to the record.

        `said`: it has a line of its own in the operational log.
        """
        place = (refused.key_id, error.code, error.rule, refused.owner)
        if place not in self._counts and len(self._counts) >= LARGEST_BATCH:
            place = (None, error.code, None, None)
            refused = msgspec.structs.replace(refused_record(error, refused.snapshot), rule=None)
        count = self._counts.get(place)
        if count is None:
            count = self._counts[place] = _Count(refused)
        count.seen += 1
        count.unsaid += not said

    def flush(self) -> None:
        """Append what was counted since the last time."""
        counts, self._counts = self._counts, {}
        for count in counts.values():
            if count.unsaid:
                first = count.first
                self._operations.note(
                    "info",
                    "call_refused",
                    outcome=first.outcome,
                    status=first.status,
                    error=first.code,
                    count=count.unsaid,
                )
        for count in counts.values():
            self._append(msgspec.structs.replace(count.first, count=count.seen))
