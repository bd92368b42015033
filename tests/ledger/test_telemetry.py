"""Counts are those of the records, each once, and no name makes more series than may be."""

import pytest

from ledger.logs import Machine, closed, opened, refused
from trunkline.ledger.ledger import Ledger
from trunkline.ledger.records import EndedPart, RefusedPart, TimingsPart
from trunkline.ledger.telemetry import OTHER, CallCounts, CallSeries, Histogram


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def ledger(machine):
    made = Ledger(machine.path, print)
    made.open()
    yield made
    made.close()


VOICE = CallSeries("harbor", "voice", "second", "m-2")


def test_calls_tokens_and_cost_are_counted(machine, ledger):
    for number in range(3):
        machine.write(opened(number))
        machine.write(closed(number, outcome="failed" if number else "answered"))
    machine.write(refused(9, count=70))
    machine.flush()
    ledger.catch_up()
    counted = ledger.counts.calls[VOICE]
    assert counted.outcomes == {"answered": 1, "failed": 2}
    assert (counted.tokens["input"], counted.tokens["cached_input"]) == (60, 0)
    assert counted.cost == pytest.approx(0.000051)
    assert ledger.counts.calls[CallSeries("harbor", "", "", "")].outcomes == {"denied": 70}
    assert sum(ledger.counts.times["voice"].first_token.counts) == 3
    assert ledger.lag_seconds < 60


def test_a_call_that_ends_in_another_process_is_counted_there(machine, ledger):
    machine.write(opened(1))
    machine.flush()
    ledger.catch_up()
    ledger.close()
    machine.write(closed(1))
    machine.flush()
    later = Ledger(machine.path, print)
    later.open()
    later.catch_up()
    assert later.counts.calls[VOICE].outcomes == {"answered": 1}
    later.close()


def test_making_the_index_again_counts_nothing_twice(machine, ledger):
    machine.write(opened(1))
    machine.write(closed(1))
    machine.flush()
    ledger.catch_up()
    ledger.clear()
    ledger.catch_up()
    machine.write(opened(2))
    machine.write(closed(2))
    machine.flush()
    ledger.catch_up()
    assert ledger.counts.calls[VOICE].outcomes == {"answered": 2}


def test_what_is_in_the_index_already_was_counted_by_an_earlier_process(machine, ledger):
    machine.write(opened(1))
    machine.write(closed(1))
    machine.flush()
    ledger.catch_up()
    ledger.close()
    later = Ledger(machine.path, print)
    later.open()
    later.catch_up()
    assert later.counts.calls == {}
    later.close()


def test_names_beyond_the_bound_are_counted_as_other():
    counts = CallCounts(most=3)
    for number in range(10):
        ended = EndedPart("c", "t", "answered", provider="p", model=f"m-{number}", timings=TimingsPart(1.0, 1.0))
        counts.ended("harbor", f"route-{number}", ended)
        counts.refused(RefusedPart("t", "denied", 403, None, "client", 5, "s", route=f"r-{number}"))
    assert len(counts.calls) <= 4
    assert len(counts.times) <= 4
    other = counts.calls[CallSeries(OTHER, OTHER, OTHER, OTHER)]
    assert (
        sum(other.outcomes.values())
        + sum(sum(counted.outcomes.values()) for series, counted in counts.calls.items() if series.tenant != OTHER)
        == 10 + 50
    )
    assert sum(sum(times.call.counts) for times in counts.times.values()) == 10


def test_a_duration_on_a_bound_is_within_it():
    histogram = Histogram((0.1, 0.2))
    for milliseconds in (100.0, 100.1, 200.0, 5000.0):
        histogram.add(milliseconds)
    assert histogram.counts == [1, 2, 1]
