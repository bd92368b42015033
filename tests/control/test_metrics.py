"""The page of metrics is one that Prometheus' own parser reads, with what was counted."""

from prometheus_client.parser import text_string_to_metric_families

from trunkline.audit.files.flush_times import BOUNDS
from trunkline.channel.messages import LimitUse, Report, WorkerState
from trunkline.control.answers import LimitsInUse
from trunkline.control.metrics import page
from trunkline.ledger.records import CostPart, EndedPart, ErrorPart, FindingPart, RefusedPart, TimingsPart, UsagePart
from trunkline.ledger.telemetry import CallCounts

TARGET_METRICS = ("trunkline_breaker_state", "trunkline_target_resting")


def counts() -> CallCounts:
    made = CallCounts()
    ended = EndedPart(
        "c", "t", "answered", provider="openai", model="m", usage=UsagePart(input=7), cost=CostPart("0.5", False, "p"),
        timings=TimingsPart(1200.0, 0.7, first_token_ms=300.0),
    )  # fmt: skip
    made.ended("harbor", 'a "route"\n', ended)
    return made


def worker(report: Report | None, index: int = 0) -> WorkerState:
    return WorkerState(index, 1, ready=True, reason=None, digest="d", restarts=2, started_at=0.0, report=report)


def samples(text: bytes) -> dict[tuple, float]:
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_what_was_counted_is_on_the_page():
    found = samples(page(counts(), 1.5, [], None, 0.0))
    who = (("model", "m"), ("provider", "openai"), ("route", 'a "route"\n'), ("tenant", "harbor"))
    assert found["trunkline_calls_total", *sorted([*who, ("outcome", "answered")])] == 1
    assert found["trunkline_tokens_total", *sorted([*who, ("class", "input")])] == 7
    assert found["trunkline_cost_usd_total", *who] == 0.5
    route = ("route", 'a "route"\n')
    assert found["trunkline_first_token_seconds_bucket", ("le", "0.28"), route] == 0
    assert found["trunkline_first_token_seconds_bucket", ("le", "0.4"), route] == 1
    assert found["trunkline_call_seconds_sum", route] == 1.2
    assert found["trunkline_overhead_seconds_count", route] == 1
    assert found["trunkline_log_lag_seconds",] == 1.5


def test_what_workers_report_is_on_the_page():
    flushes = (3, *([0] * (len(BOUNDS) - 1)), 1)
    report = Report({"openai/m": "open", "b/m": "closed"}, ("b/m",), flushes, 0.25, 9, 1000)
    found = samples(page(CallCounts(), None, [worker(report)], None, 0.0))
    here = ("worker", "0")
    assert found["trunkline_breaker_state", ("target", "openai/m")] == 2
    assert found["trunkline_target_resting", ("target", "b/m")] == 1
    assert found["trunkline_flush_seconds_bucket", ("le", "0.0001"), here] == 3
    assert found["trunkline_flush_seconds_count", here] == 4
    assert found["trunkline_calls_in_flight", here] == 9
    assert found["trunkline_worker_restarts_total", here] == 2


def test_a_target_is_shown_once_as_the_worker_sees_it_that_thinks_least_of_it():
    flushes = (0,) * (len(BOUNDS) + 1)
    sees = [({"a/m": "closed"}, ()), ({"a/m": "half_open", "b/m": "open"}, ("b/m",)), ({"b/m": "closed"}, ())]
    reports = [Report(breakers, resting, flushes, 0.0, 2, 0) for breakers, resting in sees]
    workers = [worker(report, index) for index, report in enumerate(reports)]
    found = samples(page(CallCounts(), None, workers, None, 0.0))
    of_targets = {key: value for key, value in found.items() if key[0] in TARGET_METRICS}
    assert of_targets == {
        ("trunkline_breaker_state", ("target", "a/m")): 1,
        ("trunkline_breaker_state", ("target", "b/m")): 2,
        ("trunkline_target_resting", ("target", "a/m")): 0,
        ("trunkline_target_resting", ("target", "b/m")): 1,
    }
    assert [found["trunkline_calls_in_flight", ("worker", str(index))] for index in range(3)] == [2, 2, 2]


def test_a_worker_that_has_not_reported_is_on_the_page_all_the_same():
    found = samples(page(CallCounts(), None, [worker(None)], None, 0.0))
    assert found["trunkline_worker_ready", ("worker", "0")] == 1


def test_limits_are_on_the_page_by_tenant_and_rule():
    made = CallCounts()
    summary = ErrorPart("rate_limit_exceeded", "tenant_limit", "user_limits.requests_per_minute", "ann")
    made.ended("harbor", "voice", EndedPart("c", "t", "limited", error=summary))
    refused = RefusedPart(
        "t", "limited", 429, "rate_limit_exceeded", "tenant_limit", 7, "s", tenant="harbor", owner="bo",
        rule="user_limits.requests_per_minute",
    )  # fmt: skip
    made.refused(refused)
    made.refused(RefusedPart("t", "denied", 403, "route_not_allowed", "client", 5, "s", tenant="harbor"))
    use = LimitUse("harbor", "budget", "tenant", "harbor", "money", "month", True, 4_000_000_000, 3_000_000_000, None)
    found = samples(page(made, None, [], LimitsInUse((use,), 0, 2), 4.5))
    who = ("tenant", "harbor")
    assert found["trunkline_limit_refusals_total", ("rule", "user_limits.requests_per_minute"), who] == 8
    assert [key for key in found if key[0] == "trunkline_limit_refusals_total"] == [
        ("trunkline_limit_refusals_total", ("rule", "user_limits.requests_per_minute"), who)
    ]
    assert found["trunkline_limit_used_ratio", ("rule", "budget"), who] == 0.75
    assert found["trunkline_calls_held",] == 2
    assert found["trunkline_proof_lag_seconds",] == 4.5


def test_rules_beyond_the_bound_are_counted_together():
    made = CallCounts(most=2)
    for number in range(4):
        limited = RefusedPart("t", "limited", 429, "c", "tenant_limit", 1, "s", tenant=f"t{number}", rule="r")
        made.refused(limited)
    assert made.limited == {("t0", "r"): 1, ("t1", "r"): 1, ("other", "other"): 2}


def test_findings_are_on_the_page_by_policy_rule_and_action():
    made = CallCounts(most=2)
    findings = tuple(FindingPart(policy, "v", "ssn", "output", "redact", 0, 1, 2.0) for policy in "aabcd")
    timings = TimingsPart(9.0, 1.0, 2.0, 3.0, 400.0)
    made.ended("harbor", "voice", EndedPart("c", "t", "answered", timings=timings, findings=findings))
    found = samples(page(made, None, [], None, 0.0))
    counted = {key[1:]: value for key, value in found.items() if key[0] == "trunkline_guardrail_findings_total"}
    what = (("action", "redact"), ("policy", "a"), ("rule", "ssn"))
    assert counted[what] == 2
    assert sorted(counted.values()) == [1, 2, 2]
    assert found["trunkline_first_sentence_seconds_count", ("route", "voice")] == 1
