"""docs/benchmarks.md says what the command takes and measures, no more and no less."""

import inspect
import re
from pathlib import Path

import typer

from trunkline.cli.bench import figures
from trunkline.cli.bench.command import command
from trunkline.cli.bench.settings import Part, Settings

PAGE = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text()


def options():
    app = typer.Typer(add_completion=False)
    app.command()(command)
    return {option.opts[0]: option for option in typer.main.get_command(app).params}


def test_its_options_are_the_command_s_with_their_defaults():
    shown = dict(re.findall(r"^\| `(--[a-z]+) [A-Z]+` \|.*\| (.+?) \|$", PAGE, re.MULTILINE))
    taken = options()
    assert set(shown) == set(taken)
    for name in ("--callers", "--streams"):
        assert shown[name] == str(taken[name].default)
    for name in ("--seconds", "--rate"):
        assert float(shown[name]) == taken[name].default
    assert shown["--format"] == taken["--format"].default
    assert re.findall(r"`(\w+)`", re.search(r"^\| `--only.*$", PAGE, re.MULTILINE)[0]) == [part.value for part in Part]


def test_its_targets_are_the_ones_that_are_printed():
    targets = [value for _, value in inspect.getmembers(figures) if isinstance(value, figures.Target)]
    assert len(targets) > 5
    for target in targets:
        number = f"{target.limit:,g}".removesuffix(".0")
        assert re.search(rf"\b{re.escape(number)}\b", target.words) or target.words == "none"
        said = target.words.removesuffix(" added")
        quantity = said.split(maxsplit=2)[-1] if said.startswith("at ") else said.removeprefix("below ")
        assert quantity in PAGE, target.words


def test_it_says_what_a_run_does_by_default():
    run = Settings()
    assert f"streams {run.deltas} deltas" in PAGE
    assert f"from {run.first_calls:,} calls to {run.calls:,}" in PAGE
    assert (run.starts, run.seconds, run.callers) == (3, 5.0, 64)
    assert "median of three starts" in PAGE
