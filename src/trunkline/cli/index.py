"""`trunkline index`: the index that the ledger's answers come from."""

import sys
from typing import Annotated

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.options import ConfigFile

commands = typer.Typer(rich_markup_mode=None)


@commands.callback()
def about() -> None:
    """Make the ledger's index again from the logs, or take old calls out of it."""


@commands.command()
def rebuild(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Throw the index away and make it again from the logs that are there; a running gateway goes on carrying calls."""
    from trunkline.cli.office import carry_out  # noqa: PLC0415
    from trunkline.cli.progress import IndexProgress  # noqa: PLC0415

    with IndexProgress() as progress:
        status = carry_out(config, lambda office: office.ledger.rebuild(progress.show))
    sys.stdout.write(f"the index is made again from {status.records:,} records\n")


@commands.command()
def forget(
    before: Annotated[
        str, typer.Option(metavar="TIME", help="Calls from before then: 400d (ago), 2027-06-30, 2027-06-30T12:00:00Z.")
    ],
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Take old calls out of the index. The logs keep them: when it is made again, what they still have is back."""
    from trunkline.cli.office import carry_out  # noqa: PLC0415
    from trunkline.cli.periods import moment  # noqa: PLC0415
    from trunkline.ledger.answers import Forget  # noqa: PLC0415

    second = moment(before, "--before") or 0.0
    forgotten = carry_out(config, lambda office: office.ledger.forget(Forget(second)))
    sys.stdout.write(f"{forgotten.rows:,} rows are out of the index\n")
