"""`trunkline sql`: the ledger in the words of a database."""

from typing import Annotated

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.options import ConfigFile, Form, ListForm


def command(
    query: Annotated[str, typer.Argument(metavar="SELECT", help="The query, over the views of docs/ledger.md.")],
    config: ConfigFile = DEFAULT_CONFIG,
    form: ListForm = Form.table,
    limit: Annotated[int, typer.Option(metavar="ROWS", help="The most rows to print.", show_default=True)] = 1000,
) -> None:
    """Answer a SELECT over the views calls, attempts, findings, costs, sessions, scores and refusals.

    A query has 10 s and 256 MB, and sees no file, network or setting.
    """
    from trunkline.cli.office import carry_out  # noqa: PLC0415
    from trunkline.cli.tables import print_table  # noqa: PLC0415
    from trunkline.ledger.answers import SqlQuestion  # noqa: PLC0415

    table = carry_out(config, lambda office: office.ledger.sql(SqlQuestion(query, limit)))
    print_table(table, form, more="--limit prints more")
