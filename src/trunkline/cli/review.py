"""`trunkline review`: the queue of supervisors: choosing calls, reading one after the other, deciding, reporting."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.options import ConfigFile, Form, ListForm, identified, named

commands = typer.Typer(rich_markup_mode=None)


class Verdict(StrEnum):
    """What a reviewer comes to."""

    ok = "ok"
    false_alarm = "false_alarm"
    violation = "violation"
    escalate = "escalate"


class State(StrEnum):
    """How a call of the queue stands."""

    open = "open"
    taken = "taken"
    decided = "decided"


class Readable(StrEnum):
    """How a call is written: for eyes, for programs."""

    table = "table"
    json = "json"


Since = Annotated[str | None, typer.Option(metavar="TIME", help="Calls from then on: 7d (ago), 2027-06-30, ...")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Calls before then.")]
Tenant = Annotated[str | None, named("Calls of this tenant.")]
User = Annotated[str | None, named("Calls of this user.")]
Route = Annotated[str | None, named("Calls for this route.")]
Rows = Annotated[int, typer.Option(metavar="ROWS", help="The most rows to list.", show_default=True)]
ReadableForm = Annotated[Readable, typer.Option("--format", help="How to write it.", show_default=True)]


@commands.callback()
def about() -> None:
    """Review calls: choose some, read them, decide about each, report. Every step is on record."""


@commands.command()
def sample(  # noqa: PLR0913, PLR0917 - a parameter for each option is what the library takes
    config: ConfigFile = DEFAULT_CONFIG,
    all_flagged: Annotated[  # noqa: FBT002
        bool,
        typer.Option("--all-flagged", help="All calls with a finding, or that were blocked, replaced or refused."),
    ] = False,
    percent: Annotated[
        str, typer.Option(metavar="PERCENT", help="So much of the others, drawn at random.", show_default=True)
    ] = "0",
    tenant: Tenant = None,
    user: User = None,
    route: Route = None,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Calls from then on: 7d (ago), 2027-06-30, ...", show_default=True)
    ] = "24h",
    until: Until = None,
    seed: Annotated[
        str | None,
        named("What the draw hangs on; with the same one it comes out the same. Without: made up, and said."),
    ] = None,
    again: Annotated[  # noqa: FBT002
        bool, typer.Option("--again", help="Also calls that were decided before.")
    ] = False,
) -> None:
    """Put calls of a time into the queue; those that were in it before only with --again."""
    from trunkline.cli.console import carry_out  # noqa: PLC0415
    from trunkline.cli.periods import moment  # noqa: PLC0415
    from trunkline.ledger.answers import Period  # noqa: PLC0415
    from trunkline.ledger.review_answers import SampleQuestion  # noqa: PLC0415
    from trunkline.operations import neutral  # noqa: PLC0415

    asked = SampleQuestion(
        period=Period(moment(since, "--since"), moment(until, "--until")),
        tenant=tenant,
        user=user,
        route=route,
        all_flagged=all_flagged,
        percent=percent,
        seed=seed,
        again=again,
    )
    made = carry_out(config, lambda office: office.reviews.sample(asked))
    sys.stdout.write(
        f"{made.queued:,} calls are in the queue now, by the sample {made.sample}, and {made.known:,} more of it were"
        f" before: of {made.population:,} calls from {made.since} to {made.until}, {made.flagged:,} of them flagged,"
        f" {made.drawn:,} drawn of {made.rest:,} with the seed {neutral(made.seed)}\n"
    )
    if made.running:
        sys.stdout.flush()
        sys.stderr.write(f"trunkline: {made.running:,} calls had not ended and were not chosen from\n")


@commands.command("next")
def take_next(
    config: ConfigFile = DEFAULT_CONFIG,
    tenant: Tenant = None,
    form: ReadableForm = Readable.table,
) -> None:
    """Show the next call that nobody has decided. It is yours for half an hour; that you see it is recorded."""
    from trunkline.cli.console import carry_out  # noqa: PLC0415
    from trunkline.cli.review_page import json_of, told  # noqa: PLC0415
    from trunkline.ledger.review_answers import NextQuestion  # noqa: PLC0415

    asked = NextQuestion(tenant)
    item = carry_out(config, lambda office: office.reviews.next(asked))
    sys.stdout.write(json_of(item) if form is Readable.json else told(item))


@commands.command()
def decide(
    call: Annotated[str, identified("The call's id, or the `id` of its answer (chatcmpl-...).")],
    verdict: Annotated[
        Verdict,
        typer.Option(
            "--as",
            help="ok: nothing to object to; false_alarm: a finding that is none; violation: a breach; escalate:"
            " somebody else has to decide.",
        ),
    ],
    config: ConfigFile = DEFAULT_CONFIG,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="Why, in 4,000 characters at most.")] = None,
    correct: Annotated[  # noqa: FBT002
        bool, typer.Option("--correct", help="In place of the decision that there is.")
    ] = False,
) -> None:
    """Record what you have decided about a call of the queue. A correction is a record too: nothing is taken back."""
    from trunkline.cli.console import carry_out  # noqa: PLC0415
    from trunkline.ledger.review_answers import DecideQuestion  # noqa: PLC0415

    asked = DecideQuestion(call=call, verdict=verdict.value, note=note, correct=correct)
    made = carry_out(config, lambda office: office.reviews.decide(asked))
    instead = f", in place of {made.supersedes}" if made.supersedes else ""
    sys.stdout.write(f"{made.call}: {made.verdict}, on record as {made.decision}{instead}\n")


@commands.command()
def show(
    call: Annotated[str, identified("The call's id, or the `id` of its answer (chatcmpl-...).")],
    config: ConfigFile = DEFAULT_CONFIG,
    form: ReadableForm = Readable.table,
) -> None:
    """Show why a call was chosen, and all that was decided about it, with the notes; that you see them is recorded."""
    from trunkline.cli.console import carry_out  # noqa: PLC0415
    from trunkline.cli.review_page import history_told, json_of  # noqa: PLC0415

    history = carry_out(config, lambda office: office.reviews.history(call))
    sys.stdout.write(json_of(history) if form is Readable.json else history_told(history))


@commands.command("list")
def list_queue(  # noqa: PLR0913, PLR0917 - a parameter for each option is what the library takes
    config: ConfigFile = DEFAULT_CONFIG,
    form: ListForm = Form.table,
    state: Annotated[State | None, typer.Option(help="Calls that stand so.")] = None,
    verdict: Annotated[Verdict | None, typer.Option(help="Calls that were decided so.")] = None,
    reviewer: Annotated[str | None, named("Calls that this reviewer has decided.")] = None,
    tenant: Tenant = None,
    user: User = None,
    route: Route = None,
    since: Since = None,
    until: Until = None,
    limit: Rows = 50,
) -> None:
    """List calls that were chosen: those open first, in their order, then those decided. Nothing that was said."""
    from trunkline.cli.console import carry_out  # noqa: PLC0415
    from trunkline.cli.periods import moment  # noqa: PLC0415
    from trunkline.cli.tables import print_table  # noqa: PLC0415
    from trunkline.ledger.answers import Period  # noqa: PLC0415
    from trunkline.ledger.review_answers import QueueQuestion  # noqa: PLC0415

    asked = QueueQuestion(
        state=state.value if state is not None else None,
        verdict=verdict.value if verdict is not None else None,
        reviewer=reviewer,
        tenant=tenant,
        user=user,
        route=route,
        period=Period(moment(since, "--since"), moment(until, "--until")),
        limit=limit,
    )
    table = carry_out(config, lambda office: office.reviews.listed(asked))
    print_table(table, form, more="--limit lists more, --since and --until others")


@commands.command("samples")
def list_samples(
    config: ConfigFile = DEFAULT_CONFIG,
    form: ListForm = Form.table,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Made from then on: 7d (ago), ...")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Made before then.")] = None,
    limit: Rows = 50,
) -> None:
    """List samples, the latest first, with all that it takes to draw them again."""
    from trunkline.cli.console import carry_out  # noqa: PLC0415
    from trunkline.cli.periods import moment  # noqa: PLC0415
    from trunkline.cli.tables import print_table  # noqa: PLC0415
    from trunkline.ledger.answers import Period  # noqa: PLC0415
    from trunkline.ledger.review_answers import SamplesQuestion  # noqa: PLC0415

    asked = SamplesQuestion(period=Period(moment(since, "--since"), moment(until, "--until")), limit=limit)
    table = carry_out(config, lambda office: office.reviews.samples(asked))
    print_table(table, form, more="--limit lists more, --since and --until others")


@commands.command()
def report(
    since: Annotated[str, typer.Option(metavar="TIME", help="Calls from then on: 7d (ago), 2027-06-30, ...")],
    config: ConfigFile = DEFAULT_CONFIG,
    form: ListForm = Form.table,
    until: Until = None,
    by: Annotated[
        str, typer.Option(metavar="NAMES", help="Any of tenant, team, user, route, reviewer.", show_default=True)
    ] = "tenant,user",
    tenant: Tenant = None,
    limit: Rows = 1000,
) -> None:
    """Say how many calls of a time were chosen, decided and how, how long that took, and what is open."""
    from trunkline.cli.console import carry_out  # noqa: PLC0415
    from trunkline.cli.periods import moment  # noqa: PLC0415
    from trunkline.cli.tables import print_table  # noqa: PLC0415
    from trunkline.ledger.answers import Period  # noqa: PLC0415
    from trunkline.ledger.review_answers import ReportQuestion  # noqa: PLC0415

    asked = ReportQuestion(
        period=Period(moment(since, "--since"), moment(until, "--until")),
        by=tuple(name.strip() for name in by.split(",")),
        tenant=tenant,
        limit=limit,
    )
    table = carry_out(config, lambda office: office.reviews.report(asked))
    print_table(table, form, more="--limit lists more")
