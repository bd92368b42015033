"""What a member's calls have cost and the authority has not yet held against the thresholds of budgets."""

from typing import Final, NamedTuple, final

from trunkline.policy.budgets.account import Account
from trunkline.policy.leases.messages import Spent
from trunkline.policy.limits.counter import Counter
from trunkline.policy.limits.limiter import Reservation
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.rules import Rule

# Accounts in one ask; more wait for the next.
IN_ONE_ASK: Final = 200
# Seconds from one ask to the next: what is spent meanwhile is said at once.
SAID_EVERY: Final = 0.1


class Crossing(NamedTuple):
    """A threshold of an owner's budget that all members together have reached: in percent, and what they have spent.

    `ends` is the Unix second at which the period ends, infinity for never.
    """

    rule: Rule
    owner: str
    percent: int
    spent: int
    ends: float


@final
class Entry:
    """An account of which something was spent; `mark` and `units` are what was said last."""

    __slots__ = ("account", "ends", "mark", "owner", "rule", "units")

    def __init__(self, rule: Rule, owner: str, account: Account) -> None:
        self.rule, self.owner, self.account = rule, owner, account
        self.mark = self.units = 0
        self.ends = 0.0

    def say(self, now: Moment) -> Spent:
        """Return what was spent in the current period."""
        account = self.account
        self.mark, self.units, self.ends = account.take(0, now), account.spent(now), account.ends(now)
        return Spent(self.rule.id, self.owner, self.mark, self.rule.limit, self.units, account.weighed(now))


@final
class Unweighed:
    """The accounts that wait to be said, and those that were said and wait for an answer, by the ask's serial."""

    __slots__ = ("_entries", "_said", "_said_at")

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], Entry] = {}
        self._said: dict[int, list[Entry]] = {}
        self._said_at = 0.0

    @property
    def empty(self) -> bool:
        """Whether all has been weighed."""
        return not self._entries and not self._said

    def due(self, now: Moment) -> bool:
        """Return whether there is something to say, and what was said last is answered.

        So what an ask says was weighed is what has been heard of all asks before it.
        """
        return bool(self._entries) and not self._said and not now.monotonic < self._said_at + SAID_EVERY

    def note(self, reservation: Reservation) -> None:
        """Take note that a call has cost something."""
        for position, claim in enumerate(reservation.claims):
            if claim.rule.measure == "money":
                self._add(claim.rule, claim.owner, reservation.counters[position])

    def say(self, serial: int, now: Moment) -> tuple[Spent, ...]:
        """Return as many as one ask may have; they wait for its answer."""
        self._said_at = now.monotonic
        entries = [self._entries.pop(name) for name in list(self._entries)[:IN_ONE_ASK]]
        self._said[serial] = entries
        return tuple([entry.say(now) for entry in entries])

    def hear(self, serial: int, crossed: tuple[tuple[int, int, int], ...] | None) -> list[Crossing]:
        """Take the answer to an ask, and return what is to be told; None weighs nothing, and all is said again."""
        entries = self._said.pop(serial, None)
        if entries is None:
            return []
        if crossed is None:
            self._again(entries)
            return []
        for entry in entries:
            entry.account.weigh(entry.mark, entry.units)
        found = [(entries[place], percent, units) for place, percent, units in crossed]
        return [Crossing(entry.rule, entry.owner, percent, units, entry.ends) for entry, percent, units in found]

    def lose(self) -> None:
        """Say all again that has no answer: it counts once, however often it was heard."""
        said, self._said = self._said, {}
        for entries in said.values():
            self._again(entries)

    def _add(self, rule: Rule, owner: str, counter: Counter) -> None:
        if isinstance(counter, Account):
            self._entries[rule.id, owner] = Entry(rule, owner, counter)

    def _again(self, entries: list[Entry]) -> None:
        for entry in entries:
            self._entries.setdefault((entry.rule.id, entry.owner), entry)
