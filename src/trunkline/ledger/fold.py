"""From the records of the logs to the lines that the index takes. Pure.

A call's row is written once, when it has ended; until then its opened part is kept, here and in the index, so that
reading may stop after any batch and go on there in another process.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from trunkline.ledger.paid import paid_by
from trunkline.ledger.records import (
    ABANDONED,
    CLOSED,
    DECIDED,
    JUDGED,
    OPENED,
    READ,
    REFUSED,
    SAMPLED,
    ChosenPart,
    DecidedPart,
    EndedPart,
    JudgedPart,
    OpenedPart,
    OtherCostPart,
    ReadPart,
    RefusedPart,
    SampledPart,
    kind_of,
)
from trunkline.ledger.telemetry import CallCounts
from trunkline.model.names import PersonKind

REASON_CHARACTERS = 300

_opened = msgspec.json.Decoder(OpenedPart).decode
_ended = msgspec.json.Decoder(EndedPart).decode
_judged = msgspec.json.Decoder(JudgedPart).decode
_refused = msgspec.json.Decoder(RefusedPart).decode
_other_costs = msgspec.json.Decoder(OtherCostPart).decode_lines
_read = msgspec.json.Decoder(ReadPart).decode
_sampled = msgspec.json.Decoder(SampledPart).decode
_chosen = msgspec.json.Decoder(ChosenPart).decode_lines
_decided = msgspec.json.Decoder(DecidedPart).decode
_encode = msgspec.json.Encoder().encode


class Standing(NamedTuple):
    """Where a record stands: the number of its log, the first index of its segment, the offset of its frame."""

    log: int
    segment: int
    offset: int


# From a tenant, a kind and a name to how records name that person.
Write = Callable[[str, PersonKind, str], str]

# A call is its log's: what another log says of the same id, which no worker of ours writes, is another call's.
Key = tuple[int, str]


class Running(NamedTuple):
    """A call that has not ended: its opened part as JSON, where that record stands, and what it is counted under."""

    opened: bytes
    stands: Standing
    tenant: str
    route: str


class _CountedUnder(msgspec.Struct):
    tenant: str
    route: str


def running_again(opened: bytes, stands: Standing) -> Running:
    """Return a call that was kept in the index."""
    under = _counted_under(opened)
    return Running(opened, stands, under.tenant, under.route)


_counted_under = msgspec.json.Decoder(_CountedUnder).decode


class Lines:
    """What a step adds to the index: lines by table, and which calls it opened or ended."""

    def __init__(self) -> None:
        self.calls: list[bytes] = []
        self.judgements: list[bytes] = []
        self.refusals: list[bytes] = []
        self.imports: list[bytes] = []
        self.reads: list[bytes] = []
        self.samples: list[bytes] = []
        self.chosen: list[bytes] = []
        self.decisions: list[bytes] = []
        self.unreadable: list[bytes] = []
        self.opened: set[Key] = set()
        self.ended: set[Key] = set()
        self.records = 0


class Fold:
    """Keeps which calls run, and turns records into lines; `counts`, where it is set, counts them too."""

    def __init__(self, running: Iterable[tuple[Key, Running]] = ()) -> None:
        self.running = dict(running)
        self.lines = Lines()
        self.counts: CallCounts | None = None

    def take(self, record: bytes, stands: Standing) -> None:
        """Take a whole record of any type into account."""
        self.lines.records += 1
        kind = kind_of(record)
        try:
            if kind == OPENED:
                self._open(record, stands)
            elif kind in (CLOSED, ABANDONED):
                self._end(record, stands)
            elif kind == JUDGED:
                self._judge(record, stands)
            elif kind == REFUSED:
                self._refuse(record, stands)
            elif kind == READ:
                self.lines.reads.append(_line("r", _encode(_read(record)), stands))
            elif kind == SAMPLED:
                self.lines.samples.append(
                    _line("s", _encode(msgspec.structs.replace(_sampled(record), bodies=())), stands)
                )
            elif kind == DECIDED:
                self.lines.decisions.append(_line("d", _encode(_decided(record)), stands))
        except (msgspec.MsgspecError, ArithmeticError, UnicodeError) as error:
            self.unreadable(stands, str(error))

    def take_import(self, tenant: str, rows: bytes, stands: Standing, written: Write | None = None) -> None:
        """Take the rows of imported costs; `written` says how records name their users, who else are as they are."""
        try:
            found = [_encode(_with_user(tenant, row, written)) for row in _other_costs(rows)]
        except (msgspec.MsgspecError, UnicodeError) as error:
            self.unreadable(stands, str(error))
            return
        whose = _encode(tenant)
        self.lines.imports += [
            b'{"c":%b,"tenant":%b,"n":%d,"log":%d,"segment":%d,"offset":%d}' % (row, whose, n, *stands)
            for n, row in enumerate(found, 1)
        ]

    def take_sample(self, sample: SampledPart, rows: bytes, stands: Standing) -> None:
        """Take the calls that were chosen for review."""
        try:
            found = _chosen(rows)
        except (msgspec.MsgspecError, UnicodeError) as error:
            self.unreadable(stands, str(error))
            return
        of_sample = {"sample": sample.id, "at": sample.at, **stands._asdict()}
        self.lines.chosen += [
            _encode({"call": one.call, "why": one.why, "n": n, **of_sample}) for n, one in enumerate(found, 1)
        ]

    def unreadable(self, stands: Standing, reason: str) -> None:
        """Take note of a record that cannot be understood."""
        self.lines.unreadable.append(_unreadable(*stands, reason))

    def taken(self) -> Lines:
        """Return what has come since the last time, and begin anew."""
        lines, self.lines = self.lines, Lines()
        return lines

    def running_line(self, key: Key) -> bytes:
        """Return the line by which a call that has not ended is kept."""
        opened, stands, *_ = self.running[key]
        kept = {"id": key[1], "log": stands.log, "segment": stands.segment, "offset": stands.offset}
        return _encode(kept | {"opened": opened.decode()})

    def _open(self, record: bytes, stands: Standing) -> None:
        opened = _opened(record)
        key = (stands.log, opened.id)
        if key in self.running:
            self.unreadable(stands, "the call was opened before")
            return
        self.running[key] = Running(_encode(opened), stands, opened.tenant, opened.route)
        self.lines.opened.add(key)

    def _end(self, record: bytes, stands: Standing) -> None:
        ended = _ended(record)
        paid = _encode(paid_by(ended))
        key = (stands.log, ended.call)
        running = self.running.pop(key, None)
        if running is None:
            self.unreadable(stands, "the record that opened the call is not there, or the call had ended before")
            return
        if self.counts is not None:
            self.counts.ended(running.tenant, running.route, ended)
        asked = 0
        for n, attempt in enumerate(ended.attempts, 1):
            attempt.n, attempt.cost = n, None
            asked += attempt.outcome != "skipped"
        if ended.cost is not None:
            ended.cost.lines = ()
        opened, began, *_ = running
        self.lines.ended.add(key)
        self.lines.calls.append(
            b'{"o":%b,"log":%d,"segment":%d,"offset":%d,"e":%b,"asked":%d,"paid":%b,"end_segment":%d,"end_offset":%d}'
            % (opened, *began, _encode(ended), asked, paid, stands.segment, stands.offset)
        )

    def _judge(self, record: bytes, stands: Standing) -> None:
        line = b'{"j":%b,"log":%d,"segment":%d,"offset":%d}' % (_encode(_judged(record)), *stands)
        self.lines.judgements.append(line)

    def _refuse(self, record: bytes, stands: Standing) -> None:
        refused = _refused(record)
        if self.counts is not None:
            self.counts.refused(refused)
        self.lines.refusals.append(b'{"r":%b,"log":%d,"segment":%d,"offset":%d}' % (_encode(refused), *stands))


def _line(name: str, record: bytes, stands: Standing) -> bytes:
    return b'{"%b":%b,"log":%d,"segment":%d,"offset":%d}' % (name.encode(), record, *stands)


def _with_user(tenant: str, row: OtherCostPart, written: Write | None) -> OtherCostPart:
    if written is not None and row.user is not None:
        row.user = written(tenant, "user", row.user)
    return row


class _Place(msgspec.Struct):
    """Where the records of a line stand."""

    log: int
    segment: int
    offset: int
    end_segment: int | None = None
    end_offset: int | None = None


_place = msgspec.json.Decoder(_Place).decode


def unreadable_line(line: bytes, reason: str) -> bytes:
    """Return the line that says of another one that it was not taken; it names the record that completed that."""
    at = _place(line)
    if at.end_segment is not None and at.end_offset is not None:
        return _unreadable(at.log, at.end_segment, at.end_offset, reason)
    return _unreadable(at.log, at.segment, at.offset, reason)


def _unreadable(log: int, segment: int, offset: int, reason: str) -> bytes:
    said = {"log": log, "segment": segment, "offset": offset}
    return _encode(said | {"reason": reason[:REASON_CHARACTERS]})
