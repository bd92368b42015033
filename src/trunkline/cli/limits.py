"""`trunkline limits`: who uses how much of which limit or budget."""

import sys
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
    if found.left_out:
        sys.stderr.write(
            f"trunkline: {found.left_out:,} more; --tenant, --user, --rule and others choose, --top shows more\n"
        )
    if found.silent:
        workers = ", ".join(map(str, found.silent))
        sys.stderr.write(f"trunkline: worker {workers} did not answer in time: what calls there use is missing\n")
