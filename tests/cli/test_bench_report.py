import io
import json

import msgspec
import pytest
from rich.console import Console

from trunkline.cli.bench.figures import Figure
from trunkline.cli.bench.machine import Elsewhere, Machine
from trunkline.cli.bench.measure import Cpu, Measurements, Pair
from trunkline.cli.bench.plan import LoadResult, Spread
from trunkline.cli.bench.report import Report, as_json, notes, print_table

TIMES = Spread(1.0, 2.0, 3.0)
GOOD = LoadResult(answered=7, seconds=1.0, took=TIMES, first=TIMES, gaps=TIMES, lost=0, failed={})
BAD = msgspec.structs.replace(GOOD, failed={"status 502": 3}, lost=1, sample='{"error":{"code":"providers_failed"}}')
MACHINE = Machine(
    trunkline="0.1.0",
    python="3.11.2",
    compiled=True,
    kernel="6.1",
    processor="A [bracketed] processor",
    cores=2,
    gateway_cores=(0,),
    load_core=1,
    file_system="ext4",
    durable_write=TIMES,
)
QUIET = Elsewhere(0.0, 0.0)
FOUND = Measurements(rate=50.0, throughput=Pair(64, GOOD, GOOD, Cpu(0.1, 0.2)))
FIGURES = [
    Figure(
        part="JSON, 64 callers", name="calls a second", unit="", direct=61234.0, gateway=12001.0, target="x", met=True
    ),
    Figure(
        part="JSON, 64 callers", name="p99", unit="ms", direct=1.25, gateway=0.75, added=-0.5, target="y", met=False
    ),
    Figure(part="Memory (PSS)", name="worker [now]", unit="MB", gateway=70.5),
]


def printed(**more):
    facts = {"machine": MACHINE, "elsewhere": QUIET, "notes": [], "figures": FIGURES, "measurements": FOUND} | more
    out = io.StringIO()
    print_table(Report(**facts), Console(file=out, highlight=False, width=100))
    return out.getvalue()


def test_the_table_shows_figures_beside_their_targets():
    rows = {line.split("  ")[1].strip(): line.split() for line in printed().splitlines() if line.startswith("  ")}
    assert rows["calls a second"][-4:] == ["61,234", "12,001", "x", "met"]
    assert rows["p99, ms"][-5:] == ["1.250", "0.750", "-0.500", "y", "missed"]
    assert rows["worker [now], MB"][-1] == "70.5"


def test_the_table_says_where_it_was_measured():
    said = printed(notes=["Take care."])
    assert "A [bracketed] processor" in said
    assert "Core 0: all of the gateway's processes. Core 1: fake provider" in said
    assert "on ext4, which by itself takes 1.0 ms (p99 2.0 ms)" in said
    assert said.endswith("\nTake care.\n")


def test_json_has_all_of_it():
    report = Report(machine=MACHINE, elsewhere=QUIET, notes=["n"], figures=FIGURES, measurements=FOUND)
    assert msgspec.json.decode(as_json(report), type=Report) == report
    assert json.loads(as_json(report))["measurements"]["throughput"]["direct"]["answered"] == 7


def test_a_quiet_machine_and_calls_that_are_all_answered_need_no_note():
    assert notes(MACHINE, QUIET, FOUND) == []


@pytest.mark.parametrize(
    ("machine", "elsewhere", "said"),
    [
        ({"load_core": 0}, QUIET, "There is one core only"),
        ({"file_system": "tmpfs"}, QUIET, "The record log was on tmpfs"),
        ({}, Elsewhere(0.25, 0.0), "Other processes had 25% of these cores"),
        ({}, Elsewhere(0.0, 0.5), "The hypervisor withheld 50%"),
    ],
)
def test_what_spoils_the_figures_is_said(machine, elsewhere, said):
    (note,) = notes(msgspec.structs.replace(MACHINE, **machine), elsewhere, FOUND)
    assert note.startswith(said)


def test_failed_calls_come_first_with_what_the_first_was_told():
    found = Measurements(rate=50.0, throughput=Pair(64, GOOD, BAD, Cpu(0.1, 0.2)))
    found.complaints.append("2026-07-01T10:00:00.000Z error   worker-0 log_failed")
    first, second, _ = notes(MACHINE, Elsewhere(1.0, 0.0), found)
    assert first == (
        "FAILED: 64 callers, calls, through the gateway: 1 not whole, 3 status 502. "
        'The first said: {"error":{"code":"providers_failed"}}'
    )
    assert second == "The gateway's log: 2026-07-01T10:00:00.000Z error   worker-0 log_failed"
