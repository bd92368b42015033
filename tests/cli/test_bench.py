"""`trunkline bench` for real, as short as it goes: what it prints, and what its exit code says."""

import json
import subprocess
import sys

import pytest

from trunkline.cli.bench.figures import figures
from trunkline.cli.bench.measure import measure
from trunkline.cli.bench.places import here
from trunkline.cli.bench.settings import Part, Settings
from trunkline.cli.command_line import run

COMMAND = [sys.executable, "-c", "import sys; from trunkline.cli import main; sys.exit(main())", "bench"]
PATIENCE = 120.0


def test_a_run_measures_the_provider_and_the_gateway_and_leaves_nothing_behind(tmp_path):
    options = [
        "--only", "latency,throughput,streams", "--seconds", "0.2", "--callers", "4", "--streams", "3", "--rate", "400",
        "--format", "json", "--directory", str(tmp_path),
    ]  # fmt: skip
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    found = report["measurements"]
    pairs = [found["latency"], found["throughput"], *found["streams"]]
    assert [pair["callers"] for pair in pairs] == [1, 4, 3]
    for pair in pairs:
        for load in (pair["direct"], pair["gateway"]):
            assert load["answered"] >= pair["callers"]
            assert (load["failed"], load["lost"]) == ({}, 0)
    # The gateway's part of the work was seen where the gateway did it.
    assert sum(pair["cpu"]["worker"] for pair in pairs) > 0
    assert {figure["part"] for figure in report["figures"]} == {
        "JSON, 1 caller",
        "JSON, 4 callers",
        "3 streams, 400 deltas/s",
    }
    assert list(tmp_path.iterdir()) == []


def test_memory_and_start_up_are_of_the_real_processes(tmp_path):
    settings = Settings(
        parts=frozenset({Part.startup, Part.memory}), starts=1, callers=4, first_calls=20, calls=60, directory=tmp_path,
        workers=2,
    )  # fmt: skip
    found = measure(settings, here(), lambda _: None)
    assert len(found.startup) == 1
    assert found.startup[0] > 0
    assert [load.answered for load in found.other_loads] == [20, 40]
    assert 5_000_000 < found.memory.at_calls.worker_bytes < found.memory.at_calls.all_bytes
    assert "worker's growth, calls 20 to 60" in {figure.name for figure in figures(found)}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--only", "latency,nonsense"), "nonsense"),
        (("--streams", "200,many"), "many"),
        (("--streams", "0"), "1 to 5000"),
        (("--directory", "/nowhere/at/all"), "/nowhere/at/all"),
        (("--seconds", "0"), "0.1"),
    ],
)
def test_misuse_is_one_line_that_names_it(options, said, capsys):
    assert run(["bench", *options]) == 64
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.count("\n") == 1
    assert said in written.err


def test_help_names_every_option(capsys):
    assert run(["bench", "--help"]) == 0
    said = capsys.readouterr().out
    for option in ("--only", "--seconds", "--callers", "--streams", "--rate", "--directory", "--format"):
        assert option in said
