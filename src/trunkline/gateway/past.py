"""What a log says of the calls that limits still have to count, read when a worker starts.

Only the end of the log is read: as far back as the shortest windows reach, and for the longer ones to where the
`limits.state` records that count for them begin.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from trunkline.audit.files.reader import LogReader, Place, StoredRecord, read_whole
from trunkline.audit.files.segments import first_index_of, segments_of
from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.codecs import BadBody
from trunkline.audit.format.sealing import OpeningKeys, Unopened
from trunkline.audit.format.segment import HEADER_BYTES
from trunkline.model.delta import Usage
from trunkline.model.money import nano_usd
from trunkline.model.records import CounterState, Reserved

# A minute's window and its last sub-bucket; and a little, for the clock may have been put right.
SHORT_REACH = 65.0
COUNTED = frozenset({"call.opened", "call.closed", "call.abandoned", "limits.state"})
# The states of longer windows follow each other within a minute or so. A log without any for so long has none.
STATES_WITHIN = 600.0


class PastCall(NamedTuple):
    """A call as limits count it: who, when (Unix seconds), and what it used. `ended` is None where that is not known.

    `opened` and `ended` are indices of records, by which a state tells what it contains. `reserved` are the tokens that
    it took when it was let in, `judging` says that it judged another call's text.
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
    nano_usd: int
    reserved: int
    judging: bool = False


class PastState(NamedTuple):
    """A counter as a record had it: the record's place in the log and Unix seconds, and what counted."""

    record: int
    at: float
    counts: tuple[tuple[float | None, int], ...]


class Past(NamedTuple):
    """What was found: the newest state by rule and owner, the calls, and the record from which states are complete.

    `lost` says what could not be read, and is empty where all was.
    """

    states: dict[tuple[str, str], PastState]
    calls: list[PastCall]
    since: int | None
    lost: str


class _Cost(msgspec.Struct):
    amount: str


class _Opened(msgspec.Struct):
    call: str
    tenant: str
    key_id: str
    route: str
    reserved: Reserved | None = None
    user: str | None = None
    team: str | None = None
    tags: dict[str, str] = {}
    judged_call: str | None = None


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


def read_past(directory: Path, keys: OpeningKeys, *, states: bool) -> Past:
    """Read the end of the log in this directory; `states` says whether there are rules that go by them.

    What cannot be read is left out, and told.
    """
    found: list[list[StoredRecord]] = []
    since: int | None = None
    lost = ""
    for path in reversed(segments_of(directory)):
        first = first_index_of(path)
        records: list[StoredRecord] = []
        try:
            records += _of_segment(directory, first)
        except (CorruptLog, OSError) as error:
            lost = str(error)
        found.append(records)
        if since is None:
            since = _newest_since(directory, records, keys)
        begun = _seconds(records[0].at) if records else time.time()
        if lost or begun > time.time() - SHORT_REACH:
            continue
        if not states or (since is not None and first <= since):
            break
        if since is None and begun < _seconds(found[0][-1].at if found[0] else records[0].at) - STATES_WITHIN:
            break
    past = _Gathering(directory, keys, lost).gather(
        [record for records in reversed(found) for record in records], since
    )
    return named(past, keys)


def named(past: Past, keys: OpeningKeys) -> Past:
    """Return what was found with users by their names; one whose name has been erased keeps the pseudonym."""
    written = {owner for _, owner in past.states} | {call.user for call in past.calls if call.user is not None}
    names = keys.names(written)
    if not names:
        return past
    states = {(rule, names.get(owner, owner)): state for (rule, owner), state in past.states.items()}
    calls = [call._replace(user=names.get(call.user, call.user)) if call.user else call for call in past.calls]
    return past._replace(states=states, calls=calls)


def _newest_since(directory: Path, records: list[StoredRecord], keys: OpeningKeys) -> int | None:
    for record in reversed(records):
        if record.type == "limits.state":
            with suppress(BadBody, CorruptLog, OSError, Unopened, msgspec.MsgspecError):
                return _state(_whole(directory, record, keys)).since
    return None


def _whole(directory: Path, record: StoredRecord, keys: OpeningKeys) -> bytes:
    """Return a record with its members, which stand elsewhere where there are many."""
    return read_whole(directory, record, keys) if b'"spilled":' in record.bytes else record.bytes


def _of_segment(directory: Path, first: int) -> Iterator[StoredRecord]:
    reader = LogReader(directory, Place(first, HEADER_BYTES, HEADER_BYTES), upto="whole")
    try:
        for record in reader.poll():
            if record.segment != first:
                return
            yield record
    finally:
        reader.close()


class _Gathering:
    """Puts records together; one that cannot be read is left out, for the others' sake."""

    def __init__(self, directory: Path, keys: OpeningKeys, lost: str) -> None:
        self._directory, self._keys, self._lost = directory, keys, lost
        self._states: dict[tuple[str, str], PastState] = {}
        self._running: dict[str, tuple[StoredRecord, _Opened]] = {}
        self._calls: list[PastCall] = []

    def gather(self, records: list[StoredRecord], since: int | None) -> Past:
        for record in records:
            if record.type in COUNTED:
                try:
                    self._take(record, _whole(self._directory, record, self._keys))
                except (BadBody, CorruptLog, OSError, Unopened, ValueError, msgspec.MsgspecError) as error:
                    self._lost = f"record {record.index}: {error}"
        self._calls += [_call(*begun, None, None) for begun in self._running.values()]
        return Past(self._states, self._calls, since, self._lost)

    def _take(self, record: StoredRecord, data: bytes) -> None:
        if record.type == "call.opened":
            opened = _opened(data)
            if opened.reserved is not None:  # else it fell under no limit, or was refused by one
                self._running[opened.call] = record, opened
        elif record.type == "limits.state":
            at = _seconds(record.at)
            for counter in _state(data).counters:
                self._states[counter.rule, counter.owner] = PastState(record.index, at, counter.counts)
        else:
            ended = _ended(data)
            begun = self._running.pop(ended.call, None)
            if begun is not None:
                self._calls.append(_call(*begun, record, ended))


def _call(record: StoredRecord, opened: _Opened, end: StoredRecord | None, ended: _Ended | None) -> PastCall:
    """Return a call; one that was abandoned, or has not ended yet, counts as much as it had reserved."""
    reserved = opened.reserved or Reserved(0, 0)
    tokens, nano = reserved.tokens, reserved.nano_usd
    if end is not None and ended is not None and end.type == "call.closed":
        usage = ended.usage
        tokens = usage.prompt_tokens + usage.completion_tokens if usage is not None else 0
        nano = nano_usd(ended.cost.amount) if ended.cost is not None else 0
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
        nano_usd=nano,
        reserved=reserved.tokens,
        judging=opened.judged_call is not None,
    )


def _seconds(at: str) -> float:
    """Return the Unix seconds of a record's time, `2026-11-23T20:00:00.123456789Z`."""
    return datetime.fromisoformat(f"{at[:26]}+00:00").timestamp()
