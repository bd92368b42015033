"""The queries behind `calls list` and `sessions list`. Pure: SQL and the values for it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from trunkline.ledger.answers import CallsQuestion, Period, SessionsQuestion
from trunkline.ledger.schema import FACTS, PEOPLE, named

CALL_COLUMNS = (
    "at",
    "id",
    "tenant",
    "team",
    "user",
    "subject",
    "session",
    "route",
    "model",
    "outcome",
    "status",
    "count",
    "attempts",
    "tokens",
    "cost",
    "first_token_ms",
    "total_ms",
    "rule",
    "owner",
)
SESSION_COLUMNS = ("session", "tenant", "user", "subject", "first_at", "last_at", "calls", "cost")


class Query(NamedTuple):
    """SQL with a question mark for each value."""

    sql: str
    values: list[object]


class Where:
    """Conditions that all have to hold."""

    def __init__(self) -> None:
        self._conditions = ["true"]
        self.values: list[object] = []

    def equal(self, column: str, value: str | None) -> None:
        """A column is this value, where one is asked for."""
        if value is not None:
            self.holds(f"{column} = ?", value)

    def person(self, column: str, name: str | None) -> None:
        """A column is this person, where one is asked for: by the name, or by a pseudonym that stands for it."""
        if name is not None:
            self.holds(f"({column} = ? OR {column} IN (SELECT written FROM {PEOPLE}.names WHERE name = ?))", name, name)

    def within(self, period: Period) -> None:
        """The row's time is within a period."""
        if period.since is not None:
            self.holds('"at" >= ?', _moment(period.since))
        if period.until is not None:
            self.holds('"at" < ?', _moment(period.until))

    def holds(self, condition: str, *values: object) -> None:
        """A condition holds, whose question marks are these values."""
        self._conditions.append(condition)
        self.values += values

    def __str__(self) -> str:
        return " AND ".join(self._conditions)


def calls(asked: CallsQuestion) -> Query:
    """Return the query for calls and, where nothing is asked that only a call has, for refusals."""
    query, refusals = _calls(asked), _refusals(asked)
    both = f"SELECT * FROM ({query.sql}) UNION ALL SELECT * FROM ({refusals.sql})"
    latest = f'{both} ORDER BY "at" DESC LIMIT {asked.limit + 1}'
    return Query(
        f'{_with_names(latest, "user_id", "subject", "owner")} ORDER BY "at" DESC', query.values + refusals.values
    )


def _with_names(query: str, *columns: str) -> str:
    """Return the query for the rows of another one, with the names of the persons in these columns."""
    names = ", ".join(f"{named(column)} AS {column}" for column in columns)
    return f"SELECT * REPLACE ({names}) FROM ({query})"


def _calls(asked: CallsQuestion) -> Query:
    where = calls_that(asked)
    sql = f"""
        SELECT "at", id, tenant, team, user_id, subject, session, route, model, outcome, status, 1 AS "count",
               attempts, prompt_tokens + completion_tokens, cost, first_token_ms, total_ms, rule, owner
        FROM {FACTS}.calls WHERE {where} ORDER BY "at" DESC LIMIT {asked.limit + 1}
    """
    return Query(sql, where.values)


def calls_that(asked: CallsQuestion) -> Where:
    """Return the conditions on calls."""
    where = Where()
    for column in ("tenant", "team", "session", "route", "outcome"):
        where.equal(column, getattr(asked, column))
    where.person("subject", asked.subject)
    where.person("user_id", asked.user)
    where.within(asked.period)
    if asked.tool is not None:
        where.holds("list_contains(tool_calls, ?)", asked.tool)
    if asked.finding is not None:
        of_it = "len(list_filter(found, lambda one: one.rule = ? OR one.policy = ?)) > 0"
        said = f"(log, id) IN (SELECT log, call FROM {FACTS}.judgements WHERE {of_it})"
        where.holds(f"({of_it} OR {said})", *[asked.finding] * 4)
    return where


def refusals_that(asked: CallsQuestion) -> Where:
    """Return the conditions on refusals; none is meant where something is asked that only a call has."""
    where = Where()
    if any((asked.team, asked.subject, asked.session, asked.finding, asked.tool)):
        where.holds("false")
    for column in ("tenant", "route", "outcome"):
        where.equal(column, getattr(asked, column))
    where.person("user_id", asked.user)
    where.within(asked.period)
    return where


def _refusals(asked: CallsQuestion) -> Query:
    where = refusals_that(asked)
    sql = f"""
        SELECT "at", first_call, tenant, NULL, user_id, NULL, NULL, route, NULL, outcome, status, "count",
               0, NULL, NULL, NULL, NULL, rule, owner
        FROM {FACTS}.refusals WHERE {where} ORDER BY "at" DESC LIMIT {asked.limit + 1}
    """
    return Query(sql, where.values)


def latest_sessions(asked: SessionsQuestion, calls: int) -> Query:
    """Return the query for tenant and session of so many calls, the newest first: what to look for sessions in."""
    where = _of_sessions(asked)
    sql = f"""
        SELECT tenant, session FROM {FACTS}.calls WHERE session IS NOT NULL AND {where}
        ORDER BY "at" DESC LIMIT {calls}
    """
    return Query(sql, where.values)


def sessions(asked: SessionsQuestion, found: Sequence[tuple[str, str]]) -> Query:
    """Return the query for these sessions, each a tenant and a name, as far as they are within the period."""
    where = _of_sessions(asked)
    tenants, names = [tenant for tenant, _ in found], [name for _, name in found]
    sql = f"""
        SELECT session, tenant, arg_min(user_id, id) AS user_id, arg_min(subject, id) AS subject, min("at"),
               max("at") AS latest, count(*) FILTER (judged_call IS NULL), sum(cost)
        FROM {FACTS}.calls
        WHERE {where} AND (tenant, session) IN (SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[]))
        GROUP BY tenant, session
    """
    return Query(f"{_with_names(sql, 'user_id', 'subject')} ORDER BY latest DESC", [*where.values, tenants, names])


def _of_sessions(asked: SessionsQuestion) -> Where:
    where = Where()
    where.equal("tenant", asked.tenant)
    where.person("user_id", asked.user)
    where.person("subject", asked.subject)
    where.within(asked.period)
    return where


def _moment(second: float) -> datetime:
    return datetime.fromtimestamp(second, UTC)
