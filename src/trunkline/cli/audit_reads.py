"""`trunkline audit reads`: who has looked at conversations."""

from enum import StrEnum
from typing import Annotated

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.options import ConfigFile, Form, ListForm, named


class Action(StrEnum):
    """How somebody looked."""

    bodies = "bodies"
    session = "session"
    replay = "replay"
    export = "export"
    scan = "scan"
    review = "review"
    notes = "notes"


def command(  # noqa: PLR0913, PLR0917 - a parameter for each option is what the library takes
    config: ConfigFile = DEFAULT_CONFIG,
    form: ListForm = Form.table,
    who: Annotated[str | None, named("Looks of this account or operator, as the list has it.")] = None,
    action: Annotated[Action | None, typer.Option(help="Looks of this kind.")] = None,
    call: Annotated[
        str | None, named("Looks that may have shown this call: at it, its session, in an export, in a scan.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="From then on: 7d (ago), 2027-06-30, ...")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before then.")] = None,
    limit: Annotated[int, typer.Option(metavar="ROWS", help="The most looks to list.", show_default=True)] = 50,
) -> None:
    """List who was shown what was asked and answered, the latest first."""
    from trunkline.cli.console import carry_out  # noqa: PLC0415
    from trunkline.cli.periods import moment  # noqa: PLC0415
    from trunkline.cli.tables import print_table  # noqa: PLC0415
    from trunkline.ledger.answers import Period  # noqa: PLC0415
    from trunkline.ledger.review_answers import ReadsQuestion  # noqa: PLC0415

    asked = ReadsQuestion(
        who=who,
        action=action.value if action is not None else None,
        call=call,
        period=Period(moment(since, "--since"), moment(until, "--until")),
        limit=limit,
    )
    table = carry_out(config, lambda office: office.reviews.reads(asked))
    print_table(table, form, more="--limit lists more, --since and --until others")
