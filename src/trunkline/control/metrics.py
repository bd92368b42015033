"""`/metrics` in Prometheus' text format: what the ledger has counted, and what the workers report of themselves.

Names and labels are on docs/operations.md. Every label's values come from the configuration or from a closed list.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from types import MappingProxyType

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from trunkline.audit.files.flush_times import BOUNDS
from trunkline.channel.messages import LimitsQuestion, WorkerState
from trunkline.control.answers import LimitsInUse
from trunkline.ledger.telemetry import CallCounts, Histogram

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Users and teams would be too many series.
OF_TENANTS = LimitsQuestion(scope="tenant", most=500)
PHASES = {"closed": 0, "half_open": 1, "open": 2}
SERIES = ("tenant", "route", "provider", "model")


def page(
    counts: CallCounts,
    lag_seconds: float | None,
    workers: Sequence[WorkerState],
    limits: LimitsInUse | None,
    proof_lag: float,
    admin_refusals: int = 0,
    copy_lags: Mapping[str, float] = MappingProxyType({}),
) -> bytes:
    """Return the page; a lag of None says that the ledger is not there (yet), limits of None that no worker is."""
    registry = CollectorRegistry(auto_describe=False)
    of_calls = [*_of_calls(counts), *_of_refusals(counts), *_of_findings(counts)]
    of_ledger = [*of_calls, *_of_times(counts), *_of_lag(lag_seconds, proof_lag)]
    of_workers = [*_of_workers(workers), *_of_targets(workers), *_of_limits(limits)]
    of_admin = CounterMetricFamily("trunkline_admin_refusals", "Requests to the admin API that were not let in.")
    of_admin.add_metric((), admin_refusals)
    registry.register(_Families([*of_ledger, *of_workers, of_admin, _of_copies(copy_lags)]))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _of_calls(counts: CallCounts) -> Iterator[Metric]:
    calls = CounterMetricFamily(
        "trunkline_calls", "Calls that have ended or were refused.", labels=(*SERIES, "outcome")
    )
    tokens = CounterMetricFamily("trunkline_tokens", "Tokens, in disjoint classes.", labels=(*SERIES, "class"))
    cost = CounterMetricFamily("trunkline_cost_usd", "What calls cost, in USD.", labels=SERIES)
    for series, counted in list(counts.calls.items()):
        for outcome, count in list(counted.outcomes.items()):
            calls.add_metric((*series, outcome), count)
        for name, count in counted.tokens.items():
            if count:
                tokens.add_metric((*series, name), count)
        cost.add_metric(series, counted.cost)
    yield from (calls, tokens, cost)


def _of_refusals(counts: CallCounts) -> Iterator[Metric]:
    refusals = CounterMetricFamily(
        "trunkline_limit_refusals", "Calls that a limit, a budget or a fair share refused.", labels=("tenant", "rule")
    )
    for (tenant, rule), count in list(counts.limited.items()):
        refusals.add_metric((tenant, rule), count)
    yield refusals


def _of_findings(counts: CallCounts) -> Iterator[Metric]:
    findings = CounterMetricFamily(
        "trunkline_guardrail_findings", "What guardrails found.", labels=("policy", "rule", "action")
    )
    for place, count in list(counts.findings.items()):
        findings.add_metric(place, count)
    yield findings


def _of_times(counts: CallCounts) -> Iterator[Metric]:
    families = {
        name: HistogramMetricFamily(f"trunkline_{name}_seconds", about, labels=("route",))
        for name, about in (
            ("first_token", "From a call's beginning to the first token."),
            ("call", "From a call's beginning to its end."),
            ("overhead", "What the gateway itself took of a call."),
            ("first_sentence", "From a call's beginning to when its first sentence left, under guardrails."),
            ("hold", "The longest that a guardrail held text of a call back."),
        )
    }
    for route, times in list(counts.times.items()):
        for name, family in families.items():
            histogram: Histogram = getattr(times, name)
            family.add_metric((route,), _buckets(histogram.bounds, histogram.counts), histogram.seconds)
    yield from families.values()


def _of_lag(lag_seconds: float | None, proof_lag: float) -> Iterator[Metric]:
    lag = GaugeMetricFamily("trunkline_log_lag_seconds", "How long ago the index had all that the logs have.")
    if lag_seconds is not None:
        lag.add_metric((), lag_seconds)
    proof = GaugeMetricFamily(
        "trunkline_proof_lag_seconds", "How long ago all that the logs had was under a signed checkpoint."
    )
    proof.add_metric((), proof_lag)
    yield from (lag, proof)


def _of_copies(copy_lags: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(
        "trunkline_copy_lag_seconds", "How long ago the checkpoint was copied to another place.", labels=("place",)
    )
    for place, seconds in copy_lags.items():
        family.add_metric((place,), seconds)
    return family


def _of_workers(workers: Sequence[WorkerState]) -> Iterator[Metric]:
    ready = GaugeMetricFamily("trunkline_worker_ready", "Whether a worker takes calls.", labels=("worker",))
    restarts = CounterMetricFamily("trunkline_worker_restarts", "How often a worker was replaced.", labels=("worker",))
    flights = GaugeMetricFamily("trunkline_calls_in_flight", "Requests that a worker carries.", labels=("worker",))
    authority = GaugeMetricFamily(
        "trunkline_limits_authority",
        "How a worker counts its limits: 1 in touch with whom all ask, 0 without.",
        labels=("worker",),
    )
    waiting = GaugeMetricFamily("trunkline_log_waiting_bytes", "What waits for the disk.", labels=("worker",))
    flushes = HistogramMetricFamily("trunkline_flush_seconds", "How long flushes of the log took.", labels=("worker",))
    for state in workers:
        worker, report = str(state.index), state.report
        ready.add_metric((worker,), state.ready)
        restarts.add_metric((worker,), state.restarts)
        if report is None:
            continue
        flights.add_metric((worker,), report.in_flight)
        waiting.add_metric((worker,), report.log_waiting_bytes)
        authority.add_metric((worker,), report.limits_authority == "in_touch")
        flushes.add_metric((worker,), _buckets(BOUNDS, report.flushes), report.flush_seconds)
    yield from (ready, restarts, flights, waiting, authority, flushes)


def _of_targets(workers: Sequence[WorkerState]) -> Iterator[Metric]:
    """A target is as well as it is in the worker that thinks least of it: they tell each other, within moments."""
    breakers = GaugeMetricFamily("trunkline_breaker_state", "0 closed, 1 half open, 2 open.", labels=("target",))
    resting = GaugeMetricFamily("trunkline_target_resting", "Whether a target rests.", labels=("target",))
    reports = [state.report for state in workers if state.report is not None]
    for target in sorted({target for report in reports for target in report.breakers}):
        phases = [report.breakers[target] for report in reports if target in report.breakers]
        breakers.add_metric((target,), max(PHASES.get(phase, PHASES["open"]) for phase in phases))
        resting.add_metric((target,), any(target in report.resting for report in reports))
    yield from (breakers, resting)


def _of_limits(limits: LimitsInUse | None) -> Iterator[Metric]:
    used = GaugeMetricFamily(
        "trunkline_limit_used_ratio", "How much of a tenant's limit or budget is used.", labels=("tenant", "rule")
    )
    held = GaugeMetricFamily("trunkline_calls_held", "Calls that a limit holds until they fit.")
    if limits is not None:
        for use in limits.uses:
            used.add_metric((use.tenant, use.rule), use.used / use.limit)
        held.add_metric((), limits.held)
    yield from (used, held)


def _buckets(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    """Return a histogram as Prometheus has it: each bucket with all that is below it."""
    return list(zip([*map(str, bounds), "+Inf"], accumulate(counts), strict=True))
