"""The call records on their way into the log; what cannot be recorded must not be answered."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from trunkline.audit.files.writer import Bodies, BodyRef, LogFailed
from trunkline.audit.format.bodies import Part, size_of
from trunkline.audit.format.sealing import NOBODY, Owner, owner_of
from trunkline.errors import AuditUnavailable
from trunkline.gateway.call import Call
from trunkline.gateway.persons import Persons, closed_written, owner_written, persons_of, refused_written
from trunkline.gateway.record_log import RecordLog
from trunkline.model.identity import Identity
from trunkline.model.records import (
    BudgetCrossed,
    CallAbandoned,
    CallClosed,
    CallJudged,
    CallOpened,
    CallRefused,
    LimitsAuthority,
    LimitsState,
)

RETRY_AFTER: Final = 5.0  # seconds; a log that failed needs a restart, which the supervisor or an operator does
# The most bytes of bodies in one frame, before they are compressed: half a millisecond's work to compress and digest.
# What is larger is logged slice by slice, with others having a turn in between.
SLICE: Final = 128 << 10

_encode: Final = msgspec.json.Encoder().encode


def _unavailable() -> AuditUnavailable:
    return AuditUnavailable(
        "The call cannot be recorded, so it is not carried. The operator's log says why.", retry_after=RETRY_AFTER
    )


class Journal:
    """Appends the records of calls to the worker's log."""

    def __init__(self, log: RecordLog, new_id: Callable[[], str]) -> None:
        self._log, self._new_id = log, new_id

    def adopt(self, log: RecordLog) -> None:
        """Append to this log from here on: the one before took nothing."""
        self._log = log

    @property
    def next_index(self) -> int:
        """The index that the next record will have."""
        return self._log.next_index

    @property
    def healthy(self) -> bool:
        """Whether the log takes records."""
        return self._log.healthy

    def opened(self, call: Call, record: CallOpened, request: bytes, kept: Sequence[BodyRef] = ()) -> int:
        """Append the opening of a call with the client's request, or the frames that hold it already.

        Returns the position to wait for.
        """
        bodies = None if kept else {"request": request}
        return self._append("call.opened", record.call, record, bodies, kept, _owner(call))

    def persons(self, identity: Identity) -> Persons:
        """Return who a call is for, as its records say it."""
        return persons_of(identity, self._user, self._subject)

    def owner(self, tenant: str, rule: str, owner: str) -> str:
        """Return the owner of what a rule, by its name or id, counts, as records say it."""
        return owner_written(tenant, rule, owner, self._user)

    def closed(self, call: Call, record: CallClosed) -> int:
        """Append the closing of a call with the bodies that no frame holds yet; return the position to wait for."""
        frames = in_frames(call.take_bodies(), SLICE)
        bodies = frames.pop()
        for frame in frames:
            self._keep(call, frame)
        return self._append(
            "call.closed", self._new_id(), self._closed(call, record), bodies, call.body_frames, _owner(call)
        )

    def closed_bare(self, call: Call, record: CallClosed) -> int:
        """Append the closing of a call with no bodies but those that frames hold; return the position to wait for."""
        return self._append(
            "call.closed", self._new_id(), self._closed(call, record), None, call.body_frames, _owner(call)
        )

    def judged(self, record: CallJudged) -> None:
        """Append what was said of an answer after it had left."""
        self._append("call.judged", self._new_id(), record)

    def keep(self, call: Call) -> None:
        """Append what a running stream brought since the last time; nobody waits for it."""
        self._keep(call, call.take_bodies())

    async def keep_large(self, call: Call) -> None:
        """Append what a call has gathered slice by slice, with others having their turns in between.

        A call that is cancelled meanwhile is so when all slices are in the log: nobody could stop for the rest.
        """
        cancelled: asyncio.CancelledError | None = None
        for frame in in_frames(call.take_bodies(), SLICE):
            self._keep(call, frame)
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    def refused(self, record: CallRefused) -> None:
        """Append a second's refusals of one kind; a log that fails does so visibly elsewhere."""
        if self._log.healthy:
            self._append("call.refused", self._new_id(), refused_written(record, self._user))

    def limits_state(self, record: LimitsState) -> None:
        """Append states of counters."""
        self._append("limits.state", self._new_id(), record)

    def limits_authority(self, record: LimitsAuthority) -> None:
        """Append how limits are counted from now on."""
        self._append("limits.authority", self._new_id(), record)

    def budget_crossed(self, record: BudgetCrossed) -> None:
        """Append that a part of a budget is spent."""
        self._append("budget.crossed", self._new_id(), record)

    def abandoned(self, record: CallAbandoned, frames: list[BodyRef]) -> int:
        """Append the end of a call whose worker died, naming what had been kept of it."""
        return self._append("call.abandoned", self._new_id(), record, None, frames, Owner(record.tenant))

    async def durable(self, position: int) -> None:
        """Wait until the record at this position is on the disk; raises AuditUnavailable if it can't be."""
        try:
            await self._log.wait(position)
        except LogFailed:
            raise _unavailable() from None

    def _user(self, tenant: str, name: str) -> str:
        return self._log.written(tenant, "user", name)

    def _subject(self, tenant: str, name: str) -> str:
        return self._log.written(tenant, "subject", name)

    def _closed(self, call: Call, record: CallClosed) -> CallClosed:
        return closed_written(record, call.identity.tenant, self._user) if call.identity is not None else record

    def _keep(self, call: Call, bodies: Bodies) -> None:
        try:
            call.body_frames.append(self._log.append_body(call.id, bodies, _owner(call)))
        except LogFailed:
            raise _unavailable() from None

    def _append(
        self,
        kind: str,
        record_id: str,
        record: msgspec.Struct,
        bodies: Bodies | None = None,
        frames: Sequence[BodyRef] | None = None,
        owner: Owner = NOBODY,
    ) -> int:
        try:
            return self._log.append(kind, record_id, _encode(record), bodies, frames, owner)
        except LogFailed:
            raise _unavailable() from None


def _owner(call: Call) -> Owner:
    identity = call.identity
    return NOBODY if identity is None else owner_of(identity.tenant, identity.subject, identity.user)


def in_frames(bodies: dict[str, Part], largest: int) -> list[dict[str, Part]]:
    """Return the parts of bodies in as many frames as they need, at least one, each of at most `largest` bytes.

    A part that is larger is cut. One that has a timing is not: it stays in one frame with it, for it came in pieces
    and was kept before there were many.
    """
    whole = 0
    for part in bodies.values():
        whole += size_of(part)
    if whole <= largest:
        return [bodies]
    frames: list[dict[str, Part]] = [{}]
    room = largest
    for name, part in bodies.items():
        timing = bodies.get(f"{name}_timing")
        if name.endswith("_timing"):
            continue
        for piece in _cut(part, largest) if timing is None else (part,):
            if size_of(piece) > room and frames[-1]:
                frames.append({})
                room = largest
            frames[-1][name] = piece
            room -= size_of(piece)
        if timing is not None:
            frames[-1][f"{name}_timing"] = timing
    return frames


def _cut(part: Part, largest: int) -> Iterator[bytes]:
    data = part if isinstance(part, bytes) else b"".join(part)
    return (data[start : start + largest] for start in range(0, len(data), largest))
