import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from trunkline.cli.bench.processes import family, parse_pss, parse_stat, use_of

TICKS = os.sysconf("SC_CLK_TCK")
NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=15)


@given(NAMES, *[st.integers(min_value=0, max_value=10**9)] * 3)
def test_a_process_may_be_called_anything(name, parent, user, system):
    line = f"41 ({name}) S {parent} 41 41 0 -1 4194560 99 0 0 0 {user} {system} 7 7 20 0 1 0 500 1000 10"
    stat = parse_stat(line)
    assert (stat.parent, stat.cpu) == (parent, (user + system) / TICKS)


def test_memory_is_read_in_bytes():
    assert (
        parse_pss("55ffff-7fff ---p 00000000 00:00 0 [rollup]\nRss: 900 kB\nPss: 321 kB\nPss_Anon: 1 kB\n") == 328_704
    )


def test_all_that_a_process_has_started_is_counted_with_it():
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parent
    ) as parent:
        assert parent.stdout.readline() == b"1\n"
        found = family(parent.pid)
        use = use_of(parent.pid)
        parent.communicate(b"\n")
    assert len(found) == 2
    assert found[0] == parent.pid
    # Two interpreters; none of them is a worker.
    assert use.all_bytes > 4_000_000
    assert (use.worker_bytes, use.worker_cpu) == (0, 0.0)
