"""What a worker needs of its record log, and what stands in for one that cannot be opened."""

from collections.abc import Awaitable, Collection, Sequence
from pathlib import Path
from typing import NoReturn, Protocol

from trunkline.audit.files.flush_times import FlushTimes
from trunkline.audit.files.writer import Bodies, BodyRef, LogFailed
from trunkline.audit.format.sealing import NO_KEYS, NOBODY, OpeningKeys, Owner
from trunkline.model.names import PersonKind
from trunkline.model.vault import VaultKeys

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
    def opening(self) -> OpeningKeys:
        """What opens the bodies that it has."""

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
        owner: Owner = NOBODY,
    ) -> int:
        """Put a record on its way; return the position to wait for."""

    def append_body(self, call: str, bodies: Bodies, owner: Owner = NOBODY) -> BodyRef:
        """Put parts of a call on their way for which there is no record yet."""

    def written(self, tenant: str, kind: PersonKind, name: str, *, kept: bool = True) -> str:
        """Return how a record of this log names a person."""

    def wait(self, position: int) -> Awaitable[None]:
        """Return when the record at this position is durable."""

    async def forget(self, persons: Collection[bytes]) -> int | None:
        """Let go of the keys of these persons; return how far the key file goes that may have them."""

    def adopt_keys(self, keys: VaultKeys) -> None:
        """Wrap new keys with the newest of these root keys."""

    def heartbeat(self) -> None:
        """Do what time brings."""

    async def close(self) -> None:
        """Make all durable and end."""


class UnopenedLog:
    """In the place of a log that cannot be opened: takes nothing, so that every call is refused."""

    healthy = False
    backlog = 0
    next_index = 0
    opening: OpeningKeys = NO_KEYS

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
        owner: Owner = NOBODY,  # noqa: ARG002
    ) -> NoReturn:
        """Raise LogFailed."""
        raise LogFailed(NOT_OPEN)

    def written(self, tenant: str, kind: PersonKind, name: str, *, kept: bool = True) -> str:  # noqa: ARG002
        """Return the name: nothing is written."""
        return name

    def append_body(self, call: str, bodies: Bodies, owner: Owner = NOBODY) -> NoReturn:  # noqa: ARG002
        """Raise LogFailed."""
        raise LogFailed(NOT_OPEN)

    async def wait(self, position: int) -> None:  # noqa: ARG002
        """Raise LogFailed."""
        raise LogFailed(NOT_OPEN)

    async def forget(self, persons: Collection[bytes]) -> int | None:  # noqa: ARG002
        """Return None: nobody writes keys."""
        return None

    def adopt_keys(self, keys: VaultKeys) -> None:
        """Do nothing: there are no new keys."""

    def heartbeat(self) -> None:
        """Do nothing: there is no time in no log."""

    async def close(self) -> None:
        """Do nothing."""
