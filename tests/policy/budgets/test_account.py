"""The account against a reference that keeps every reservation with the moment at which it was taken."""

from datetime import datetime
from math import inf
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from trunkline.policy.budgets.account import GRACE, KEPT, SOON, THRESHOLDS, Account
from trunkline.policy.budgets.calendar import Calendar
from trunkline.policy.limits.counter import ASK_AGAIN
from trunkline.policy.limits.moment import Moment

HOUR, DAY = 3600.0, 86_400.0
NEW_YORK = "America/New_York"
# A second before the clocks go forward in New York, in 2026; and a Tuesday noon in UTC.
BEFORE_SUMMER = datetime(2026, 3, 8, 1, 59, 59, tzinfo=ZoneInfo(NEW_YORK)).timestamp()
NOON = 1_790_078_400.0
USD = 10**9
PERS = ("day", "week", "month", "total")
MONEY = st.integers(0, 10**18)


def at(seconds: float, wall: float = 0.0) -> Moment:
    """So many seconds after noon; the wall clock is ahead by `wall`."""
    return Moment(1000.0 + seconds, NOON + seconds + wall)


class Reference:
    """Every reservation with its period, which is what the local clock showed."""

    def __init__(self, per: str, zone: str) -> None:
        self.per, self.zone, self.entries = per, ZoneInfo(zone), []

    def label(self, wall: float):
        local = datetime.fromtimestamp(wall, self.zone)
        return {
            "day": local.date(),
            "week": local.isocalendar()[:2],
            "month": (local.year, local.month),
            "total": "total",
        }[self.per]

    def used(self, wall: float) -> int:
        return sum(units for period, units in self.entries if period == self.label(wall))


class AccountMachine(RuleBasedStateMachine):
    """Takes and settles while time passes and the wall clock is put forward and back."""

    # How far the wall clock may be off, and how much time may pass at once.
    OFF = st.floats(-GRACE / 2, GRACE / 2)
    STEPS = st.floats(0, 40 * DAY)

    @initialize(per=st.sampled_from(PERS), zone=st.sampled_from(["UTC", NEW_YORK, "Asia/Kathmandu"]))
    def begin(self, per, zone):
        self.account, self.reference = Account(Calendar(per, zone)), Reference(per, zone)
        self.passed, self.off = 0.0, 0.0
        self.running = []

    @property
    def now(self) -> Moment:
        return Moment(500.0 + self.passed, BEFORE_SUMMER + self.passed + self.off)

    @rule(data=st.data())
    def time_passes(self, data):
        self.passed += data.draw(self.STEPS)

    @rule(data=st.data())
    def the_wall_clock_is_set(self, data):
        self.off = data.draw(self.OFF)

    @rule(units=MONEY)
    def take(self, units):
        mark = self.account.take(units, self.now)
        self.reference.entries.append([self.reference.label(self.now.wall), units])
        self.running.append((mark, units, len(self.reference.entries) - 1))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), used=st.none() | MONEY)
    def end(self, data, used):
        mark, units, position = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        if used is None:
            self.account.release(mark, units, self.now)
        else:
            self.account.settle(mark, units, used, self.now)
        self.reference.entries[position][1] = used or 0

    @rule(limit=st.integers(1, 10**18), units=MONEY)
    def what_has_to_wait_fits_when_the_period_turns(self, limit, units):
        now, used = self.now, self.reference.used(self.now.wall)
        wait = self.account.wait(units, limit, now)
        assert (wait == 0.0) == (used + units <= limit)
        if wait == ASK_AGAIN and self.account.spent(now) + units <= limit:
            assert units <= limit < used + units  # running calls have reserved the rest
        elif 0.0 < wait < inf:
            assert units <= limit
            label = self.reference.label
            assert label(now.wall + wait - 0.01) == label(now.wall) or wait <= SOON
            assert label(now.wall + wait + 0.01) != label(now.wall)
        elif wait == inf:
            assert units > limit or self.reference.per == "total"

    @rule()
    def a_restart_forgives_nothing(self):
        """Running calls are over with their process; the log says what they cost, and the state does not."""
        now, state = self.now, self.account.state(self.now)
        self.account = Account(self.account.calendar)
        for seconds, units in state:
            self.account.restore(seconds, units, now)
        for _, _, position in self.running:
            self.reference.entries[position][1] = 0
        self.running = []
        # Periods that have ended are not part of a state, so those that a clock may come back to are lost.
        label, entries = self.reference.label, self.reference.entries
        entries[:] = [entry for entry in entries if entry[0] >= label(now.wall)]

    @invariant()
    def the_current_period_has_what_was_taken_in_it(self):
        used = self.reference.used(self.now.wall)
        assert self.account.used(self.now) == used
        assert (self.account.reset(self.now) > 0.0) == (used > 0)
        assert self.account.spent(self.now) <= used
        if used:
            assert not self.account.idle(self.now)


