"""What a log says of the calls that limits still have to count, read when a worker starts.

Only the end of the log is read: as far back as the shortest windows reach, and for the longer ones to where the
`limits.state` records that count for them begin.
"""

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from trunkline.audit.files.reader import LogReader, Place, StoredRecord
from trunkline.audit.files.segments import first_index_of, segments_of
from trunkline.audit.format.segment import HEADER_BYTES
from trunkline.model.delta import Usage
from trunkline.model.records import CounterState

# A minute's window and its last sub-bucket; and a little, for the clock may have been put right.
SHORT_REACH = 65.0
# The states of longer windows follow each other within a minute or so. A log without any for so long has none.
STATES_WITHIN = 600.0


class PastCall(NamedTuple):
    """A call as limits count it: who, when (Unix seconds), and what it used. `ended` is None where that is not known.

    `opened` and `ended` are indices of records, by which a state tells what it contains.
    """

    opened: int
    at: float
    ended: int | None
    ended_at: float
    tenant: str
    key_id: str
    route: str
    user: str | None
    team: str | None
    tags: dict[str, str]
    tokens: int
    cost: str


class PastState(NamedTuple):
    """A counter as a record had it: the record's place in the log and Unix seconds, and what counted."""

    record: int
    at: float
    counts: tuple[tuple[float | None, int], ...]


class Past(NamedTuple):
    """What was found: the newest state by rule and owner, the calls, and the record from which states are complete."""

    states: dict[tuple[str, str], PastState]
    calls: list[PastCall]
    since: int | None


class _Cost(msgspec.Struct):
    amount: str


class _Estimate(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    cost: str


class _Opened(msgspec.Struct):
    call: str
    tenant: str
    key_id: str
    route: str
    estimate: _Estimate
    user: str | None = None
    team: str | None = None
    tags: dict[str, str] = {}


class _Ended(msgspec.Struct):
    call: str
    usage: Usage | None = None
    cost: _Cost | None = None


class _State(msgspec.Struct):
    since: int
    counters: tuple[CounterState, ...] = ()


_opened = msgspec.json.Decoder(_Opened).decode
_ended = msgspec.json.Decoder(_Ended).decode
_state = msgspec.json.Decoder(_State).decode


def read_past(directory: Path, *, states: bool) -> Past:
    """Read the end of the log in this directory; `states` says whether there are rules that go by them.

    Raises CorruptLog, OSError, and ValueError for a record that cannot be read.
    """
    try:
        return _read(directory, states=states)
    except msgspec.MsgspecError as error:
        raise ValueError(f"a record cannot be read: {error}") from None


def _read(directory: Path, *, states: bool) -> Past:
    found: list[list[StoredRecord]] = []
    since: int | None = None
    for path in reversed(segments_of(directory)):
        first = first_index_of(path)
        records = list(_of_segment(directory, first))
        found.append(records)
        if since is None:
            since = next((_state(r.bytes).since for r in reversed(records) if r.type == "limits.state"), None)
        begun = _seconds(records[0].at) if records else time.time()
        if begun > time.time() - SHORT_REACH:
            continue
        if not states or (since is not None and first <= since):
            break
        if since is None and begun < _seconds(found[0][-1].at if found[0] else records[0].at) - STATES_WITHIN:
            break
    return _gathered([record for records in reversed(found) for record in records], since)


def _of_segment(directory: Path, first: int) -> Iterator[StoredRecord]:
    reader = LogReader(directory, Place(first, HEADER_BYTES, HEADER_BYTES), upto="whole")
    try:
        for record in reader.poll():
            if record.segment != first:
                return
            yield record
    finally:
        reader.close()


def _gathered(records: list[StoredRecord], since: int | None) -> Past:
    states: dict[tuple[str, str], PastState] = {}
    running: dict[str, tuple[StoredRecord, _Opened]] = {}
    calls: list[PastCall] = []
    for record in records:
        if record.type == "call.opened":
            opened = _opened(record.bytes)
            running[opened.call] = record, opened
        elif record.type in ("call.closed", "call.abandoned"):
            ended = _ended(record.bytes)
            begun = running.pop(ended.call, None)
            if begun is not None:
                calls.append(_call(*begun, record, ended))
        elif record.type == "limits.state":
            at = _seconds(record.at)
            for counter in _state(record.bytes).counters:
                states[counter.rule, counter.owner] = PastState(record.index, at, counter.counts)
    calls += [_call(*begun, None, None) for begun in running.values()]
    return Past(states, calls, since)


def _call(record: StoredRecord, opened: _Opened, end: StoredRecord | None, ended: _Ended | None) -> PastCall:
    """Return a call; one that was abandoned, or has not ended yet, counts as it was estimated."""
    usage, cost = (ended.usage, ended.cost) if ended is not None else (None, None)
    guess = opened.estimate
    closed = end is not None and end.type == "call.closed"
    if usage is not None:
        tokens = usage.prompt_tokens + usage.completion_tokens
    else:
        tokens = 0 if closed else guess.prompt_tokens + guess.completion_tokens
    return PastCall(
        opened=record.index,
        at=_seconds(record.at),
        ended=end.index if end is not None else None,
        ended_at=_seconds(end.at if end is not None else record.at),
        tenant=opened.tenant,
        key_id=opened.key_id,
        route=opened.route,
        user=opened.user,
        team=opened.team,
        tags=opened.tags,
        tokens=tokens,
        cost=cost.amount if cost is not None else "0" if closed else guess.cost,
    )


def _seconds(at: str) -> float:
    """Return the Unix seconds of a record's time, `2026-11-23T20:00:00.123456789Z`."""
    return datetime.fromisoformat(f"{at[:26]}+00:00").timestamp()
