import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from trunkline.cli.bench.places import Places, choose, here, on_cores, parse_cores

CORES = st.sets(st.integers(min_value=0, max_value=63), min_size=1)


@given(CORES, st.dictionaries(st.integers(min_value=0, max_value=63), st.frozensets(st.integers(0, 63))))
def test_two_cores_are_taken_where_there_are_two_and_of_different_hardware_where_that_is_possible(cores, siblings):
    places = choose(cores, siblings)
    (gateway,) = places.gateway
    assert {gateway, places.load} <= cores
    assert places.shared == (len(cores) == 1)
    apart = cores - siblings.get(gateway, frozenset()) - {gateway}
    assert places.load in apart or not apart


@given(CORES, st.integers(min_value=1, max_value=64))
def test_each_worker_has_a_core_as_long_as_there_are_any(cores, workers):
    places = choose(cores, {}, workers)
    assert len(set(places.gateway)) == len(places.gateway) == max(1, min(workers, len(cores) - 1))
    assert {*places.gateway, places.load} <= cores
    assert places.shared == (len(cores) == 1)


def test_the_other_thread_of_the_same_core_is_avoided():
    assert choose({0, 1, 2, 3}, {0: frozenset({0, 1}), 2: frozenset({2, 3})}) == Places((0,), 2)


@given(CORES)
def test_lists_of_cores_are_read_as_the_kernel_writes_them(cores):
    assert parse_cores(",".join(str(core) for core in sorted(cores)) + "\n") == cores


def test_ranges_of_cores_are_read():
    assert parse_cores("0-2,8\n") == {0, 1, 2, 8}


def test_what_is_started_on_a_core_stays_there_and_we_do_not():
    before = os.sched_getaffinity(0)
    core = here().load
    with on_cores(core):
        child = [sys.executable, "-c", "import os; print(*os.sched_getaffinity(0))"]
        said = subprocess.run(child, capture_output=True, check=True)
    assert said.stdout.split() == [str(core).encode()]
    assert os.sched_getaffinity(0) == before