class WildClock(AccountMachine):
    """A clock that is off by a year now and then, and right again within the hour."""

    OFF = st.sampled_from([0.0, 0.0, 400 * DAY, -400 * DAY, 2 * DAY])
    STEPS = st.floats(0, 30.0)


TestAccount = AccountMachine.TestCase
TestWildClock = WildClock.TestCase


def spend(account: Account, units: int, now: Moment) -> None:
    account.settle(account.take(units, now), units, units, now)


def test_a_reservation_counts_in_full_until_it_is_settled():
    account = Account(Calendar("day", "UTC"))
    mark = account.take(3 * USD, at(0))
    assert (account.used(at(1)), account.spent(at(1))) == (3 * USD, 0)
    account.settle(mark, 3 * USD, USD, at(2))
    assert (account.used(at(3)), account.spent(at(3))) == (USD, USD)


def test_what_costs_more_than_reserved_is_charged():
    account = Account(Calendar("day", "UTC"))
    account.settle(account.take(USD, at(0)), USD, 4 * USD, at(1))
    assert account.used(at(1)) == 4 * USD
    assert account.wait(1, 4 * USD, at(1)) == 12 * HOUR - 1


def test_a_call_that_ends_after_the_turn_is_paid_in_the_period_in_which_it_began():
    account = Account(Calendar("day", "UTC"))
    mark = account.take(USD, at(0))
    assert account.used(at(12 * HOUR)) == 0
    account.settle(mark, USD, 5 * USD, at(12 * HOUR))
    assert account.used(at(12 * HOUR)) == 0
    assert account.used(at(12 * HOUR, wall=-1.0)) == 5 * USD


def test_a_call_that_ends_when_its_period_is_forgotten_is_charged_to_nobody():
    account = Account(Calendar("day", "UTC"))
    mark = account.take(USD, at(0))
    account.take(1, at(40 * DAY))
    account.settle(mark, USD, 5 * USD, at(40 * DAY))
    assert account.used(at(40 * DAY)) == 1


def test_a_budget_in_total_never_turns():
    account = Account(Calendar("total", "UTC"))
    spend(account, 9 * USD, at(0))
    assert account.used(at(4000 * DAY)) == 9 * USD
    assert account.wait(2 * USD, 10 * USD, at(0)) == account.reset(at(0)) == inf
    assert not account.idle(at(4000 * DAY))


def test_fifty_calls_of_five_cents_fit_twenty_times_into_a_dollar():
    account, cents = Account(Calendar("day", "UTC")), 5 * 10**7
    marks = [account.take(cents, at(0)) for _ in range(50) if account.wait(cents, USD, at(0)) == 0.0]
    assert len(marks) == 20
    for mark in marks:
        account.settle(mark, cents, cents, at(1))
    assert account.spent(at(1)) == USD


def test_an_account_is_idle_when_both_clocks_say_that_its_money_is_of_the_past():
    account = Account(Calendar("day", "UTC"))
    assert account.idle(at(0))
    spend(account, USD, at(0))
    turn = 12 * HOUR
    for now, idle in [
        (at(turn - 1), False),
        (at(turn + 1), False),  # the clock may still go back over midnight
        (at(60, wall=400 * DAY), False),  # nobody has waited for a year
        (at(turn + GRACE - 1), False),
        (at(turn + GRACE, wall=-GRACE - 1), False),  # the wall clock says that it is still that day
        (at(turn + GRACE), True),
    ]:
        assert account.idle(now) is idle


