"""The queries behind the review queue and the list of looks. Pure: SQL and the values for it."""

from collections.abc import Sequence
from datetime import datetime

from trunkline.ledger.answers import Misunderstood
from trunkline.ledger.lists import Query, Where
from trunkline.ledger.review_answers import (
    REPORT_BY,
    VERDICTS,
    QueueQuestion,
    ReadsQuestion,
    ReportQuestion,
    SamplesQuestion,
)
from trunkline.ledger.schema import FACTS, named, quoted

# The part of a decision's body that has what was noted.
NOTE = "note"
QUEUE_COLUMNS = (
    "call",
    "at",
    "tenant",
    "user",
    "route",
    "outcome",
    "why",
    "sampled_at",
    "state",
    "taken_by",
    "verdict",
    "reviewer",
    "decided_at",
)
SAMPLE_COLUMNS = (
    "sample",
    "at",
    "who",
    "since",
    "until",
    "filter",
    "all_flagged",
    "percent",
    "seed",
    "population",
    "population_sha256",
    "flagged",
    "rest",
    "drawn",
    "queued",
    "known",
    "again",
)
READ_COLUMNS = ("at", "who", "action", "calls", "call", "session", "tenant", "filter", "format")
COUNTS = ("calls", "chosen", "flagged", "drawn", "reviewed", "open", *VERDICTS, "share", "wait_h", "longest_h")
ALL = "(all)"

# Calls that were chosen and have no decision since: one row for each sample that chose it.
OPEN = f"""
    SELECT one.call, one.sample, one."at", one.why, one.n FROM {FACTS}.chosen one
    WHERE NOT EXISTS (SELECT 1 FROM {FACTS}.decisions d WHERE d.call = one.call AND d.sample = one.sample)
"""
# Who was shown a call for review last, since a time.
_HOLDERS = f"""
    SELECT call, arg_max(who, "at") AS who FROM {FACTS}.reads WHERE action = 'review' AND "at" > ? GROUP BY call
"""
# The last sample that chose a call, and what was decided since.
_LATEST = f"""
    SELECT latest.call AS call, latest.sample AS sample, latest."at" AS sampled_at, latest.why AS why,
           d.id AS decision, d.verdict AS verdict, d.who AS reviewer, d."at" AS decided_at
    FROM (SELECT call, arg_max(sample, "at") AS sample, arg_max(why, "at") AS why, max("at") AS "at"
          FROM {FACTS}.chosen GROUP BY call) latest
         LEFT JOIN (SELECT call, sample, arg_max(id, "at") AS id, arg_max(verdict, "at") AS verdict,
                           arg_max(who, "at") AS who, max("at") AS "at"
                    FROM {FACTS}.decisions GROUP BY call, sample) d
         ON d.call = latest.call AND d.sample = latest.sample
"""


def population(where: Where, outcomes: Sequence[str], after: str | None, rows: int, *, again: bool) -> Query:
    """Return the query for the next calls in the order of their ids: id, whether flagged, whether in the queue before.

    With `again` only those count as in the queue that are open.
    """
    known = f"SELECT call FROM ({OPEN})" if again else f"SELECT call FROM {FACTS}.chosen"
    behind = "AND id > ?::UUID" if after is not None else ""
    sql = f"""
        SELECT CAST(id AS VARCHAR),
               coalesce(len(found) > 0 OR outcome IN ({", ".join("?" for _ in outcomes)})
                        OR (log, id) IN (SELECT log, call FROM {FACTS}.judgements WHERE len(found) > 0), false),
               id IN ({known})
        FROM {FACTS}.calls WHERE {where} {behind} ORDER BY id LIMIT {rows}
    """
    return Query(sql, [*outcomes, *where.values, *([after] if after is not None else [])])


