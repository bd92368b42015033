import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.cli.bench.figures import figures
from trunkline.cli.bench.measure import Cpu, Measurements, Memory, Pair
from trunkline.cli.bench.plan import LoadResult, Spread
from trunkline.cli.bench.processes import Use

NOTHING = Spread(None, None, None)
MEGABYTE = 1_000_000


def load(p50=1.0, p99=2.0, *, answered=1000, gap=25.0, lost=0):
    times = Spread(p50, p99, p99)
    return LoadResult(
        answered=answered,
        seconds=1.0,
        took=times,
        first=times,
        gaps=Spread(gap, gap, gap),
        lost=lost,
        failed={},
    )


def pair(direct, gateway, callers=64):
    return Pair(callers, direct, gateway, Cpu(0.5, 0.6))


def use(worker, everyone):
    return Use(int(worker * MEGABYTE), int(everyone * MEGABYTE), 0.0, 0.0)


def memory(first=40.0, later=41.0, end=(70.0, 150.0)):
    return Memory(
        first_calls=10_000,
        calls=50_000,
        ready=use(20, 90),
        at_first_calls=use(first, 100),
        at_calls=use(later, 100),
        at_end=use(*end),
    )


def verdicts(**parts):
    found = figures(Measurements(**({"rate": 50.0} | parts)))
    return {figure.name: figure.met for figure in found if figure.target is not None}


@pytest.mark.parametrize(("seconds", "met"), [([0.1, 1.5, 9.0], True), ([1.51, 1.51, 0.1], False)])
def test_start_up_is_judged_by_its_median(seconds, met):
    assert verdicts(startup=seconds) == {"ready, median of 3": met}


@pytest.mark.parametrize(("gateway", "met"), [(1.5, True), (1.501, False)])
def test_latency_is_judged_by_what_the_gateway_adds(gateway, met):
    assert verdicts(latency=pair(load(0.5), load(gateway), 1)) == {"p50": met}


@pytest.mark.parametrize(("answered", "met"), [(10_000, True), (9_999, False)])
def test_throughput_is_judged_by_itself(answered, met):
    found = verdicts(throughput=pair(load(answered=50_000), load(answered=answered)))
    assert found == {"calls a second": met}


@pytest.mark.parametrize(
    ("gateway", "missed"),
    [
        (load(2.0, 7.0, gap=29.9), set()),
        (load(2.001, 7.0), {"first token p50"}),
        (load(2.0, 7.001), {"first token p99"}),
        (load(2.0, 7.0, gap=30.0), {"gap p99"}),
        (load(2.0, 7.0, lost=1), {"lost"}),
    ],
)
def test_streams_are_judged_by_added_time_gaps_and_losses(gateway, missed):
    found = verdicts(streams=[pair(load(1.0, 2.0), gateway, 200)])
    assert found == {name: name not in missed for name in ("first token p50", "first token p99", "gap p99", "lost")}


def test_more_streams_than_promised_are_measured_and_not_judged():
    many = pair(load(), load(9.0, 9.0), 500)
    assert verdicts(streams=[many]) == {"gap p99": True, "lost": True}
    assert verdicts(streams=[msgspec.structs.replace(many, callers=501)]) == {}
    assert verdicts(streams=[msgspec.structs.replace(many, callers=10)], rate=51.0) == {}


@pytest.mark.parametrize(
    ("measured", "missed"),
    [
        (memory(), None),
        (memory(40.0, 42.0), "worker's growth, calls 10,000 to 50,000"),
        (memory(end=(80.1, 150)), "worker at the end"),
        (memory(end=(80, 200.1)), "all processes at the end"),
    ],
)
def test_memory_is_judged_at_the_end_and_by_its_growth(measured, missed):
    assert [name for name, met in verdicts(memory=measured).items() if not met] == ([missed] if missed else [])


def test_of_several_workers_the_mean_is_shown_and_nothing_is_judged():
    measured = {"throughput": pair(load(), load()), "streams": [pair(load(), load(), 200)], "memory": memory()}
    one, four = (
        {figure.name: figure for figure in figures(Measurements(rate=50.0, workers=workers, **measured))}
        for workers in (1, 4)
    )
    assert {figure.met for figure in four.values()} == {None}
    assert one.keys() == four.keys()
    changed = {name: (one[name].gateway, four[name].gateway) for name in one if one[name].gateway != four[name].gateway}
    assert changed == {
        "worker's share of its core": (50.0, 12.5),
        "worker when ready": (20.0, 5.0),
        "worker at the end": (70.0, 17.5),
        "worker's growth, calls 10,000 to 50,000": (1.0, 0.25),
    }


def test_nothing_measured_is_neither_met_nor_missed():
    none = LoadResult(answered=0, seconds=1.0, took=NOTHING, first=NOTHING, gaps=NOTHING, lost=0, failed={"no end": 1})
    found = figures(Measurements(rate=50.0, latency=pair(load(), none, 1), streams=[pair(load(), none, 200)]))
    assert {figure.met for figure in found if figure.name != "lost"} == {None}


@given(st.floats(0, 1000), st.floats(0, 1000))
def test_what_is_added_is_the_difference_of_what_is_shown(direct, gateway):
    direct, gateway = round(direct, 3), round(gateway, 3)
    (first, *_) = figures(Measurements(rate=50.0, latency=pair(load(direct), load(gateway), 1)))
    assert (first.direct, first.gateway) == (direct, gateway)
    assert abs(first.gateway - first.direct - first.added) < 1e-6
    assert first.met == (first.added <= 1.0)


def test_every_load_has_a_name_and_failed_calls_are_found_in_it():
    bad = msgspec.structs.replace(load(lost=2), failed={"status 502": 3})
    found = Measurements(rate=50.0, latency=pair(load(), load(), 1), streams=[pair(load(), bad, 200)])
    assert {name: one.amiss for name, one in found.loads() if one.amiss} == {
        "200 callers, streams, through the gateway": 5
    }
