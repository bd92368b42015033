"""The authority's counters: windows, slots by member, and money by period."""

from collections import deque
from math import inf
from typing import Final, final

from trunkline.policy.leases.messages import (
    ACCOUNT,
    LEASE,
    MICROSECONDS,
    NEVER,
    NEXT_PERIOD,
    SLOTS,
    Correction,
    Counted,
    Want,
)
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.window import Window

SECOND: Final = MICROSECONDS
# Counters that are looked at with each ask, to let go of the idle ones: more than an ask can make.
SWEEP: Final = 4

Name = tuple[str, str]


@final
class Books:
    """Counts what was granted. Moments are microseconds."""

    __slots__ = ("_accounts", "_live", "_slots", "_windows")

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str, int], Window] = {}
        self._live: deque[tuple[str, str, int]] = deque()
        self._slots: dict[str, dict[Name, int]] = {}  # by member
        self._accounts: dict[Name, dict[int, int]] = {}  # by period

    def used(self, want: Want, members: list[str], at: int) -> int:
        """Return the units of a counter that count; slots are those of the members named."""
        name = want.rule, want.owner
        if want.span == SLOTS:
            return sum(self._slots[member].get(name, 0) for member in members if member in self._slots)
        if want.span == ACCOUNT:
            return self._accounts.get(name, {}).get(want.mark, 0)
        window = self._windows.get((want.rule, want.owner, want.span))
        return window.used(_moment(at)) if window is not None else 0

    def wait(self, want: Want, limit: int, at: int) -> int:
        """Return the microseconds until what a refused want needs may fit below a limit."""
        if want.need > want.limit:
            return NEVER
        if want.span == ACCOUNT:
            return NEXT_PERIOD
        if want.span == SLOTS:
            return SECOND
        window = self._windows.get((want.rule, want.owner, want.span))
        wait = window.wait(want.need, limit, _moment(at)) if window is not None else inf
        # What is withheld for members that are not heard stays so for as long as they are not.
        return want.span * SECOND if wait == inf else round(wait * SECOND)

    def grant(self, want: Want, units: int, member: str, at: int) -> int:
        """Take units, and return the mark by which they are given back.

        Those of a window may be used until their lease is over, so they are taken at its end.
        """
        name = want.rule, want.owner
        if want.span == SLOTS:
            if units > 0:
                slots = self._slots.setdefault(member, {})
                slots[name] = slots.get(name, 0) + units
            return 0
        if want.span == ACCOUNT:
            self._charge(name, want.mark, units)
            return want.mark
        return self._window(want.rule, want.owner, want.span).take(units, _moment(at + LEASE * SECOND))

    def correct(self, correction: Correction, member: str, at: int) -> None:
        """Take back what was not used, or charge what was used beyond a grant, room or not."""
        name, units = (correction.rule, correction.owner), correction.units
        if correction.span == SLOTS:
            slots = self._slots.get(member, {})
            if name in slots:
                slots[name] = max(0, slots[name] + units)
                if slots[name] == 0:
                    del slots[name]
        elif correction.span == ACCOUNT:
            self._charge(name, correction.mark, units)
        elif units > 0:
            self._window(correction.rule, correction.owner, correction.span).take(units, _moment(at))
        else:
            window = self._windows.get((correction.rule, correction.owner, correction.span))
            if window is not None:
                window.release(correction.mark, -units, _moment(at))

    def restore(self, counted: Counted, member: str, at: int) -> None:
        """Count what a member reports; slots are what it holds now."""
        for seconds, units in counted.pairs:
            if units <= 0:
                continue
            if counted.span == SLOTS:
                self._slots.setdefault(member, {})[counted.rule, counted.owner] = units
            elif counted.span == ACCOUNT:
                self._charge((counted.rule, counted.owner), counted.mark, units)
            else:
                self._window(counted.rule, counted.owner, counted.span).restore(seconds, units, _moment(at))

    def free_slots(self, member: str) -> None:
        """Free all slots of a member."""
        self._slots.pop(member, None)

    def sweep(self, at: int) -> None:
        """Let go of some windows that are idle."""
        for _ in range(min(SWEEP, len(self._live))):
            key = self._live.popleft()
            if self._windows[key].idle(_moment(at)):
                del self._windows[key]
            else:
                self._live.append(key)

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self._windows)

    def _window(self, rule: str, owner: str, span: int) -> Window:
        window = self._windows.get((rule, owner, span))
        if window is None:
            window = self._windows[rule, owner, span] = Window(span)
            self._live.append((rule, owner, span))
        return window

    def _charge(self, name: Name, period: int, units: int) -> None:
        """Count money; of an owner the newest two periods are kept, for what is settled late."""
        periods = self._accounts.setdefault(name, {})
        periods[period] = max(0, periods.get(period, 0) + units)
        if len(periods) > 2:
            del periods[min(periods)]


def _moment(at: int) -> Moment:
    return Moment(at / MICROSECONDS, 0.0)