def following(tenant: str | None, who: str, held_since: datetime) -> Query:
    """Return the query for the call that a reviewer is to see next: their own, else the first that nobody has."""
    whose = "AND c.tenant = ?" if tenant is not None else ""
    sql = f"""
        SELECT CAST(o.call AS VARCHAR), CAST(o.sample AS VARCHAR), o.why, o."at"
        FROM ({OPEN}) o JOIN {FACTS}.calls c ON c.id = o.call LEFT JOIN ({_HOLDERS}) h ON h.call = o.call
        WHERE (h.who IS NULL OR h.who = ?) {whose}
        ORDER BY h.who IS NULL, o."at", o.why <> 'flagged', o.n LIMIT 1
    """
    return Query(sql, [held_since, who, *([tenant] if tenant is not None else [])])


def standing(call: str, held_since: datetime) -> Query:
    """Return the query for how a call stands: its sample, its decision (id, verdict, who), who has it."""
    sql = f"""
        SELECT CAST(l.sample AS VARCHAR), CAST(l.decision AS VARCHAR), l.verdict, l.reviewer, h.who
        FROM ({_LATEST}) l LEFT JOIN ({_HOLDERS}) h ON h.call = l.call WHERE l.call = ?::UUID
    """
    return Query(sql, [held_since, call])


def queue(asked: QueueQuestion, held_since: datetime) -> Query:
    """Return the query for calls of the queue."""
    where = Where()
    where.equal("state", asked.state)
    where.equal("verdict", asked.verdict)
    where.equal("reviewer", asked.reviewer)
    where.equal("tenant", asked.tenant)
    where.person("user_id", asked.user)
    where.equal("route", asked.route)
    where.within(asked.period)
    sql = f"""
        SELECT call, "at", tenant, {named("user_id")}, route, outcome, why, sampled_at, state, taken_by, verdict,
               reviewer, decided_at
        FROM (SELECT CAST(l.call AS VARCHAR) AS call, c."at" AS "at", c.tenant, c.user_id, c.route, c.outcome, l.why,
                     l.sampled_at, CASE WHEN l.decision IS NOT NULL THEN 'decided' WHEN h.who IS NOT NULL THEN 'taken'
                                   ELSE 'open' END AS state,
                     CASE WHEN l.decision IS NULL THEN h.who END AS taken_by, l.verdict, l.reviewer, l.decided_at
              FROM ({_LATEST}) l LEFT JOIN {FACTS}.calls c ON c.id = l.call LEFT JOIN ({_HOLDERS}) h ON h.call = l.call)
        WHERE {where} ORDER BY state = 'decided', sampled_at, why <> 'flagged', call LIMIT {asked.limit + 1}
    """
    return Query(sql, [held_since, *where.values])


def samples(asked: SamplesQuestion) -> Query:
    """Return the query for samples, the latest first."""
    where = Where()
    where.within(asked.period)
    columns = ", ".join(quoted(name) for name in SAMPLE_COLUMNS if name != "sample")
    sql = f"""
        SELECT CAST(id AS VARCHAR), {columns} FROM {FACTS}.samples WHERE {where}
        ORDER BY "at" DESC, id LIMIT {asked.limit + 1}
    """
    return Query(sql, where.values)


def decisions(call: str) -> Query:
    """Return the query for the decisions of a call, in their order, and where their records stand."""
    sql = f"""
        SELECT CAST(d.id AS VARCHAR), d."at", d.who, d.verdict, CAST(d.supersedes AS VARCHAR), l.directory, d.segment,
               d."offset"
        FROM {FACTS}.decisions d JOIN {FACTS}.logs l ON l.log = d.log WHERE d.call = ?::UUID ORDER BY d."at"
    """
    return Query(sql, [call])


