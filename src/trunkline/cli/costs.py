"""`trunkline costs`: who spent what, as an accountant wants it."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.options import ConfigFile, Form, ListForm, named

if TYPE_CHECKING:
    from trunkline.ledger.cost_answers import CostsQuestion

commands = typer.Typer(rich_markup_mode=None, invoke_without_command=True)

# As in `ledger.cost_answers`, which `--help` need not import.
NAMES = (
    "tenant, team, cost_center, user, subject, session, key, route, provider, model, prompt, purpose, day, month, "
    "tag:NAME"
)
BY_ITSELF = frozenset({"tenant", "provider", "model", "day", "month"})  # columns of FOCUS's own


class CostForm(StrEnum):
    """How costs are written: FOCUS is the FinOps cost format, as CSV."""

    table = "table"
    json = "json"
    csv = "csv"
    focus = "focus"


class Comparison(StrEnum):
    """With what costs are compared."""

    previous = "previous"


def _time(about: str) -> Any:
    return typer.Option(metavar="TIME", help=about)


@commands.callback()
def costs(  # noqa: PLR0913, PLR0917 - each is an option of the command
    context: typer.Context,
    config: Annotated[
        str, typer.Option("--config", "-c", metavar="FILE", help="The configuration file.", show_default=True)
    ] = DEFAULT_CONFIG,
    by: Annotated[str, typer.Option(metavar="LIST", help=f"What to tell costs apart by: {NAMES}.")] = "tenant",
    since: Annotated[str | None, _time("From then on: 7d (ago), 2027-06-30, ... Without: 30d.")] = None,
    until: Annotated[str | None, _time("Before then. Without: now.")] = None,
    month: Annotated[str | None, typer.Option(metavar="MONTH", help="This month: 2026-06.")] = None,
    tz: Annotated[str, typer.Option(metavar="ZONE", help="Where days and months begin.", show_default=True)] = "UTC",
    compare: Annotated[Comparison | None, typer.Option(help="Beside the time before.")] = None,
    tenant: Annotated[str | None, named("Of this tenant.")] = None,
    team: Annotated[str | None, named("Of this team.")] = None,
    user: Annotated[str | None, named("Of this user.")] = None,
    purpose: Annotated[
        str, typer.Option(metavar="NAME", help="Calls for this purpose; `all` for every one.", show_default=True)
    ] = "production",
    form: Annotated[CostForm, typer.Option("--format", help="How to write it.", show_default=True)] = CostForm.table,
) -> None:
    """Say what calls have cost: counts, tokens, USD, and what of it is estimated, was cancelled or failed."""
    if context.invoked_subcommand is not None:
        _refuse_options(context, context.invoked_subcommand)
        return
    from trunkline.cli.cost_periods import spans, zone_of  # noqa: PLC0415
    from trunkline.cli.options import there  # noqa: PLC0415
    from trunkline.ledger.cost_answers import CostsQuestion  # noqa: PLC0415

    span, before = spans(since, until, month, zone_of(tz))
    asked = CostsQuestion(
        by=tuple(name.strip() for name in by.split(",") if name.strip()),
        span=span,
        before=before if compare is not None else None,
        time_zone=tz,
        purpose=None if purpose == "all" else purpose,
        tenant=tenant,
        team=team,
        user=user,
    )
    write = _write_focus if form is CostForm.focus else _write
    write(there(config), asked, form)


def _refuse_options(context: typer.Context, subcommand: str) -> None:
    """Refuse options that stand before the subcommand, which would not have them."""
    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(f"write options after `{subcommand}`.", ctx=context)


@commands.command()
def reconcile(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The bill: CSV with day, model, amount (USD) and tokens.")
    ],
    config: ConfigFile = DEFAULT_CONFIG,
    provider: Annotated[str | None, named("Whose bill it is, as the configuration names the provider.")] = None,
    form: ListForm = Form.table,
) -> None:
    """Compare a provider's bill with our count, by day in UTC and model, and say where differences come from."""
    from datetime import UTC, datetime, time, timedelta  # noqa: PLC0415

    from trunkline.cli.files import text_of  # noqa: PLC0415
    from trunkline.cli.invoice import compared, days_of, read_bill  # noqa: PLC0415
    from trunkline.cli.office import carry_out  # noqa: PLC0415
    from trunkline.cli.tables import say_behind  # noqa: PLC0415
    from trunkline.ledger.cost_answers import PaidQuestion, Span  # noqa: PLC0415
    from trunkline.ledger.reconcile import compare, total_of  # noqa: PLC0415

    bill = read_bill(text_of(file), file)
    if not bill:
        raise typer.BadParameter(f"{file} has no line of a bill in it.", param_hint="FILE")
    first, last = (datetime.combine(day, time(), UTC) for day in days_of(bill))
    asked = PaidQuestion(span=Span(first.timestamp(), (last + timedelta(days=1)).timestamp()))
    paid = carry_out(config, lambda office: office.ledger.paid(asked))
    lines = compare(bill, [row for row in paid.rows if provider is None or row.provider == provider])
    sys.stdout.write(compared(lines, total_of(lines), form))
    say_behind(paid.behind)


@commands.command("import")
def import_costs(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="CSV with at, kind, amount (USD), session, user and note.")
    ],
    tenant: Annotated[str, typer.Option(metavar="TENANT", help="Whose costs they are.")],
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Add what no provider of models charges (speech, telephony), by session or user."""
    from trunkline.cli.files import text_of  # noqa: PLC0415
    from trunkline.cli.office import carry_out  # noqa: PLC0415
    from trunkline.control.answers import NewCosts  # noqa: PLC0415

    asked = NewCosts(tenant, file, text_of(file))
    made = carry_out(config, lambda office: office.import_costs(asked))
    sys.stdout.write(f"{made.rows:,} rows of {made.tenant} imported, together {made.amount} USD\n")


def _write(config: str, asked: "CostsQuestion", form: CostForm) -> None:
    from trunkline.cli.cost_tables import told  # noqa: PLC0415
    from trunkline.cli.office import carry_out  # noqa: PLC0415
    from trunkline.cli.tables import say_behind  # noqa: PLC0415

    report = carry_out(config, lambda office: office.ledger.costs(asked))
    sys.stdout.write(told(report, Form(form)))
    say_behind(report.behind)


def _write_focus(config: str, asked: "CostsQuestion", _: CostForm) -> None:
    from trunkline.cli.lists import written  # noqa: PLC0415
    from trunkline.cli.office import carry_out  # noqa: PLC0415
    from trunkline.cli.tables import say_behind  # noqa: PLC0415
    from trunkline.ledger.cost_answers import PaidQuestion  # noqa: PLC0415
    from trunkline.ledger.focus import COLUMNS, rows  # noqa: PLC0415

    if asked.before is not None or asked.team is not None or asked.user is not None or asked.time_zone != "UTC":
        raise typer.BadParameter("focus takes no --compare, --team, --user or --tz.", param_hint="--format")
    by = tuple(name for name in asked.by if name not in BY_ITSELF)
    question = PaidQuestion(span=asked.span, by=by, purpose=asked.purpose, tenant=asked.tenant)
    paid = carry_out(config, lambda office: office.ledger.paid(question))
    sys.stdout.write(written(COLUMNS, list(rows(paid)), Form.csv))
    say_behind(paid.behind)
