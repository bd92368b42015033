import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.cli.bench.disk import durable_writes
from trunkline.cli.bench.machine import Elsewhere, Moment, file_system, machine, parse_cores_time
from trunkline.cli.bench.places import Places, here

TICKS = os.sysconf("SC_CLK_TCK")
STAT = """\
cpu  100 20 30 4000 50 6 7 8 0 0
cpu0 10 2 3 400 5 1 1 4 0 0
cpu1 20 4 6 800 10 2 2 0 0 0
cpu12 70 14 21 2800 35 3 4 4 0 0
intr 12345 0 0
"""
MOUNTS = """\
25 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 25 0:26 / /tmp rw,nosuid - tmpfs tmpfs rw
31 30 0:27 / /tmp/with\\040space rw shared:9 master:1 - xfs /dev/vdb rw
"""


def test_busy_and_stolen_time_is_that_of_the_cores_in_question():
    assert parse_cores_time(STAT, {0, 1}) == ((17 + 34) / TICKS, 4 / TICKS)


def test_what_others_had_is_what_was_busy_without_ours():
    before = Moment(wall=100.0, busy=50.0, stolen=1.0, ours=10.0, cores=2)
    after = Moment(wall=110.0, busy=60.0, stolen=2.0, ours=16.0, cores=2)
    assert before.until(after) == Elsewhere(others=0.2, stolen=0.05)


@given(*[st.floats(min_value=0, max_value=1e6)] * 6)
def test_shares_are_between_nothing_and_all(wall, busy, stolen, ours, later, more):
    share = Moment(wall, busy, stolen, ours, 2).until(Moment(wall + later, busy + more, stolen + more, ours, 2))
    assert 0 <= share.others <= 1
    assert 0 <= share.stolen <= 1


@pytest.mark.parametrize(
    ("directory", "kind"), [("/srv/x", "ext4"), ("/tmp/x", "tmpfs"), ("/tmp/with space/x", "xfs"), ("/tmpfoo", "ext4")]
)
def test_a_directory_is_on_the_file_system_of_the_deepest_mount_above_it(directory, kind):
    assert file_system(Path(directory), MOUNTS) == kind


def test_this_machine_says_what_it_is(tmp_path):
    facts = machine(here(), tmp_path)
    assert facts.cores >= 1
    assert facts.file_system != "unknown"
    assert set(facts.gateway_cores) <= os.sched_getaffinity(0)
    assert machine(Places((7,), 7), tmp_path).load_core == 7


def test_asking_the_disk_leaves_nothing_behind(tmp_path):
    took = durable_writes(tmp_path)
    assert 0 <= took.p50 <= took.p99 <= took.most
    assert list(tmp_path.iterdir()) == []