def test_a_clock_that_goes_back_day_by_day_costs_no_more_than_a_few_periods():
    account = Account(Calendar("day", "UTC"))
    for days in range(100):
        account.settle(account.take(1, at(0, wall=-days * DAY)), 1, 1, at(0, wall=-days * DAY))
    assert len(account.state(at(0, wall=-100 * DAY))) == KEPT


@pytest.mark.parametrize("wall", [1e18, -1e18])
def test_a_clock_beyond_every_calendar_refuses_rather_than_forgives(wall):
    account, now = Account(Calendar("day", "UTC")), Moment(0.0, wall)
    spend(account, USD, now)
    assert account.used(now) == USD
    assert account.wait(1, USD, now) > 0.0


@given(st.lists(MONEY, max_size=12), st.integers(1, 10**18), st.lists(st.integers(0, 3), max_size=12))
def test_each_threshold_is_told_once_and_when_it_is_reached(costs, limit, days):
    account, now, told, spent = Account(Calendar("day", "UTC")), 0.0, [], 0
    for cost, later in zip(costs, days, strict=False):
        if later:
            now, told, spent = now + later * DAY, [], 0
        spend(account, cost, at(now))
        spent += cost
        told += account.crossed(limit, at(now))
        assert told == [percent for percent in THRESHOLDS if spent * 100 >= limit * percent]
        assert account.crossed(limit, at(now)) == []


@pytest.mark.parametrize(
    ("before", "after", "turn"),
    [("UTC", NEW_YORK, 16 * HOUR), (NEW_YORK, "UTC", 16 * HOUR), ("UTC", "Asia/Kathmandu", 12 * HOUR)],
)
def test_another_time_zone_counts_when_the_current_period_has_ended(before, after, turn):
    account = Account(Calendar("day", before))
    mark = account.take(USD, at(0))
    account.follow(Account(Calendar("day", after)))
    assert account.used(at(turn - 1)) == USD
    account.settle(mark, USD, 2 * USD, at(turn - 1))
    assert account.used(at(turn - 1)) == 2 * USD
    assert account.wait(1, USD, at(turn - 1)) == pytest.approx(1.0)
    assert account.used(at(turn)) == 0
    account.settle(account.take(USD, at(turn)), USD, USD, at(turn))
    ends = datetime.fromtimestamp(at(turn).wall + account.wait(1, USD, at(turn)), ZoneInfo(after))
    assert (ends.hour, ends.minute, ends.second) == (0, 0, 0)


def test_a_reservation_crosses_nothing():
    account = Account(Calendar("day", "UTC"))
    mark = account.take(10 * USD, at(0))
    assert account.crossed(10 * USD, at(0)) == []
    account.settle(mark, 10 * USD, 8 * USD, at(0))
    assert account.crossed(10 * USD, at(0)) == [50, 80]


def test_a_raised_limit_has_thresholds_of_its_own():
    account = Account(Calendar("month", "UTC"))
    spend(account, 9 * USD, at(0))
    assert account.crossed(10 * USD, at(0)) == [50, 80]
    assert account.crossed(100 * USD, at(0)) == []
    spend(account, 41 * USD, at(1))
    assert account.crossed(100 * USD, at(1)) == [50]


def test_thresholds_told_before_a_restart_are_skipped_by_asking_once():
    account, after = Account(Calendar("day", "UTC")), Account(Calendar("day", "UTC"))
    spend(account, 6 * USD, at(0))
    assert account.crossed(10 * USD, at(0)) == [50]
    for seconds, units in account.state(at(0)):
        after.restore(seconds, units, at(0))
    after.crossed(10 * USD, at(0))
    spend(after, 3 * USD, at(1))
    assert after.crossed(10 * USD, at(1)) == [80]


@given(st.sampled_from(PERS), MONEY, st.floats(0, 40 * DAY), st.floats(-0.5, 0.5))
def test_what_is_restored_counts_until_its_period_ends_and_no_longer(per, units, later, inexact):
    account, after = Account(Calendar(per, NEW_YORK)), Account(Calendar(per, NEW_YORK))
    spend(account, units, at(0))
    state = account.state(at(0))
    for seconds, found in state:
        after.restore(seconds - later + inexact, found, at(later))
    left = account.reset(at(0))
    if abs(left - later) > 1:
        assert after.used(at(later)) == (units if later < left else 0)
