"""The command itself: what is asked for, the run, and what came of it."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from trunkline.cli.bench import machine
from trunkline.cli.bench.figures import figures
from trunkline.cli.bench.measure import measure
from trunkline.cli.bench.places import here
from trunkline.cli.bench.report import Report, as_json, notes, print_table
from trunkline.cli.bench.settings import Part, Settings

# A terminal that says nothing of its width: a file, or a build's log.
WIDTH = 110


class Format(StrEnum):
    """How the report is written."""

    table = "table"
    json = "json"


def command(  # noqa: PLR0913 - each is an option
    *,
    only: Annotated[
        str, typer.Option("--only", metavar="PARTS", help="Measure these alone, with commas between them.")
    ] = ",".join(Part),
    seconds: Annotated[
        float, typer.Option(min=0.1, max=600, metavar="SECONDS", help="How long each single measurement takes.")
    ] = 5.0,
    callers: Annotated[
        int, typer.Option(min=1, max=5000, metavar="COUNT", help="Callers of the throughput, one call each at a time.")
    ] = 64,
    workers: Annotated[
        int, typer.Option(min=1, max=64, metavar="COUNT", help="Workers of the gateway, a core for each if there is.")
    ] = 1,
    streams: Annotated[
        str, typer.Option(metavar="COUNTS", help="Simultaneous streams, with commas between several counts.")
    ] = "200,500",
    rate: Annotated[
        float, typer.Option(min=1, max=1000, metavar="RATE", help="Deltas a second of each stream.")
    ] = 50.0,
    directory: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            writable=True,
            metavar="DIRECTORY",
            help="Where the record log is written while it lasts; by default where temporary files go.",
        ),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How the report is written.")] = Format.table,
) -> None:
    """Measure what the gateway adds, against a direct baseline in the same run.

    Starts a fake provider and the real `trunkline serve` on ports of their own, with everything on: keys, record log
    durable before each answer, operational log. The gateway's processes have one core for each worker, the provider
    and the load generator another. Takes about a minute; progress is told on standard error.

    Targets are printed beside the figures, as met or missed. The exit code does not judge them: it is 0 unless calls
    failed.
    """
    settings = Settings(
        parts=_parts(only),
        seconds=seconds,
        callers=callers,
        workers=workers,
        streams=_counts(streams),
        rate=rate,
        directory=directory,
    )
    report = run(settings)
    if form is Format.json:
        sys.stdout.write(as_json(report))
    else:
        console = Console(highlight=False)
        print_table(report, console if console.is_terminal else Console(highlight=False, width=WIDTH))
    if any(load.amiss for _, load in report.measurements.loads()):
        raise typer.Exit(1)


def run(settings: Settings) -> Report:
    """Make a run and return its report. Raises Failed if something does not come up."""
    places = here(settings.workers)
    facts = machine.machine(places, settings.directory)
    before = machine.now(places)
    found = measure(settings, places, _tell)
    elsewhere = before.until(machine.now(places))
    return Report(
        machine=facts,
        elsewhere=elsewhere,
        notes=notes(facts, elsewhere, found),
        figures=figures(found),
        measurements=found,
    )


def _tell(what: str) -> None:
    sys.stderr.write(f"bench: {what}\n")


def _parts(only: str) -> frozenset[Part]:
    try:
        return frozenset(Part(name.strip()) for name in only.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"{error}; there are {', '.join(Part)}.", param_hint="--only") from None


def _counts(streams: str) -> tuple[int, ...]:
    counts = tuple(int(count) if count.strip().isdecimal() else 0 for count in streams.split(","))
    if not all(1 <= count <= 5000 for count in counts):
        raise typer.BadParameter(
            f"{streams}: numbers from 1 to 5000, with commas between them.", param_hint="--streams"
        )
    return counts
