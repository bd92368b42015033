# ruff: noqa: ARG002  the end of a reservation needs no clock, which other counters do
"""The money of one owner under one budget."""

from math import inf
from typing import Final, final

from trunkline.policy.budgets.calendar import Calendar, Period
from trunkline.policy.limits.counter import ASK_AGAIN, Counter
from trunkline.policy.limits.moment import Moment

# Percent of the limit that are told when what was spent reaches them.
THRESHOLDS: Final = (50, 80, 100)
# A clock that was put right may go back over the turn of a period: so many seconds a period is kept that has ended.
GRACE: Final = 3600.0
# A clock that jumps about can come by many periods; nobody's has a reason to come by more.
KEPT: Final = 8

SOON: Final = 0.001


@final
class Balance:
    """What was spent and is reserved in one period, nano-USD, and the threshold that was told last.

    `weighed` is what of it has been held against the thresholds. `over` is the monotonic
    second at which the period ends if the wall clock was right when the balance was opened.
    """

    __slots__ = ("over", "period", "reserved", "spent", "told", "weighed")

    def __init__(self, period: Period, now: Moment) -> None:
        self.period, self.over = period, now.monotonic + (period.end - now.wall)
        self.spent = self.reserved = self.told = self.weighed = 0


@final
class Account(Counter):
    """Counts nano-USD by the periods of a calendar: what was taken in one is settled in that one, however late.

    A wall clock may be put forward or back at any time. So a period's money is forgotten only when both clocks say that
    the period is over; until then it counts again whenever the time is in that period.
    """

    __slots__ = ("_balances", "calendar")

    def __init__(self, calendar: Calendar) -> None:
        super().__init__()
        self.calendar = calendar
        self._balances: list[Balance] = []  # the one in use last comes last

    def used(self, now: Moment) -> int:
        """Return what was spent and what is reserved in the current period."""
        balance = self._balance(now)
        return balance.spent + balance.reserved

    def spent(self, now: Moment) -> int:
        """Return what was spent in the current period."""
        return self._balance(now).spent

    def fits(self, units: int, limit: int, now: Moment) -> bool:
        """Return whether so much more fits into the current period."""
        balance = self._balance(now)
        return balance.spent + balance.reserved + units <= limit

    def wait(self, units: int, limit: int, now: Moment) -> float:
        """Return the seconds until so much more fits: 0.0 if it does now, infinity if it never will.

        That is the turn of the period; or a second, where it would fit if running calls had not reserved the rest: they
        may give some of it back.
        """
        if self.fits(units, limit, now):
            return 0.0
        balance = self._balance(now)
        if units > limit:
            return inf
        return ASK_AGAIN if balance.spent + units <= limit else _left(balance, now)

    def reset(self, now: Moment) -> float:
        """Return the seconds until nothing counts any more: the turn of the period, unless nothing counts now."""
        balance = self._balance(now)
        return _left(balance, now) if balance.spent + balance.reserved else 0.0

    def take(self, units: int, now: Moment) -> int:
        """Reserve nano-USD in the current period, whose number is returned."""
        balance = self._balance(now)
        balance.reserved += units
        return balance.period.number

    def settle(self, mark: int, reserved: int, used: int, now: Moment) -> None:
        """End a reservation: so much was spent, more or less than reserved, in the period in which it was taken."""
        balance = self._numbered(mark)
        if balance is not None:
            balance.reserved -= min(reserved, balance.reserved)
            balance.spent += used

    def release(self, mark: int, reserved: int, now: Moment) -> None:
        """Undo a reservation: nothing was spent."""
        self.settle(mark, reserved, 0, now)

    def crossed(self, limit: int, now: Moment) -> list[int]:
        """Return the thresholds, in percent, that what was spent has reached since this was asked last.

        Only what was spent counts: a reservation may be given back. A limit that is raised beyond what was spent makes
        its thresholds new. After `restore`, ask once for what was told before.
        """
        balance = self._balance(now)
        if balance.told == 0 and balance.spent * 100 < limit * THRESHOLDS[0]:
            balance.weighed = balance.spent  # as of nearly all calls
            return []
        reached = reached_by(balance.spent, limit)
        fresh = [percent for percent in reached if percent > balance.told]
        balance.told = reached[-1] if reached else 0
        balance.weighed = balance.spent
        return fresh

    def weighed(self, now: Moment) -> int:
        """Return what of the current period's money has been held against the thresholds, here or elsewhere."""
        return self._balance(now).weighed

    def weigh(self, mark: int, spent: int) -> None:
        """Take note that so much of a period's money was held against the thresholds elsewhere."""
        balance = self._numbered(mark)
        if balance is not None:
            balance.weighed = spent

    def ends(self, now: Moment) -> float:
        """Return the Unix second at which the current period ends, infinity for never."""
        return self._balance(now).period.end

    def follow(self, fresh: Counter) -> None:
        """Go by the calendar of a new account of this rule, as after a change of the time zone.

        The current period ends when it would have. Where that one still is in a period of this number, the money counts
        until it ends there too.
        """
        if isinstance(fresh, Account):
            self.calendar = fresh.calendar

    def idle(self, now: Moment) -> bool:
        """Return whether nothing counts, in this period or in one that the clock may come back to."""
        self._forget(now)
        return not any(balance.spent or balance.reserved for balance in self._balances)

    def state(self, now: Moment) -> list[tuple[float, int]]:
        """Return, for each period that has not ended, the seconds until it does, and what was spent in it.

        What is reserved is not part of it: the records of the calls that reserved it say what became of them.
        """
        return [
            (balance.period.end - now.wall, balance.spent)
            for balance in self._balances
            if balance.spent and now.wall < balance.period.end
        ]

    def restore(self, seconds: float, units: int, now: Moment) -> None:
        """Count money as spent in the period that ends in so many seconds, give or take one."""
        if seconds <= 0 or units <= 0:
            return
        within = now.wall if seconds == inf else max(now.wall + seconds - 1.0, now.wall)
        self._opened(self.calendar.period(within), now).spent += units

    def _balance(self, now: Moment) -> Balance:
        """Return the balance of the current period."""
        if self._balances:
            last = self._balances[-1]
            if last.period.start <= now.wall < last.period.end:
                return last
        return self._opened(self.calendar.period(now.wall), now)

    def _opened(self, period: Period, now: Moment) -> Balance:
        """Return the balance of a period, which is now the one in use last."""
        known = self._numbered(period.number)
        if known is not None:
            self._balances.remove(known)
            known.period = period
        else:
            known = Balance(period, now)
            self._forget(now)
            if len(self._balances) >= KEPT:
                del self._balances[0]
        self._balances.append(known)
        return known

    def _numbered(self, number: int) -> Balance | None:
        for balance in self._balances:
            if balance.period.number == number:
                return balance
        return None

    def _forget(self, now: Moment) -> None:
        """Let go of periods that are over by both clocks."""
        self._balances = [
            balance
            for balance in self._balances
            if now.wall < balance.period.end or now.monotonic < balance.over + GRACE
        ]


def reached_by(spent: int, limit: int) -> list[int]:
    """Return the thresholds, in percent, that so much money has reached, the lowest first."""
    return [percent for percent in THRESHOLDS if spent * 100 >= limit * percent]


def _left(balance: Balance, now: Moment) -> float:
    """Return the seconds until a period ends; more than none even where a clock is beyond every calendar."""
    return max(balance.period.end - now.wall, SOON)
