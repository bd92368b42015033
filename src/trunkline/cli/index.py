"""`trunkline index`: the index that the ledger's answers come from."""

import sys

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.options import ConfigFile

commands = typer.Typer(rich_markup_mode=None)


@commands.callback()
def about() -> None:
    """Make the ledger's index again from the logs."""


@commands.command()
def rebuild(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Throw the index away and make it again from the logs that are there; a running gateway goes on carrying calls."""
    from trunkline.cli.office import carry_out  # noqa: PLC0415
    from trunkline.cli.progress import IndexProgress  # noqa: PLC0415

    with IndexProgress() as progress:
        status = carry_out(config, lambda office: office.ledger.rebuild(progress.show))
    sys.stdout.write(f"the index is made again from {status.records:,} records\n")
