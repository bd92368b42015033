"""What limits would have done to the calls of the index, read a stretch of time at a time."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from trunkline.ledger.answers import Misunderstood
from trunkline.ledger.index import Index
from trunkline.ledger.limit_answers import SimulationQuestion, SimulationReport, SimulationStep
from trunkline.ledger.limit_replay import LimitReplay, PastCall
from trunkline.ledger.schema import FACTS, named
from trunkline.model.money import nano_usd, plain
from trunkline.model.snapshot import Key, Tenant
from trunkline.policy.limits.rules import Needs
from trunkline.policy.limits.tenant_rules import TenantRules

MOST_SHOWN = 2_000
# Rows of a stretch: what is held in memory, while nobody else can ask. One with more is cut in two; few make the next
# one longer.
MOST_ROWS = 20_000
WIDEST, FIRST, NARROWEST = 86_400.0, 3_600.0, 0.001
# How far back what was used still counts, seconds. A little more than each, for a call's record comes after it.
REACH = {"": 3_600.0, "minute": 120.0, "hour": 7_200.0, "day": 90_000.0, "week": 608_400.0, "month": 2_682_000.0}
FAIR_SHARE = "fair_share"

# Calls that limits had refused, and who heard a sentence, are among the calls; the others are counted in `refusals`.
# A client that left while it was held wanted to be let in too.
_SOURCE = f"""
    SELECT "at", CAST(id AS VARCHAR) AS call, tenant, key_id, route, {named("user_id")} AS user_id, team, tags,
           outcome IN ('limited', 'over_budget') AND rule IS DISTINCT FROM '{FAIR_SHARE}' AS unmet,
           coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0) AS tokens, coalesce(cost, 0) AS cost,
           coalesce(total_ms, 0) / 1000 AS seconds, 1 AS "count", judged_call IS NOT NULL AS judging
    FROM {FACTS}.calls WHERE {{where}}
    UNION ALL
    SELECT "at", CAST(first_call AS VARCHAR), tenant, key_id, route, {named("user_id")}, NULL, MAP {{{{}}}}, true,
           0, 0, 0, "count", false
    FROM {FACTS}.refusals
    WHERE {{where}} AND tenant IS NOT NULL AND key_id IS NOT NULL AND route IS NOT NULL
      AND outcome IN ('limited', 'over_budget', 'cancelled_before')
"""


class Simulation:
    """One run over the calls of a time; `advance` until it returns False, then `report`."""

    def __init__(
        self,
        index: Index,
        tenants: Mapping[str, Tenant],
        keys: Mapping[str, Key],
        asked: SimulationQuestion,
        behind: int,
    ) -> None:
        """Raise Misunderstood where there is nothing to ask."""
        _check(tenants, asked)
        self._index, self._asked, self._behind = index, asked, behind
        rules = {
            # To observe is to ask just this. It is asked here of limits that would hold.
            name: TenantRules(replace(tenant, enforce="limits"), [key for key in keys.values() if key.tenant == name])
            for name, tenant in tenants.items()
            if asked.tenant in {None, name}
        }
        self._replay = LimitReplay(rules, keys, asked.since)
        periods = {rule.period for tenant in rules.values() for rule in tenant.rules}
        self._at = 0.0 if "total" in periods else asked.since - max((REACH[period] for period in periods), default=0.0)
        self._width, self._done, self._of = FIRST, 0, 0
        self._begin()

    def advance(self) -> bool:
        """Go on over the next stretch; return whether there may be more."""
        if self._at >= self._asked.until or not self._of:
            return False
        end = min(self._at + self._width, self._asked.until)
        rows = self._rows(self._at, end)
        if len(rows) > MOST_ROWS and self._width > NARROWEST:
            self._width /= 2
            return True
        for row in rows:
            self._replay.take(_past_call(row))
            self._done += 1
        self._at = end
        if len(rows) < MOST_ROWS // 4:
            self._width = min(self._width * 2, WIDEST)
        return True

    def step(self) -> SimulationStep:
        """Return how far it is."""
        return SimulationStep(self._done, max(self._of, self._done))

    def report(self) -> SimulationReport:
        """Return what the limits would have done."""
        replay, rows = self._replay, self._replay.rows()
        shown = tuple(rows[: self._asked.most])
        return SimulationReport(
            replay.calls, replay.refused, replay.unjudged, shown, max(0, len(rows) - len(shown)), self._behind
        )

    def _begin(self) -> None:
        """Find out how much there is, and where it begins."""
        source, values = self._source(self._at, self._asked.until)
        ((first, count),) = self._index.ask(f'SELECT epoch(min("at")), count(*) FROM ({source})', values)
        self._of = int(count)
        if first is not None:
            self._at = max(self._at, float(first))

    def _rows(self, start: float, end: float) -> list[tuple[Any, ...]]:
        source, values = self._source(start, end)
        bound = f"LIMIT {MOST_ROWS + 1}" if self._width > NARROWEST else ""
        return self._index.ask(
            f'SELECT epoch("at"), * EXCLUDE ("at") FROM ({source}) ORDER BY "at", call {bound}', values
        )

    def _source(self, start: float, end: float) -> tuple[str, list[object]]:
        where = '"at" >= ? AND "at" < ?'
        values: list[object] = [_moment(start), _moment(end)]
        if self._asked.tenant is not None:
            where += " AND tenant = ?"
            values.append(self._asked.tenant)
        return _SOURCE.format(where=where), [*values, *values]


def _check(tenants: Mapping[str, Tenant], asked: SimulationQuestion) -> None:
    if asked.tenant is not None and asked.tenant not in tenants:
        raise Misunderstood(f"the configuration has no tenant `{asked.tenant[:100]}`; it has {', '.join(tenants)}")
    if not 1 <= asked.most <= MOST_SHOWN:
        raise Misunderstood(f"so many rows cannot be shown: ask for 1 to {MOST_SHOWN:,}")
    if not asked.since < asked.until:
        raise Misunderstood("the time has to begin before it ends")
    for second in (asked.since, asked.until):
        _moment(second)


def _past_call(row: tuple[Any, ...]) -> PastCall:
    at, call, tenant, key_id, route, user, team, tags, unmet, tokens, cost, seconds, count, judging = row
    needs = None if unmet else Needs(int(tokens), nano_usd(plain(cost)))
    took = None if unmet else float(seconds)
    return PastCall(at, call, tenant, key_id, route, user, team, tags or {}, needs, took, int(count), bool(judging))


def _moment(second: float) -> datetime:
    """Return a Unix second as a time. Raises Misunderstood."""
    try:
        return datetime.fromtimestamp(second, UTC)
    except (ValueError, OverflowError, OSError):
        raise Misunderstood("the calendar has no such time") from None