def report(asked: ReportQuestion, now: datetime) -> tuple[tuple[str, ...], Query, Query]:
    """Return the columns of a report, the query for a row of each group of calls, and that for one of all of them.

    Raises Misunderstood. `share` is the percent of calls that were decided. Hours are from a call's choice to its
    decision: `wait_h` the median, `longest_h` the longest, open ones up to now.
    """
    unknown = [name for name in asked.by if name not in REPORT_BY]
    if unknown or not asked.by or len(set(asked.by)) != len(asked.by):
        raise Misunderstood(f"a report is made by some of {', '.join(REPORT_BY)}, each once")
    where = Where()
    where.equal("tenant", asked.tenant)
    where.within(asked.period)
    where.holds("judged_call IS NULL")
    names = {name: quoted("user_id" if name == "user" else name) for name in asked.by}
    # Of calls that nobody has reviewed there is no reviewer, so a share by reviewer would say nothing.
    share = "NULL" if "reviewer" in asked.by else "round(100.0 * count(verdict) / nullif(count(*), 0), 3)"
    verdicts = ", ".join(f"count(*) FILTER (verdict = '{verdict}')" for verdict in VERDICTS)
    hours = "date_diff('second', sampled_at, {}) / 3600.0"
    counted = f"""
        count(*), count(sampled_at), count(*) FILTER (why = 'flagged'), count(*) FILTER (why = 'drawn'),
        count(verdict), count(*) FILTER (sampled_at IS NOT NULL AND verdict IS NULL), {verdicts}, {share},
        round(median({hours.format("decided_at")}), 2), round(max({hours.format("coalesce(decided_at, ?)")}), 2)
    """
    reviewed = f"""
        SELECT c.tenant, c.team, {named("c.user_id")} AS user_id, c.route, l.reviewer, l.sampled_at, l.why, l.verdict,
               l.decided_at
        FROM (SELECT * FROM {FACTS}.calls WHERE {where}) c LEFT JOIN ({_LATEST}) l ON l.call = c.id
    """
    groups = ", ".join(names.values())
    by_group = f"""
        SELECT {groups}, {counted} FROM ({reviewed}) GROUP BY {groups} ORDER BY {groups} NULLS LAST
        LIMIT {asked.limit + 1}
    """
    everything = ", ".join([f"'{ALL}'", *["NULL"] * (len(names) - 1)])
    of_all = f"SELECT {everything}, {counted} FROM ({reviewed})"
    values = [now, *where.values]
    return (*asked.by, *COUNTS), Query(by_group, values), Query(of_all, values)


def reads(asked: ReadsQuestion) -> Query:
    """Return the query for looks, the latest first."""
    where = Where()
    where.equal("who", asked.who)
    where.equal("action", asked.action)
    where.within(asked.period)
    if asked.call is not None:
        where.holds(_SHOWED, asked.call)
    sql = f"""
        SELECT "at", who, action, calls, CAST(call AS VARCHAR), session, tenant,
               CASE WHEN cardinality(filter) > 0 THEN filter END, format
        FROM {FACTS}.reads r WHERE {where} ORDER BY "at" DESC, id LIMIT {asked.limit + 1}
    """
    return Query(sql, where.values)


# A look that may have shown a call: at itself, at its session, or an export or a scan whose filter it passes. What was
# found in a call does not count for that, so that too many are listed rather than too few.
PERSONS = ("user", "subject")
_FILTERS = {
    "tenant": "tenant",
    "user": "user_id",
    "subject": "subject",
    "session": "session",
    "route": "route",
    "outcome": "outcome",
}


def _passes(name: str, column: str) -> str:
    """Return the condition that a call passes a part of a look's filter, or that it may."""
    said = f"r.filter['{name}']"
    passes = f"NOT map_contains(r.filter, '{name}') OR {said} = c.{column}"
    if name in PERSONS:  # without a tenant it is a pseudonym of that question alone: the person may be anybody
        passes += f" OR (NOT map_contains(r.filter, 'tenant') AND {said} LIKE '_~%')"
    return f"({passes})"


_PASSES = " AND ".join(_passes(name, column) for name, column in _FILTERS.items())
_SHOWED = f"""
    EXISTS (SELECT 1 FROM {FACTS}.calls c WHERE c.id = ?::UUID AND (
        r.call = c.id
        OR (r.action = 'session' AND r.session = c.session AND r.tenant = c.tenant AND r."at" > c."at")
        OR (r.action IN ('export', 'scan') AND r."at" > c."at" AND {_PASSES}
            AND (NOT map_contains(r.filter, 'since') OR c."at" >= CAST(r.filter['since'] AS TIMESTAMPTZ))
            AND (NOT map_contains(r.filter, 'until') OR c."at" < CAST(r.filter['until'] AS TIMESTAMPTZ)))))
"""
