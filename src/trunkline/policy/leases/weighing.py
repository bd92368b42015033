"""What all members have spent, held against the thresholds of budgets: each is told once, to whom reached it."""

from typing import Final, final

from trunkline.policy.budgets.account import reached_by
from trunkline.policy.leases.messages import Counted, Spent

Name = tuple[str, str]
# Periods of an owner that are kept: the current one, and that in which late calls are settled.
KEPT: Final = 2


@final
class Tally:
    """What was spent in one period, by member, and the threshold that was told last.

    `weighed` is what of it the members say was held against the thresholds before they were weighed here. `unheard` are
    the thresholds a member was told when it had spent so much, as long as it does not say that it has heard that.
    """

    __slots__ = ("spent", "told", "unheard", "weighed")

    def __init__(self) -> None:
        self.spent: dict[str, int] = {}
        self.weighed: dict[str, int] = {}
        self.unheard: dict[str, tuple[int, list[int]]] = {}
        self.told = 0


@final
class Weighing:
    """The tallies of all budgets."""

    __slots__ = ("_tallies",)

    def __init__(self) -> None:
        self._tallies: dict[Name, dict[int, Tally]] = {}

    def restore(self, counted: Counted, member: str, after: tuple[str, ...]) -> None:
        """Take in what a member reports; it has counted what those before it had spent."""
        name = counted.rule, counted.owner
        tally = self._tally(name, counted.mark)
        for gone in after:
            tally.spent.pop(gone, None)
            tally.unheard.pop(gone, None)
        if member not in tally.spent:
            tally.weighed[member] = counted.weighed
        tally.spent[member] = counted.spent
        self._forget(name)

    def weigh(self, spent: Spent, member: str) -> tuple[list[int], int]:
        """Return the thresholds, in percent, that are reached with what a member has spent; and what all have."""
        name = spent.rule, spent.owner
        tally = self._tally(name, spent.mark)
        tally.spent[member] = spent.units
        units = sum(tally.spent.values())
        before = reached_by(sum(tally.weighed.values()), spent.limit)
        told = max(tally.told, before[-1]) if before else tally.told
        reached = reached_by(units, spent.limit)
        tally.told = reached[-1] if reached else 0
        tally.weighed = {}
        self._forget(name)
        at, again = tally.unheard.pop(member, (0, []))
        if spent.weighed >= at:
            again = []
        fresh = [percent for percent in reached if percent > told or percent in again]
        if fresh:
            tally.unheard[member] = spent.units, fresh
        return fresh, units

    def _tally(self, name: Name, mark: int) -> Tally:
        return self._tallies.setdefault(name, {}).setdefault(mark, Tally())

    def _forget(self, name: Name) -> None:
        tallies = self._tallies[name]
        if len(tallies) > KEPT:
            del tallies[min(tallies)]
