"""Counts of calls as they pass from the logs into the index, for whoever watches a gateway. No clock, no library.

What names a series comes from the configuration, so there are few; all the same there is a bound, and what is beyond it
is counted as `other`. Counting begins where the process began to follow.
"""

from bisect import bisect_left
from typing import NamedTuple

from trunkline.ledger.records import EndedPart, RefusedPart, UsagePart

OTHER = "other"
NONE = ""
MOST_SERIES = 500
LIMITED = frozenset({"limited", "over_budget"})
MS = 1000.0

# Upper bounds in seconds.
LONG = (0.05, 0.1, 0.15, 0.2, 0.28, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0)
SHORT = (0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
TOKEN_CLASSES = UsagePart.__struct_fields__


class CallSeries(NamedTuple):
    """Whose calls, for what, answered by whom."""

    tenant: str
    route: str
    provider: str
    model: str


class Histogram:
    """Durations by upper bound; the last count is of what is longer than all of them."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.seconds = 0.0

    def add(self, milliseconds: float) -> None:
        """Count one."""
        seconds = milliseconds / MS
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds


class Counted:
    """What is counted of one series."""

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = {}
        self.tokens = dict.fromkeys(TOKEN_CLASSES, 0)
        self.cost = 0.0


class RouteTimes:
    """How long the calls for a route took, in parts."""

    def __init__(self) -> None:
        self.first_token, self.call = Histogram(LONG), Histogram(LONG)
        self.first_sentence = Histogram(LONG)
        self.overhead, self.hold = Histogram(SHORT), Histogram(SHORT)


class CallCounts:
    """Counts for one thread; others may read what is there."""

    def __init__(self, most: int = MOST_SERIES) -> None:
        self.calls: dict[CallSeries, Counted] = {}
        self.times: dict[str, RouteTimes] = {}
        self.limited: dict[tuple[str, str], int] = {}  # by tenant and rule: what limits and budgets refused
        self.findings: dict[tuple[str, str, str], int] = {}  # by policy, rule and action
        self._most = most

    def ended(self, tenant: str, route: str, ended: EndedPart) -> None:
        """Count a call that has ended."""
        counted = self._counted(CallSeries(tenant, route, ended.provider or NONE, ended.model or NONE))
        counted.outcomes[ended.outcome] = counted.outcomes.get(ended.outcome, 0) + 1
        usage = ended.usage
        if usage is not None:
            tokens = counted.tokens
            for name in TOKEN_CLASSES:
                if count := getattr(usage, name):
                    tokens[name] += count
        if ended.cost is not None:
            counted.cost += float(ended.cost.amount)
        if ended.outcome in LIMITED and ended.error is not None:
            self._limit(tenant, ended.error.rule, 1)
        for finding in ended.findings:
            self._found((finding.policy, finding.rule, finding.action))
        self._time(route, ended)

    def _found(self, place: tuple[str, str, str]) -> None:
        if place not in self.findings and len(self.findings) >= self._most:
            place = (OTHER, OTHER, OTHER)
        self.findings[place] = self.findings.get(place, 0) + 1

    def refused(self, refused: RefusedPart) -> None:
        """Count calls that were not let in."""
        series = CallSeries(refused.tenant or NONE, refused.route or NONE, NONE, NONE)
        outcomes = self._counted(series).outcomes
        outcomes[refused.outcome] = outcomes.get(refused.outcome, 0) + refused.count
        if refused.outcome in LIMITED:
            self._limit(refused.tenant or NONE, refused.rule, refused.count)

    def _limit(self, tenant: str, rule: str | None, count: int) -> None:
        place = (tenant, rule or NONE)
        if place not in self.limited and len(self.limited) >= self._most:
            place = (OTHER, OTHER)
        self.limited[place] = self.limited.get(place, 0) + count

    def _time(self, route: str, ended: EndedPart) -> None:
        timings = ended.timings
        if timings is None:
            return
        times = self.times.get(route)
        if times is None:
            known = route if len(self.times) < self._most else OTHER
            times = self.times.setdefault(known, RouteTimes())
        times.call.add(timings.total_ms)
        times.overhead.add(timings.overhead_ms)
        times.hold.add(timings.hold_ms)
        if timings.first_token_ms is not None:
            times.first_token.add(timings.first_token_ms)
        if timings.first_sentence_ms is not None:
            times.first_sentence.add(timings.first_sentence_ms)

    def _counted(self, series: CallSeries) -> Counted:
        counted = self.calls.get(series)
        if counted is None:
            known = series if len(self.calls) < self._most else CallSeries(OTHER, OTHER, OTHER, OTHER)
            counted = self.calls.setdefault(known, Counted())
        return counted
