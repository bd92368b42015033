"""Calls with all that is on record of them, oldest first, as one file: lines of JSON, or a page to read and print.

Which calls these are is settled at the beginning, by how far each log has been read: what comes later is in none.
"""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.sealing import BodyErased, KeyMissing
from trunkline.audit.format.timing import decode_timing
from trunkline.ledger import lists
from trunkline.ledger.answers import CallsQuestion, Misunderstood, Period, Unanswerable
from trunkline.ledger.archive import TIMING, Archive, Stored
from trunkline.ledger.evidence_answers import ExportData, ExportEnd, ExportQuestion, ExportStep, Missing
from trunkline.ledger.export_entries import Entry, Export
from trunkline.ledger.export_lines import Lines
from trunkline.ledger.export_page import Page
from trunkline.ledger.index import Index
from trunkline.ledger.lists import Where
from trunkline.ledger.questions import ERASED, GONE
from trunkline.ledger.records import OpenedPart
from trunkline.ledger.schema import FACTS
from trunkline.model.records import OUTCOMES

# Entries that are looked up at once, and bytes that are handed on at once.
PAGE: Final = 256
MOST_BYTES: Final = 256 * 1024
# How many entries pass until it is said how far it is, also where they are small.
SAID_EVERY: Final = 64

_running = msgspec.json.Decoder(OpenedPart).decode


class _Place(NamedTuple):
    """Where an entry stands: in time, then in the logs; and where the record is that ended it, if that is another."""

    at: datetime
    log: int
    segment: int
    offset: int
    call: str | None
    directory: str
    end_segment: int | None
    end_offset: int | None


