"""The queries behind `trunkline costs`. Pure: SQL and the values for it, in the order of its question marks."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from trunkline.ledger.answers import Misunderstood
from trunkline.ledger.cost_answers import DIMENSIONS, PRODUCTION, TAG, CostsQuestion, PaidQuestion, Span
from trunkline.ledger.schema import FACTS, MONEY, PEOPLE, named

# A report that nobody can read is a mistake of who asks.
MOST_ROWS = 100_000
MOST_DIMENSIONS = 8
CALENDAR_BEGINS = datetime(1, 1, 1, tzinfo=UTC).timestamp()
# A session's name is its tenant's own. Of ten million conversations two have one hash in three cases of a million, and
# counting the names themselves takes twice the time and more memory than the index may have.
CONVERSATION = "hash(tenant, session)"

_COLUMNS = {
    "tenant": "tenant",
    "team": "team",
    "cost_center": "cost_center",
    "user": named("user_id"),
    "subject": named("subject"),
    "session": "session",
    "key": "key_id",
    "route": "route",
    "provider": "provider",
    "model": "provider || '/' || model",
    "prompt": "coalesce(prompt_name || '@' || prompt_version, 'sha256:' || left(prompt_fingerprint, 12))",
    "purpose": "purpose",
}
_TIMES = {"day": "%Y-%m-%d", "month": "%Y-%m"}


NOTHING = f"0::{MONEY}"
# A session's imported costs are its first call's team's, cost centre's, user's and subject's; those of a user those of
# that day.
_WITH_IMPORTS = f"""(
    SELECT "at", tenant, team, cost_center, user_id, subject, session, key_id, route, provider, model, prompt_name,
           prompt_version, prompt_fingerprint, purpose, tags, prompt_tokens, cached_tokens, completion_tokens, cost,
           estimated, outcome, NULL::{MONEY} AS amount, NULL AS kind
    FROM {FACTS}.calls
    UNION ALL BY NAME
    SELECT i."at" AS "at", i.tenant AS tenant, coalesce(s.team, i.team) AS team,
           coalesce(s.cost_center, i.cost_center) AS cost_center,
           coalesce(i.user_id, s.user_id) AS user_id, coalesce(s.subject, i.user_id) AS subject, i.session AS session,
           '{PRODUCTION}' AS purpose, i.amount AS amount, i.kind AS kind
    FROM {FACTS}.imports i LEFT JOIN (
        SELECT tenant, session, arg_min(team, id) AS team, arg_min(cost_center, id) AS cost_center,
               arg_min(user_id, id) AS user_id, arg_min(subject, id) AS subject
        FROM {FACTS}.calls WHERE session IN (SELECT session FROM {FACTS}.imports) GROUP BY tenant, session
    ) s ON s.tenant = i.tenant AND s.session = i.session
)"""


class Query(NamedTuple):
    """SQL with a question mark for each value."""

    sql: str
    values: list[object]


class _Builder:
    """Puts a query together, values beside the text."""

    def __init__(self) -> None:
        self.values: list[object] = []

    def value(self, value: object) -> str:
        self.values.append(value)
        return "?"

    def dimension(self, name: str, time_zone: str) -> str:
        if name.startswith(TAG):
            return f"tags[{self.value(name.removeprefix(TAG))}]"
        if name in _TIMES:
            return f"strftime(timezone({self.value(time_zone)}, \"at\"), '{_TIMES[name]}')"
        return _COLUMNS[name]

    def within(self, span: Span, purpose: str | None) -> str:
        conditions = [f'"at" >= {self.value(_moment(span.start))}', f'"at" < {self.value(_moment(span.end))}']
        if purpose is not None:
            conditions.append(f"purpose = {self.value(purpose)}")
        return " AND ".join(conditions)

    def person(self, column: str, name: str | None) -> str:
        """Return that a column is a person: by the name, or by a pseudonym that stands for it."""
        if name is None:
            return ""
        known = f"SELECT written FROM {PEOPLE}.names WHERE name = {self.value(name)}"
        return f" AND ({column} IN ({known}) OR {column} = {self.value(name)})"

    def only(self, **wanted: str | None) -> str:
        return "".join(f" AND {column} = {self.value(value)}" for column, value in wanted.items() if value is not None)


def costs(asked: CostsQuestion, span: Span, *, imports: bool) -> Query:
    """Return the query for the rows of a report and their total, which is the row whose first column is 1.

    `imports` says whether there are imported costs to be looked at: most have none, and are answered faster.

    Raises Misunderstood.
    """
    _check(asked.by, asked.time_zone)
    build = _Builder()
    groups = [f"{build.dimension(name, asked.time_zone)} AS d{n}" for n, name in enumerate(asked.by)]
    names = [f"d{n}" for n in range(len(groups))]
    inner = ", ".join([*groups, "*"])
    where = build.within(span, asked.purpose)
    where += build.only(tenant=asked.tenant, team=asked.team) + build.person("user_id", asked.user)
    dims = ", ".join(names)
    source, amount = (_WITH_IMPORTS, "amount") if imports else (f"{FACTS}.calls", NOTHING)
    sql = f"""
        SELECT {f"grouping({names[0]})" if names else "1"}, {f"{dims}, " if names else ""}count(outcome),
               count(DISTINCT {CONVERSATION}) FILTER (session IS NOT NULL AND outcome IS NOT NULL),
               sum(prompt_tokens), sum(cached_tokens), sum(completion_tokens),
               {_money("cost")}, {_money("cost", "session IS NOT NULL")}, {_money("cost", "estimated")},
               {_money(amount)}, {_money(amount, "session IS NOT NULL")},
               count(*) FILTER (outcome IN ('cancelled_before', 'cancelled_after')),
               count(*) FILTER (outcome IN ('failed', 'abandoned'))
        FROM (SELECT {inner} FROM {source} WHERE {where})
        {f"GROUP BY GROUPING SETS (({dims}), ())" if names else ""}
        LIMIT {MOST_ROWS + 2}
    """
    return Query(sql, build.values)


def imported(span: Span) -> Query:
    """Return the query that says whether costs were imported for a time."""
    build = _Builder()
    return Query(f"SELECT count(*) > 0 FROM {FACTS}.imports WHERE {build.within(span, None)}", build.values)


def paid(asked: PaidQuestion) -> Query:
    """Return the query for what was paid, by day in UTC. Raises Misunderstood."""
    _check(asked.by, "UTC", least=0)
    build = _Builder()
    groups = [f"{build.dimension(name, 'UTC')} AS d{n}" for n, name in enumerate(asked.by)]
    where = build.within(asked.span, asked.purpose) + build.only(tenant=asked.tenant)
    dims = [f"d{n}" for n in range(len(groups))]
    keys = ", ".join([*dims, "day", "tenant", "seller", "sold", "token_class", "unit_price", "version"])
    sql = f"""
        SELECT {keys}, sum(tokens), count(DISTINCT id), {_money("amount")}, {_money("amount", "estimated")}
        FROM (SELECT {"".join(f"{dim}, " for dim in dims)}id, tenant, estimated, strftime("at", '%Y-%m-%d') AS day,
                     coalesce(one.provider, provider, '') AS seller, coalesce(one.model, model, '') AS sold,
                     one.token_class AS token_class, one.unit_price AS unit_price, one.tokens AS tokens,
                     one.amount AS amount, coalesce(one.price_version, price_version, '') AS version
              FROM (SELECT {"".join(f"{group}, " for group in groups)}id, "at", tenant, provider, model, price_version,
                           estimated, unnest(paid) AS one
                    FROM {FACTS}.calls WHERE {where}))
        GROUP BY ALL ORDER BY {keys} LIMIT {MOST_ROWS + 1}
    """
    return Query(sql, build.values)


def others(asked: PaidQuestion) -> Query:
    """Return the query for what was imported, by day in UTC. Raises Misunderstood."""
    _check(asked.by, "UTC", least=0)
    build = _Builder()
    groups = [f"{build.dimension(name, 'UTC')} AS d{n}" for n, name in enumerate(asked.by)]
    where = build.within(asked.span, asked.purpose) + build.only(tenant=asked.tenant)
    keys = ", ".join([*(f"d{n}" for n in range(len(groups))), "day", "tenant", "kind"])
    sql = f"""
        SELECT {keys}, count(*), {_money("amount")}
        FROM (SELECT {"".join(f"{group}, " for group in groups)}strftime("at", '%Y-%m-%d') AS day, tenant, kind, amount
              FROM {_WITH_IMPORTS} WHERE kind IS NOT NULL AND {where})
        GROUP BY {keys}, amount < 0 ORDER BY {keys}, amount < 0 LIMIT {MOST_ROWS + 1}
    """
    return Query(sql, build.values)


def _check(by: Sequence[str], time_zone: str, least: int = 0) -> None:
    for name in by:
        if name not in DIMENSIONS and not (name.startswith(TAG) and len(name) > len(TAG)):
            raise Misunderstood(f"costs cannot be told apart by `{name[:50]}`; {', '.join(DIMENSIONS)} or tag:NAME can")
    if not least <= len(by) <= MOST_DIMENSIONS or len(set(by)) < len(by):
        raise Misunderstood(f"name each thing to tell costs apart by once, at most {MOST_DIMENSIONS} of them")
    try:
        ZoneInfo(time_zone)
    except (LookupError, ValueError, OSError):
        raise Misunderstood(
            f"`{time_zone[:50]}` is no time zone of the IANA database, as America/New_York is"
        ) from None


def _money(column: str, condition: str = "") -> str:
    where = f" FILTER ({condition})" if condition else ""
    return f"CAST(coalesce(sum({column}){where}, 0) AS {MONEY})"


def _moment(second: float) -> datetime:
    """Return the moment, or the first of the calendar for one before it: the time before a span may begin there."""
    return datetime.fromtimestamp(max(second, CALENDAR_BEGINS), UTC)
