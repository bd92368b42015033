"""`trunkline audit`: what is on record, for whoever has to show it."""

import typer

from trunkline.cli import audit_export

commands = typer.Typer(rich_markup_mode=None)
commands.command("export")(audit_export.command)


@commands.callback()
def about() -> None:
    """Give out what is on record."""
