"""docs/operations.md has every event of the operational log, every request of the admin API, every reason."""

import re

import pytest
from pages import prose_of, quoted, rows
from prometheus_client.parser import text_string_to_metric_families
from source import events, strings

from trunkline.audit.files.flush_times import BOUNDS
from trunkline.channel.messages import LimitUse, Report, WorkerState
from trunkline.control.answers import LimitsInUse
from trunkline.control.api import build
from trunkline.control.metrics import page
from trunkline.control.roles import NEEDED, Right, holders
from trunkline.ledger.records import EndedPart, FindingPart, RefusedPart, TimingsPart, UsagePart
from trunkline.ledger.telemetry import CallCounts
from trunkline.operations import OperationalLog

PAGE = "docs/operations.md"
EVENTS = {
    name: (level, set(quoted(facts)))
    for names, level, facts, _ in rows(PAGE, "event", "level", "facts", "what it means, and what to do")
    for name in quoted(names)
}
WRITTEN = list(events())
OF_CALLS = {"call"}  # their line has a form of its own, see test_own_configuration.py


def test_every_event_is_on_the_page_and_no_other():
    assert sorted(EVENTS) == sorted({event.name for event in WRITTEN} | OF_CALLS)


@pytest.mark.parametrize("name", sorted(EVENTS.keys() - OF_CALLS))
def test_an_event_has_the_level_and_the_facts_of_the_page(name):
    level, facts = EVENTS[name]
    written = [event for event in WRITTEN if event.name == name]
    assert {event.level for event in written} <= {level, None}
    row = [other for other in WRITTEN if EVENTS.get(other.name) == (level, facts)]
    assert frozenset().union(*(event.facts for event in written)) <= facts
    assert frozenset().union(*(event.facts for event in row)) == facts


def test_every_request_of_the_admin_api_is_on_the_page_and_no_other():
    app = build(None, dict, str, OperationalLog(2, "text", "info", "test"), None, tuple, None)  # type: ignore[arg-type]
    served = {f"{method} {route.path}" for route in app.routes for method in route.methods}
    assert {quoted(request)[0] for request, _ in rows(PAGE, "request", "what")} == served


def test_every_right_is_on_the_page_with_who_has_it_and_what_it_opens():
    held = {quoted(right)[0]: quoted(roles) for right, roles, _ in rows(PAGE, "right", "who has it", "what it opens")}
    assert held == {right.name.lower(): holders(right) for right in Right}
    opens = {quoted(right)[0]: quoted(requests) for right, requests in rows(PAGE, "right", "requests")}
    assert opens == {right.name.lower(): [one for one in NEEDED if NEEDED[one] is right] for right in Right}


def test_every_metric_is_on_the_page_with_its_labels_and_no_other():
    worker = WorkerState(
        0, 1, True, None, "d", 0, 0.0, Report({"a/m": "open"}, (), (0,) * (len(BOUNDS) + 1), 0.0, 0, 0)
    )
    counts = CallCounts()
    findings = (FindingPart("p", "v", "r", "output", "flag", 0, 1, 1.0),)
    ended = EndedPart("c", "t", "answered", usage=UsagePart(input=1), timings=TimingsPart(1.0, 1.0), findings=findings)
    counts.ended("tenant", "route", ended)
    use = LimitUse("t", "limits.requests_per_minute", "tenant", "t", "requests", "minute", True, 2, 1, 9.0)
    limits = LimitsInUse((use,), 0, 0)
    refused = RefusedPart("t", "limited", 429, "rate_limit_exceeded", "tenant_limit", 1, "s", rule="r", tenant="t")
    counts.refused(refused)
    shown = {}
    for family in text_string_to_metric_families(page(counts, 1.0, [worker], limits, 2.0, 0, {"p": 1.0}).decode()):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        shown[name] = (family.type, labels)
    said = {
        quoted(name)[0]: (kind, set(quoted(labels)))
        for name, kind, labels, _ in rows(PAGE, "metric", "type", "labels", "what it is")
    }
    assert said == shown


def test_every_reason_of_an_attempt_is_one_that_the_code_gives():
    given = set(strings("gateway", "policy/health.py", "policy/routing.py", "policy/fairness", "wire/client_errors.py"))
    reasons = [reason for cell, _ in rows(PAGE, "reason", "what it says") for reason in quoted(cell)]
    assert len(reasons) > 10
    for reason in reasons:
        word = reason.removesuffix(" ...").removesuffix(":")
        if not re.fullmatch(r"\d{3}", word):
            assert any(text == word or text.startswith(f"{word}: ") for text in given), reason


def test_every_reason_of_the_wire_and_of_the_rules_is_on_the_page():
    named = " ".join(quoted(prose_of(PAGE)))
    words = [text for text in strings("wire/client_errors.py") if re.fullmatch(r"[a-z]+_[a-z_]+", text)]
    words += [text for text in strings("policy/routing.py") if text.startswith("not_approved:")]
    words += [text for text in strings("policy/health.py") if text.startswith("breaker_")]
    # These two cannot reach an attempt: the base class, and asking after the pool's end.
    assert [word for word in words if word not in named and word not in {"wire_error", "pool_closed"}] == []
