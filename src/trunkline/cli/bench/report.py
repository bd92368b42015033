"""A run as a person reads it, and as a program does."""

from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trunkline.cli.bench.figures import Figure
from trunkline.cli.bench.machine import IN_MEMORY, Elsewhere, Machine
from trunkline.cli.bench.measure import Measurements

# Above this share of the cores' time, what others do shows in the figures.
NOTABLE = 0.05


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of a run. `notes` say what a reader must know before believing the figures."""

    machine: Machine
    elsewhere: Elsewhere
    notes: list[str]
    figures: list[Figure]
    measurements: Measurements


def notes(machine: Machine, elsewhere: Elsewhere, found: Measurements) -> list[str]:
    """Return what spoils or qualifies the figures, the worst first."""
    said = []
    for name, load in found.loads():
        if load.amiss:
            reasons = dict(load.failed) | ({"not whole": load.lost} if load.lost else {})
            listed = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
            said.append(f"FAILED: {name}: {listed}.{f' The first said: {load.sample}' if load.sample else ''}")
    said += [f"The gateway's log: {line}" for line in found.complaints]
    if machine.load_core in machine.gateway_cores:
        said.append(
            "There is one core only: the gateway shares it with what measures it. Take the figures for a lower bound."
        )
    if machine.file_system in IN_MEMORY:
        said.append(
            f"The record log was on {machine.file_system}, where making a record durable costs nothing; "
            "choose another place with --directory."
        )
    if elsewhere.others > NOTABLE:
        said.append(
            f"Other processes had {elsewhere.others:.0%} of these cores: an idle machine does better, above all in "
            "every p99."
        )
    if elsewhere.stolen > NOTABLE:
        said.append(f"The hypervisor withheld {elsewhere.stolen:.0%} of these cores' time.")
    return said


def as_json(report: Report) -> str:
    """Return the report as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def print_table(report: Report, console: Console) -> None:
    """Write the report for a person."""
    facts = report.machine
    disk = facts.durable_write
    cores = ", ".join(map(str, facts.gateway_cores))
    console.print(
        f"Trunkline {facts.trunkline}, compiled={'yes' if facts.compiled else 'no'}, Python {facts.python}, "
        f"Linux {facts.kernel}, {facts.processor}, {facts.cores} core{'s' if facts.cores > 1 else ''}\n"
        f"Core{'s' if len(facts.gateway_cores) > 1 else ''} {cores}: all of the gateway's processes. "
        f"Core {facts.load_core}: fake provider and load generator.\n"
        f"Record log: durable before each answer, on {facts.file_system}, which by itself takes "
        f"{disk.p50} ms (p99 {disk.p99} ms) for 4 KB.\n",
        markup=False,
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for heading in ("direct", "gateway", "added"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("target")
    table.add_column("")
    part = ""
    for figure in report.figures:
        if figure.part != part:
            part = figure.part
            table.add_row(Text(part, style="bold"))
        table.add_row(*_cells(figure))
    console.print(table)
    for note in report.notes:
        console.print(Text(f"\n{note}", style="yellow"))


def _cells(figure: Figure) -> tuple[Any, ...]:
    name = f"  {figure.name}" + (f", {figure.unit}" if figure.unit else "")
    verdict = "" if figure.met is None else Text("met", "green") if figure.met else Text("missed", "bold red")
    added = "" if figure.added is None else f"{figure.added:+.3f}"
    return Text(name), _number(figure.direct), _number(figure.gateway), added, figure.target or "", verdict


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.1f}"