class Exporting:
    """One export, to be read once; `calls` and rows of `refusals` are what it will have."""

    def __init__(self, index: Index, archive: Archive, asked: ExportQuestion, damaged: int) -> None:
        """`damaged` logs cannot be read to their end. Raises Misunderstood for an outcome that there is not."""
        if asked.outcome is not None and asked.outcome not in OUTCOMES:
            raise Misunderstood(f"there is no outcome `{asked.outcome[:100]}`; there are {', '.join(OUTCOMES)}")
        self._index, self._archive, self.asked = index, archive, asked
        self._upto = dict(index.positions().values())
        self.calls, self.refusals = self._count()
        self._running = sum(1 for (line,) in index.ask(f"SELECT opened FROM {FACTS}.running") if self._runs(line))
        self._damaged = damaged
        ((self._unreadable,),) = index.ask(f"SELECT count(*) FROM {FACTS}.unreadable")

    def words(self, who: str) -> Iterator[ExportData | ExportStep | ExportEnd]:
        """Yield the file, how far it is, and its end. Raises Unanswerable where the index changes meanwhile."""
        missing = Missing(self._running, self._unreadable, self._damaged)
        about = Export(self.asked, who, time.time(), self.calls, self.refusals, missing)
        form = Page(about) if self.asked.format == "html" else Lines()
        of, done, lost, size = self.calls + self.refusals, 0, 0, 0
        waiting = form.head()
        for place in self._places():
            entry = self._entry(place)
            lost += entry.lost is not None
            done += 1
            waiting += form.entry(entry)
            if len(waiting) > MOST_BYTES or done % SAID_EVERY == 0:
                size += len(waiting)
                yield from _pieces(waiting)
                yield ExportStep(done, of)
                waiting = b""
        if done != of:
            raise Unanswerable("the index was changed meanwhile: export it again")
        waiting += form.foot()
        yield from _pieces(waiting)
        yield ExportStep(done, of)
        yield ExportEnd(size + len(waiting), self.calls, self.refusals, lost, missing)

    def _conditions(self) -> tuple[Where, Where]:
        """Return what holds of the calls and of the refusals that are meant, as far as the logs have been read."""
        asked = self.asked
        words = msgspec.structs.asdict(asked)
        del words["format"]
        question = CallsQuestion(**words)
        calls, refusals = lists.calls_that(question), lists.refusals_that(question)
        for where, segment, offset in ((calls, "end_segment", "end_offset"), (refusals, "segment", "offset")):
            read = [f'(log = ? AND ({segment}, "{offset}") < (?, ?))' for _ in self._upto]
            values = [value for log, position in self._upto.items() for value in (log, *position)]
            where.holds(f"({' OR '.join(read) or 'false'})", *values)
        return calls, refusals

    def _count(self) -> tuple[int, int]:
        calls, refusals = self._conditions()
        ((counted,),) = self._index.ask(f"SELECT count(*) FROM {FACTS}.calls WHERE {calls}", calls.values)
        ((rows,),) = self._index.ask(f"SELECT count(*) FROM {FACTS}.refusals WHERE {refusals}", refusals.values)
        return counted, rows

    def _places(self) -> Iterator[_Place]:
        last: _Place | None = None
        while True:
            page = self._page(last)
            yield from page
            if len(page) < PAGE:
                return
            last = page[-1]

    def _page(self, last: _Place | None) -> list[_Place]:
        calls, refusals = self._conditions()
        if last is not None:
            for where in (calls, refusals):
                after = '("at" > ? OR ("at" = ? AND (log, segment, "offset") > (?, ?, ?)))'
                where.holds(after, last.at, last.at, last.log, last.segment, last.offset)
        sql = f"""
            SELECT t."at", t.log, t.segment, t."offset", t.id, l.directory, t.end_segment, t.end_offset
            FROM (
                SELECT "at", log, segment, "offset", CAST(id AS VARCHAR) AS id, end_segment, end_offset
                FROM {FACTS}.calls WHERE {calls}
                UNION ALL
                SELECT "at", log, segment, "offset", CAST(first_call AS VARCHAR), NULL, NULL
                FROM {FACTS}.refusals WHERE {refusals}
                ORDER BY "at", log, segment, "offset" LIMIT {PAGE}
            ) t JOIN {FACTS}.logs l ON l.log = t.log ORDER BY t."at", t.log, t.segment, t."offset"
        """
        return [_Place(*row) for row in self._index.ask(sql, calls.values + refusals.values)]

    def _entry(self, place: _Place) -> Entry:
        first = self._archive.stored(place.directory, place.segment, place.offset)
        if place.end_segment is None or place.end_offset is None:
            return Entry(place.call, refused=first, lost=GONE if first is None else None)
        last = self._archive.stored(place.directory, place.end_segment, place.end_offset)
        entry = Entry(place.call, opened=first, ended=last, lost=GONE if first is None or last is None else None)
        for one in (first, last):
            try:
                _take_bodies(entry, one)
            except (CorruptLog, ValueError) as error:
                entry.lost = f"its bodies cannot be read: {error}"
            except BodyErased:
                entry.lost = ERASED
            except KeyMissing as error:
                entry.lost = f"its bodies cannot be decrypted: {error}"
        return entry

    def _runs(self, line: str) -> bool:
        """Whether a call that has not ended is one of those that are meant, as far as that is known."""
        asked, opened = self.asked, _running(line.encode())
        if asked.outcome is not None or asked.finding is not None:
            return False
        names = (("tenant", asked.tenant), ("user", asked.user), ("subject", asked.subject), ("session", asked.session))
        return within(asked.period, datetime.fromisoformat(opened.at)) and all(
            name is None or name in {getattr(opened, member), self._index.people.name_of(getattr(opened, member))}
            for member, name in names
        )


def within(period: Period, at: datetime) -> bool:
    """Whether a moment is within a period."""
    second = at.timestamp()
    return (period.since is None or second >= period.since) and (period.until is None or second < period.until)


def _take_bodies(entry: Entry, record: Stored | None) -> None:
    for frame in record.frames() if record is not None else ():
        for name, data in frame.items():
            if name.endswith(TIMING):
                entry.timings.setdefault(name.removesuffix(TIMING), []).extend(decode_timing(data))
            else:
                entry.bodies[name] = entry.bodies.get(name, b"") + data


def _pieces(data: bytes) -> Iterator[ExportData]:
    for start in range(0, len(data), MOST_BYTES):
        yield ExportData(data[start : start + MOST_BYTES])
