"""What a check of the logs finds: what is damaged, and what could not be told."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

# A gap in time that a log which runs has not: it writes a heartbeat every ten seconds.
GAP_SECONDS = 20
# What is older than this should have been signed, and what was signed should be in its place.
SETTLED_SECONDS = 30
NANOSECONDS = 1_000_000_000
MOST_FINDINGS = 1000


class Finding(NamedTuple):
    """One thing that is wrong: where, in bytes, at which record of the log, if one can be named.

    Damage is that something was changed, removed or added; in doubt it could not be told whether something was.
    """

    kind: Literal["damage", "doubt"]
    log: str
    file: Path
    offset: int
    record: int | None
    reason: str


def damage(log: str, file: Path, offset: int, record: int | None, reason: str) -> Finding:
    """Return the finding that something is not what it was."""
    return Finding("damage", log, file, offset, record, reason)


def doubt(log: str, file: Path, offset: int, record: int | None, reason: str) -> Finding:
    """Return the finding that it could not be told whether something is what it was."""
    return Finding("doubt", log, file, offset, record, reason)


Say = Callable[[Finding], None]


class Damaged(Exception):
    """A log cannot be checked beyond this; `finding` says where and why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.reason)
        self.finding = finding


class Report(NamedTuple):
    """What was checked, and what was found, in the order in which it was."""

    logs: int
    records: int
    bytes: int
    checkpoints: int
    tiles: int
    open_calls: int
    unsigned: int
    findings: list[Finding]

    @property
    def intact(self) -> bool | None:
        """Whether all is as it was signed; None if that could not be told."""
        if any(finding.kind == "damage" for finding in self.findings):
            return False
        return None if self.findings else True


class Moments:
    """Reads the times of records; keeps the second that it read last."""

    def __init__(self) -> None:
        self._text, self._second = "", 0

    def read(self, at: str) -> int:
        """Return the Unix nanoseconds of a record's time; raises ValueError if it is not written as in a record."""
        if len(at) != 30 or at[19] != "." or at[29] != "Z" or not (at.isascii() and at[20:29].isdigit()):
            raise ValueError(f"{at[:40]!r} is no time of a record")
        if at[:19] != self._text:
            moment = datetime.strptime(at[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
            self._text, self._second = at[:19], int(moment.timestamp())
        return self._second * NANOSECONDS + int(at[20:29])
