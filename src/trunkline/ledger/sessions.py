"""A session from the index and the logs, as one conversation."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from trunkline.audit.files.settings import CorruptLog
from trunkline.audit.format.sealing import BodyErased, KeyMissing
from trunkline.ledger.answers import Misunderstood, Transcript, Unanswerable
from trunkline.ledger.archive import Archive
from trunkline.ledger.index import Index
from trunkline.ledger.questions import ERASED
from trunkline.ledger.schema import FACTS
from trunkline.ledger.transcript import Turn, transcribed
from trunkline.ledger.values import plain_value

MOST_CALLS = 1000
MOST_BYTES = 64 << 20
SAID = frozenset({"answered", "tool_call", "refused", "replaced"})

MISSING = "the log does not have all of this call any more"


def show_session(index: Index, archive: Archive, session: str, tenant: str | None) -> Transcript:
    """Return a session as one conversation. Raises Misunderstood or Unanswerable."""
    by_tenant: dict[str, list[tuple[Any, ...]]] = {}
    for owner, *row in index.ask(_CALLS, [session]):
        by_tenant.setdefault(owner, []).append(tuple(row))
    owner = _owner(by_tenant, session, tenant)
    rows = by_tenant[owner]
    cost = sum((row[0] for row in rows if row[0] is not None), Decimal(0))
    said = [row[2:] for row in rows if row[1]]  # what judges were asked is part of what it cost, not of what was said
    turns, note = _turns(archive, said)
    return Transcript(session, owner, len(said), plain_value(cost), transcribed(turns), note)


_CALLS = f"""
    SELECT c.tenant, c.cost, c.judged_call IS NULL, c."at", CAST(c.id AS VARCHAR), c.outcome, c.error_code, l.directory,
           c.segment, c."offset", c.end_segment, c.end_offset
    FROM {FACTS}.calls c JOIN {FACTS}.logs l ON l.log = c.log WHERE c.session = ? ORDER BY c."at", c.id
"""


def _owner(by_tenant: Mapping[str, object], session: str, tenant: str | None) -> str:
    if tenant is None and len(by_tenant) > 1:
        owners = ", ".join(sorted(by_tenant))
        raise Misunderstood(f"several tenants have a session of this name: say which with --tenant ({owners})")
    owner = tenant if tenant is not None else next(iter(by_tenant), None)
    if owner is None or owner not in by_tenant:
        raise Unanswerable(f"there is no session `{session[:100]}`; `trunkline sessions list` shows the latest")
    return owner


def _turns(archive: Archive, rows: Sequence[tuple[Any, ...]]) -> tuple[list[Turn], str | None]:
    """Return the calls of a session with their bodies, and what is missing."""
    turns: list[Turn] = []
    size = 0
    note = f"only its first {MOST_CALLS:,} calls are here" if len(rows) > MOST_CALLS else None
    for at, call, outcome, code, directory, segment, offset, end_segment, end_offset in rows[:MOST_CALLS]:
        ended = None if outcome in SAID else f"{outcome}{f': {code}' if code else ''}"
        request = _body(archive, (directory, segment, offset), "request")
        response = _body(archive, (directory, end_segment, end_offset), "response")
        for found in (request, response):
            if isinstance(found, str):
                ended = found
        request, response = (found if isinstance(found, bytes) else b"" for found in (request, response))
        turns.append(Turn(plain_value(at), call, request, response, ended))
        size += len(request) + len(response)
        if size > MOST_BYTES:
            return turns, f"only its first {len(turns):,} calls are here: the others are too large"
    return turns, note


def _body(archive: Archive, place: tuple[str, int, int], part: str) -> bytes | str:
    """Return what a record has of a part, or why it cannot be read."""
    try:
        record = archive.stored(*place)
        return record.bodies().get(part, b"") if record is not None else MISSING
    except CorruptLog:
        return MISSING
    except BodyErased:
        return ERASED
    except KeyMissing as error:
        return f"this call cannot be decrypted: {error}"
