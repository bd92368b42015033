"""`trunkline calls`: what happened, call by call."""

import sys
from typing import Annotated

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.options import ConfigFile, Form, ListForm, identified, named

commands = typer.Typer(rich_markup_mode=None)


@commands.command("list")
def list_calls(  # noqa: PLR0913, PLR0917 - a parameter for each option is what the library takes
    config: ConfigFile = DEFAULT_CONFIG,
    form: ListForm = Form.table,
    tenant: Annotated[str | None, named("Calls of this tenant.")] = None,
    team: Annotated[str | None, named("Calls of this team.")] = None,
    user: Annotated[str | None, named("Calls of this user.")] = None,
    subject: Annotated[str | None, named("Calls about this subject.")] = None,
    session: Annotated[str | None, named("Calls of this session.")] = None,
    route: Annotated[str | None, named("Calls for this route.")] = None,
    outcome: Annotated[str | None, named("Calls that ended so: answered, failed, denied, ...")] = None,
    finding: Annotated[str | None, named("Calls with a finding of this rule or policy.")] = None,
    tool: Annotated[str | None, named("Calls whose answer asked for this tool.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="From then on: 7d (ago), 2027-06-30, ...")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before then.")] = None,
    limit: Annotated[int, typer.Option(metavar="ROWS", help="The most calls to list.", show_default=True)] = 50,
) -> None:
    """List calls that have ended, the newest first; those that were refused too, with their count in a second."""
    from trunkline.cli.console import carry_out  # noqa: PLC0415
    from trunkline.cli.periods import moment  # noqa: PLC0415
    from trunkline.cli.tables import print_table  # noqa: PLC0415
    from trunkline.ledger.answers import CallsQuestion, Period  # noqa: PLC0415

    asked = CallsQuestion(
        tenant=tenant,
        team=team,
        user=user,
        subject=subject,
        session=session,
        route=route,
        outcome=outcome,
        finding=finding,
        tool=tool,
        period=Period(moment(since, "--since"), moment(until, "--until")),
        limit=limit,
    )
    table = carry_out(config, lambda office: office.ledger.calls(asked))
    print_table(table, form, more="--limit lists more, --since and --until others")


@commands.command()
def show(
    call: Annotated[str, identified("The call's id, or the `id` of its answer (chatcmpl-...).")],
    config: ConfigFile = DEFAULT_CONFIG,
    form: ListForm = Form.table,
    bodies: Annotated[bool, typer.Option("--bodies", help="Print what was asked and answered too.")] = False,  # noqa: FBT002
) -> None:
    """Tell the story of a call: admission, attempts, first token, release, settlement, and what was withheld."""
    from trunkline.cli.console import carry_out  # noqa: PLC0415
    from trunkline.cli.stories import told  # noqa: PLC0415

    story = carry_out(config, lambda office: office.ledger.call(call, bodies=bodies))
    sys.stdout.write(told(story, form))
