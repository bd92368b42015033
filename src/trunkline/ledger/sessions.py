"""A session from the index and the logs, as one conversation."""

from pathlib import Path

from trunkline.audit.files.data_dir import LOGS
from trunkline.audit.files.settings import CorruptLog
from trunkline.ledger.answers import Misunderstood, Transcript, Unanswerable
from trunkline.ledger.archive import stored
from trunkline.ledger.index import Index
from trunkline.ledger.schema import FACTS
from trunkline.ledger.transcript import Turn, transcribed
from trunkline.ledger.values import plain_value

MOST_CALLS = 1000
MOST_BYTES = 64 << 20
SAID = frozenset({"answered", "tool_call", "refused", "replaced"})


def show_session(index: Index, data_dir: Path, session: str, tenant: str | None) -> Transcript:
    """Return a session as one conversation. Raises Misunderstood or Unanswerable."""
    owner, calls, cost = _found(index, session, tenant)
    turns, note = _turns(index, data_dir, session, owner)
    return Transcript(session, owner, calls, cost, transcribed(turns), note)


def _found(index: Index, session: str, tenant: str | None) -> tuple[str, int, str]:
    sql = f"SELECT tenant, count(*), coalesce(sum(cost), 0) FROM {FACTS}.calls WHERE session = ? GROUP BY tenant"
    found = {owner: (count, cost) for owner, count, cost in index.ask(sql, [session])}
    if tenant is None and len(found) > 1:
        owners = ", ".join(sorted(found))
        raise Misunderstood(f"several tenants have a session of this name: say which with --tenant ({owners})")
    owner = tenant if tenant is not None else next(iter(found), None)
    if owner is None or owner not in found:
        raise Unanswerable(
            f"there is no session `{session[:100]}` in the index; `trunkline sessions list` shows the latest"
        )
    count, cost = found[owner]
    return owner, count, plain_value(cost)


def _turns(index: Index, data_dir: Path, session: str, tenant: str) -> tuple[list[Turn], str | None]:
    """Return the calls of a session with their bodies, and what is missing."""
    sql = f"""
        SELECT c."at", CAST(c.id AS VARCHAR), c.outcome, c.error_code, l.directory,
               c.segment, c."offset", c.end_segment, c.end_offset
        FROM {FACTS}.calls c JOIN {FACTS}.logs l ON l.log = c.log
        WHERE c.session = ? AND c.tenant = ? ORDER BY c."at", c.id LIMIT {MOST_CALLS + 1}
    """
    rows = index.ask(sql, [session, tenant])
    turns: list[Turn] = []
    size = 0
    note = f"only its first {MOST_CALLS:,} calls are here" if len(rows) > MOST_CALLS else None
    for at, call, outcome, code, directory, segment, offset, end_segment, end_offset in rows[:MOST_CALLS]:
        path = data_dir / LOGS / directory
        ended = None if outcome in SAID else f"{outcome}{f': {code}' if code else ''}"
        request = _body(path, segment, offset, "request")
        response = _body(path, end_segment, end_offset, "response")
        if request is None or response is None:
            ended = "the log does not have all of this call any more"
        turns.append(Turn(plain_value(at), call, request or b"", response or b"", ended))
        size += len(request or b"") + len(response or b"")
        if size > MOST_BYTES:
            return turns, f"only its first {len(turns):,} calls are here: the others are too large"
    return turns, note


def _body(directory: Path, segment: int, offset: int, part: str) -> bytes | None:
    record = stored(directory, segment, offset)
    try:
        return record.bodies().get(part, b"") if record is not None else None
    except CorruptLog:
        return None
