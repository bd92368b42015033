"""Answering the questions of the commands from the index and the logs."""

import re
from collections.abc import Sequence
from typing import Any

from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.sealing import BodyErased, KeyMissing
from trunkline.ledger import lists
from trunkline.ledger.answers import CallsQuestion, Misunderstood, SessionsQuestion, Story, Table, Unanswerable
from trunkline.ledger.archive import Archive, Stored
from trunkline.ledger.index import Index
from trunkline.ledger.schema import CALLS, FACTS, PERSONS, REFUSALS, Columns, quoted
from trunkline.ledger.story import timeline
from trunkline.ledger.values import plain_value
from trunkline.model.records import OUTCOMES

MOST_LISTED = 10_000
# Calls in which the latest sessions are looked for, at first, and by what factor more if there are too few in them.
FIRST_CALLS = 4096
MORE_CALLS = 8
MOST_CALLS = 500_000
# What a call's answer calls itself (`id`), in front of the call id.
ANSWER_PREFIX = "chatcmpl-"
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
GONE = "the log does not have its records any more"
ERASED = "what was asked and answered has been erased: its key is destroyed"


def list_calls(index: Index, asked: CallsQuestion) -> Table:
    """Return calls, newest first. Raises Misunderstood."""
    if asked.outcome is not None and asked.outcome not in OUTCOMES:
        raise Misunderstood(f"there is no outcome `{asked.outcome[:100]}`; there are {', '.join(OUTCOMES)}")
    return _listed(index, lists.CALL_COLUMNS, lists.calls(asked), asked.limit)


def list_sessions(index: Index, asked: SessionsQuestion) -> Table:
    """Return sessions, the latest first. Raises Misunderstood.

    They are looked for among the newest calls: all sessions of years would not go into the memory that there is.
    """
    _check_limit(asked.limit)
    calls, found = FIRST_CALLS, dict[tuple[str, str], None]()
    while True:
        rows = index.ask(*lists.latest_sessions(asked, calls))
        found = dict.fromkeys((tenant, session) for tenant, session in rows)
        if len(found) > asked.limit or len(rows) < calls or calls >= MOST_CALLS:
            break
        calls *= MORE_CALLS
    latest = list(found)[: asked.limit]
    query = lists.sessions(asked, latest)
    rows = [tuple(map(plain_value, row)) for row in index.ask(*query)] if latest else []
    return Table(lists.SESSION_COLUMNS, [list(row) for row in rows], more=len(found) > asked.limit)


def _listed(index: Index, columns: tuple[str, ...], query: lists.Query, limit: int) -> Table:
    _check_limit(limit)
    rows = [[plain_value(value) for value in row] for row in index.ask(*query)]
    return Table(columns, rows[:limit], more=len(rows) > limit)


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= MOST_LISTED:
        raise Misunderstood(f"the limit has to be between 1 and {MOST_LISTED:,}")


def call_id_of(named: str) -> str:
    """Return the call id that is meant: as it is, or as an answer's `id` has it. Raises Misunderstood."""
    found = named.strip().lower().removeprefix(ANSWER_PREFIX)
    if not _ID.fullmatch(found):
        raise Misunderstood(f"`{named[:100]}` is no call id; an answer has it as `x-trunkline-call`")
    return found


def show_call(index: Index, archive: Archive, named: str, *, bodies: bool) -> Story:
    """Return a call's story. Raises Misunderstood or Unanswerable."""
    call = call_id_of(named)
    found = _ended(index, archive, call, bodies=bodies) or _running(index, archive, call, bodies=bodies)
    found = found or _refused(index, call)
    if found is None:
        raise Unanswerable(f"there is no call {call} in the index; `trunkline calls list` shows the latest")
    return found


def _ended(index: Index, archive: Archive, call: str, *, bodies: bool) -> Story | None:
    names = ", ".join(f"c.{quoted(name)}" for name in CALLS)
    sql = f"""
        SELECT {names}, l.directory, c.segment, c."offset", c.end_segment, c.end_offset, j.segment, j."offset"
        FROM {FACTS}.calls c JOIN {FACTS}.logs l ON l.log = c.log
             LEFT JOIN {FACTS}.judgements j ON j.log = c.log AND j.call = c.id
        WHERE c.id = ?::UUID
    """
    for *row, directory, segment, offset, end_segment, end_offset, said_segment, said_offset in index.ask(sql, [call]):
        opened = archive.stored(directory, segment, offset)
        ended = archive.stored(directory, end_segment, end_offset)
        said = archive.stored(directory, said_segment, said_offset) if said_segment is not None else None
        facts = _facts(index, CALLS, row)
        return _story(call, facts, opened, ended, said.members if said is not None else None, bodies=bodies)
    return None


def _running(index: Index, archive: Archive, call: str, *, bodies: bool) -> Story | None:
    sql = f"""
        SELECT l.directory, r.segment, r."offset" FROM {FACTS}.running r JOIN {FACTS}.logs l ON l.log = r.log
        WHERE r.id = ?::UUID
    """
    for directory, segment, offset in index.ask(sql, [call]):
        opened = archive.stored(directory, segment, offset)
        return _story(call, {"id": call, "outcome": None}, opened, None, None, bodies=bodies)
    return None


def _refused(index: Index, call: str) -> Story | None:
    names = ", ".join(map(quoted, REFUSALS))
    for row in index.ask(f"SELECT {names} FROM {FACTS}.refusals WHERE first_call = ?::UUID", [call]):
        facts = _facts(index, REFUSALS, row)
        facts["message"] = index.people.in_text(facts["message"]) if facts["message"] is not None else None
        others = f"; {facts['count']} such calls in that second" if facts["count"] > 1 else ""
        said = f"{facts['outcome']}, status {facts['status']}, {facts['error_code']}: {facts['message']}{others}"
        return Story(call, facts, [], note=f"not let in: {said}")
    return None


def _facts(index: Index, columns: Columns, row: Sequence[object]) -> dict[str, Any]:
    """Return a row by its columns, with the names of persons."""
    facts = dict(zip(columns, map(plain_value, row), strict=True))
    return facts | {name: index.people.name_of(facts[name]) for name in PERSONS if name in facts}


def _story(
    call: str,
    facts: dict[str, Any],
    opened: Stored | None,
    ended: Stored | None,
    judged: dict[str, Any] | None,
    *,
    bodies: bool,
) -> Story:
    first = opened.members if opened is not None else None
    last = ended.members if ended is not None else None
    note = GONE if first is None or (last is None and facts["outcome"] is not None) else None
    moments = timeline(first, last, judged) if note is None else []
    parts: dict[str, str] = {}
    if bodies:
        try:
            for one in (opened, ended):
                found = one.bodies() if one is not None else {}
                parts |= {name: data.decode("utf-8", "replace") for name, data in found.items()}
        except CorruptLog as error:
            note = f"its bodies cannot be read: {error}"
        except BodyErased:
            parts, note = {}, ERASED
        except KeyMissing as error:
            note = f"its bodies cannot be decrypted: {error}"
    return Story(call, facts, moments, first, last, parts, note, judged)
