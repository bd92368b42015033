"""What a worker needs of its record log, and what stands in for one that cannot be opened."""

from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import NoReturn, Protocol

from trunkline.audit.files.flush_times import FlushTimes
from trunkline.audit.files.writer import Bodies, BodyRef, LogFailed

NOT_OPEN = "the log is not open"


class RecordLog(Protocol):
    """The part of `LogWriter` that carries calls; see there."""

    @property
    def healthy(self) -> bool:
        """Whether the log takes records."""

    @property
    def directory(self) -> Path:
        """Where the log is."""

    @property
    def next_index(self) -> int:
        """The index that the next record will have."""

    @property
    def flush_times(self) -> FlushTimes:
        """How long flushes took."""

    @property
    def backlog(self) -> int:
        """The bytes that wait for the disk."""

    def append(
        self,
        kind: str,
        record_id: str,
        payload: bytes,
        bodies: Bodies | None = None,
        frames: Sequence[BodyRef] | None = None,
    ) -> int:
        """Put a record on its way; return the position to wait for."""

    def append_body(self, call: str, bodies: Bodies) -> BodyRef:
        """Put parts of a call on their way for which there is no record yet."""

    def wait(self, position: int) -> Awaitable[None]:
        """Return when the record at this position is durable."""

    def heartbeat(self) -> None:
        """Do what time brings."""

    async def close(self) -> None:
        """Make all durable and end."""


class UnopenedLog:
    """In the place of a log that cannot be opened: takes nothing, so that every call is refused."""

    healthy = False
    backlog = 0
    next_index = 0

    def __init__(self) -> None:
        self.directory = Path()
        self.flush_times = FlushTimes()

    def append(
        self,
        kind: str,  # noqa: ARG002
        record_id: str,  # noqa: ARG002
        payload: bytes,  # noqa: ARG002
        bodies: Bodies | None = None,  # noqa: ARG002
        frames: Sequence[BodyRef] | None = None,  # noqa: ARG002
    ) -> NoReturn:
        """Raise LogFailed."""
        raise LogFailed(NOT_OPEN)

    def append_body(self, call: str, bodies: Bodies) -> NoReturn:  # noqa: ARG002
        """Raise LogFailed."""
        raise LogFailed(NOT_OPEN)

    async def wait(self, position: int) -> None:  # noqa: ARG002
        """Raise LogFailed."""
        raise LogFailed(NOT_OPEN)

    def heartbeat(self) -> None:
        """Do nothing: there is no time in no log."""

    async def close(self) -> None:
        """Do nothing."""
