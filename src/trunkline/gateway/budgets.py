"""Budgets that are used up, or nearly: told in the record and in the operational log, once for each threshold."""

from contextlib import suppress
from datetime import UTC, datetime
from math import inf
from typing import Final, final

from trunkline.errors import AuditUnavailable
from trunkline.gateway.journal import Journal
from trunkline.gateway.limit_words import CALENDAR_ENDS, usd
from trunkline.model.records import BudgetCrossed
from trunkline.operations import OperationalLog
from trunkline.policy.budgets.account import Account
from trunkline.policy.leases.unweighed import Crossing
from trunkline.policy.limits.counter import Counter
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.rules import Claim

USED_UP: Final = 100
MOST_A_SECOND: Final = 100  # told in a second; budgets of tags that are made up for each call may not fill the log


@final
class Budgets:
    """Tells what calls do to budgets."""

    __slots__ = ("_journal", "_operations", "_second", "_told")

    def __init__(self, journal: Journal, operations: OperationalLog) -> None:
        self._journal, self._operations = journal, operations
        self._second = self._told = 0

    def changed(self, claim: Claim, counter: Counter, now: Moment) -> None:
        """A call has used of a budget: tell the thresholds that it has reached."""
        if not isinstance(counter, Account):
            return
        for percent in counter.crossed(claim.rule.limit, now):
            self.crossed(Crossing(claim.rule, claim.owner, percent, counter.spent(now), counter.ends(now)), now)

    def crossed(self, crossing: Crossing, now: Moment) -> None:
        """Tell a threshold that was reached."""
        second = int(now.monotonic)
        if second != self._second:
            self._second, self._told = second, 0
        self._told += 1
        if self._told > MOST_A_SECOND:
            return
        rule, percent = crossing.rule, crossing.percent
        record = BudgetCrossed(
            tenant=rule.tenant,
            budget=rule.name,
            owner=self._journal.owner(rule.tenant, rule.name, crossing.owner),
            percent=percent,
            amount=usd(rule.limit),
            spent=usd(crossing.spent),
            resets_at=None if crossing.ends == inf else _time(crossing.ends),
        )
        self._operations.event(
            "error" if percent >= USED_UP and rule.blocks else "warning",
            "budget",
            tenant=record.tenant,
            budget=record.budget,
            owner=record.owner,
            percent=percent,
            amount=record.amount,
            spent=record.spent,
        )
        # Where no record can be written, the call's own has failed as well, and is told.
        with suppress(AuditUnavailable):
            self._journal.budget_crossed(record)


def _time(wall: float) -> str:
    return datetime.fromtimestamp(min(wall, CALENDAR_ENDS), UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
