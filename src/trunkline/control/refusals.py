"""Requests to the admin API that were not let in, on their way into control's log: one record per kind and second."""

from typing import Literal

import msgspec

# Different callers and requests within a second; the rest of them share one record for each status.
MOST_KINDS = 64


class AdminRefused(msgspec.Struct, frozen=True, tag_field="type", tag="admin.refused", omit_defaults=True):
    """Requests that were not let in within a second: without a good token (401), or beyond a role (403).

    Of a 401 nothing is kept: neither the token nor what was asked for is more than somebody's word.
    """

    status: Literal[401, 403]
    count: int
    who: str | None = None
    request: str | None = None


class AdminRefusals:
    """Counts requests that were not let in; `total` is how many there were, `taken` their records of a second."""

    def __init__(self) -> None:
        self.total = 0
        self._counts: dict[tuple[Literal[401, 403], str | None, str | None], int] = {}

    def add(self, status: Literal[401, 403], who: str | None = None, request: str | None = None) -> None:
        """Count one."""
        self.total += 1
        kind = (status, who, request)
        if kind not in self._counts and len(self._counts) >= MOST_KINDS:
            kind = (status, None, None)
        self._counts[kind] = self._counts.get(kind, 0) + 1

    def taken(self) -> list[AdminRefused]:
        """Return what was counted since the last time."""
        counts, self._counts = self._counts, {}
        return [AdminRefused(status, count, who, request) for (status, who, request), count in counts.items()]
