"""`trunkline sessions`: what was said, conversation by conversation."""

import sys
from typing import Annotated

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.options import ConfigFile, Form, ListForm, identified, named

commands = typer.Typer(rich_markup_mode=None)


@commands.command("list")
def list_sessions(  # noqa: PLR0913, PLR0917 - a parameter for each option is what the library takes
    config: ConfigFile = DEFAULT_CONFIG,
    form: ListForm = Form.table,
    tenant: Annotated[str | None, named("Sessions of this tenant.")] = None,
    user: Annotated[str | None, named("Sessions with calls of this user.")] = None,
    subject: Annotated[str | None, named("Sessions with calls about this subject.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="From then on: 7d (ago), 2027-06-30, ...")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before then.")] = None,
    limit: Annotated[int, typer.Option(metavar="ROWS", help="The most sessions to list.", show_default=True)] = 50,
) -> None:
    """List sessions, the latest first, with what their calls within the time asked for came to."""
    from trunkline.cli.console import carry_out  # noqa: PLC0415
    from trunkline.cli.periods import moment  # noqa: PLC0415
    from trunkline.cli.tables import print_table  # noqa: PLC0415
    from trunkline.ledger.answers import Period, SessionsQuestion  # noqa: PLC0415

    period = Period(moment(since, "--since"), moment(until, "--until"))
    asked = SessionsQuestion(tenant=tenant, user=user, subject=subject, period=period, limit=limit)
    table = carry_out(config, lambda office: office.ledger.sessions(asked))
    print_table(table, form, more="--limit lists more, --since and --until others")


@commands.command()
def show(
    session: Annotated[str, identified("The session, as the application named it.")],
    config: ConfigFile = DEFAULT_CONFIG,
    form: ListForm = Form.table,
    tenant: Annotated[str | None, named("Whose it is, where several tenants have one of this name.")] = None,
) -> None:
    """Print a session as one conversation, with tools and their results, and what the caller heard of each answer."""
    from trunkline.cli.console import carry_out  # noqa: PLC0415
    from trunkline.cli.transcripts import told  # noqa: PLC0415

    transcript = carry_out(config, lambda office: office.ledger.session(session, tenant))
    sys.stdout.write(told(transcript, form))
