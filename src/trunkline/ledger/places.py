"""Finding where past calls stand in the logs, some at a time: a million places need not be in memory at once."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from trunkline.ledger.answers import Misunderstood
from trunkline.ledger.index import Index
from trunkline.ledger.place_answers import CallPlace, Places, PlacesQuestion
from trunkline.ledger.schema import FACTS
from trunkline.ledger.values import plain_value

MOST_PLACES = 5_000
_DAWN = datetime.fromtimestamp(0, UTC)

_SOURCE = f"{FACTS}.calls c JOIN {FACTS}.logs l ON l.log = c.log WHERE"


def places_of(index: Index, asked: PlacesQuestion, behind: int) -> Places:
    """Return the places of calls, the oldest first. Raises Misunderstood."""
    if not 1 <= asked.most <= MOST_PLACES:
        raise Misunderstood(f"so many places are not told at once: ask for 1 to {MOST_PLACES:,}")
    if not asked.since < asked.until:
        raise Misunderstood("the time has to begin before it ends")
    where, values = _where(asked)
    of = 0
    if asked.after is None:
        ((of,),) = index.ask(f"SELECT count(*) FROM {_SOURCE} {where}", values)
    rows = index.ask(
        f"""
        SELECT c."at", epoch_us(c."at"), CAST(c.id AS VARCHAR), c.tenant, c.route, c.stream, c.outcome,
               c.judged_call IS NOT NULL, l.directory, c.segment, c."offset", c.end_segment, c.end_offset
        FROM {_SOURCE} {where} ORDER BY c."at", c.id LIMIT {asked.most}
        """,
        values,
    )
    calls = tuple(
        CallPlace(
            call, str(plain_value(at)), tenant, route, stream, outcome, judging, directory, (first, offset), (last, end)
        )
        for at, _, call, tenant, route, stream, outcome, judging, directory, first, offset, last, end in rows
    )
    more = len(rows) == asked.most
    return Places(calls, (int(rows[-1][1]), rows[-1][2]) if more else None, int(of), behind)


def _where(asked: PlacesQuestion) -> tuple[str, list[object]]:
    conditions = ['c."at" >= ?', 'c."at" < ?']
    values: list[object] = [moment(asked.since), moment(asked.until)]
    for column, value in (("tenant", asked.tenant), ("route", asked.route)):
        if value is not None:
            conditions.append(f"c.{column} = ?")
            values.append(value)
    if asked.after is not None:
        at, call = _after(asked.after)
        conditions += ['c."at" >= ?', '(c."at" > ? OR c.id > ?::UUID)']
        values += [at, at, call]
    return " AND ".join(conditions), values


def _after(place: tuple[int, str]) -> tuple[datetime, str]:
    try:
        return _DAWN + timedelta(microseconds=place[0]), str(UUID(place[1]))
    except (ValueError, OverflowError):
        raise Misunderstood("`after` is no place of an earlier answer") from None


def moment(second: float) -> datetime:
    """Return a Unix second as a time. Raises Misunderstood."""
    try:
        return datetime.fromtimestamp(second, UTC)
    except (ValueError, OverflowError, OSError):
        raise Misunderstood("the calendar has no such time") from None
