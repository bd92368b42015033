"""`trunkline limits`: who uses how much of which limit or budget."""

import sys
import time
from typing import Annotated

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.options import ConfigFile, Form, ListForm, named

commands = typer.Typer(rich_markup_mode=None)

DEFAULT_TOP = 200
MOST_SHOWN = 2_000


@commands.callback()
def about() -> None:
    """Say how limits and budgets are used, live, and what they would have done in the past."""


@commands.command()
def show(  # noqa: PLR0913, PLR0917 - a parameter for each option is what the library takes
    config: ConfigFile = DEFAULT_CONFIG,
    form: ListForm = Form.table,
    tenant: Annotated[str | None, named("Limits and budgets of this tenant.")] = None,
    user: Annotated[str | None, named("Those of this user.")] = None,
    team: Annotated[str | None, named("Those of this team.")] = None,
    key: Annotated[str | None, named("Those of this key.")] = None,
    route: Annotated[str | None, named("Those of this route.")] = None,
    rule: Annotated[str | None, named("This rule, or those that begin so: `user_limits`.")] = None,
    top: Annotated[
        int, typer.Option(metavar="ROWS", min=1, max=MOST_SHOWN, help="The most rows to show.", show_default=True)
    ] = DEFAULT_TOP,
) -> None:
    """Show every limit and budget of the running gateway with its use and its owner, the most used first."""
    from trunkline.channel.messages import LimitsQuestion  # noqa: PLC0415
    from trunkline.cli.limit_tables import print_uses  # noqa: PLC0415
    from trunkline.cli.office import carry_out  # noqa: PLC0415

    asked = LimitsQuestion(tenant=tenant, user=user, team=team, key=key, route=route, rule=rule, most=top)
    found = carry_out(config, lambda office: office.limits(asked))
    print_uses(found, form)
    if found.counted_by == "redis":
        sys.stderr.write(
            "trunkline: of all gateways, as Redis counts them: what workers hold for the next second is used\n"
        )
    elif found.counted_by == "this_gateway":
        sys.stderr.write("trunkline: of this gateway alone: Redis does not say in time what the others use\n")
    if found.left_out:
        sys.stderr.write(
            f"trunkline: {found.left_out:,} more; --tenant, --user, --rule and others choose, --top shows more\n"
        )
    if found.silent:
        workers = ", ".join(map(str, found.silent))
        sys.stderr.write(f"trunkline: worker {workers} did not answer in time: what calls there use is missing\n")


@commands.command()
def simulate(
    config: ConfigFile = DEFAULT_CONFIG,
    form: ListForm = Form.table,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Calls from then on: 7d (ago), 2027-06-30, ...", show_default=True)
    ] = "7d",
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Calls before then. Without: now.")] = None,
    tenant: Annotated[str | None, named("Calls of this tenant.")] = None,
    top: Annotated[
        int, typer.Option(metavar="ROWS", min=1, max=MOST_SHOWN, help="The most rows to show.", show_default=True)
    ] = DEFAULT_TOP,
) -> None:
    """Say what the limits and budgets of the configuration file would have done to past calls, in force or not."""
    from trunkline.cli.limit_tables import print_simulation  # noqa: PLC0415
    from trunkline.cli.office import carry_out  # noqa: PLC0415
    from trunkline.cli.periods import moment  # noqa: PLC0415
    from trunkline.cli.progress import SimulationProgress  # noqa: PLC0415
    from trunkline.ledger.limit_answers import SimulationQuestion  # noqa: PLC0415

    first, last = moment(since, "--since") or 0.0, moment(until, "--until") or time.time()
    if first >= last:
        raise typer.BadParameter("the time has to begin before it ends.", param_hint="--since")
    asked = SimulationQuestion(since=first, until=last, tenant=tenant, most=top)
    with SimulationProgress() as progress:
        report = carry_out(config, lambda office: office.simulate(asked, progress.show))
    print_simulation(report, form)
