"""Options that several commands take."""

import os.path
from enum import StrEnum
from typing import Annotated

import typer


def there(file: str) -> str:
    """A name without a file is a slip of the command line, not of a configuration."""
    if not os.path.exists(file):
        raise typer.BadParameter(f"there is no file {file}; name one with --config.")
    return file


ConfigFile = Annotated[
    str,
    typer.Option("--config", "-c", metavar="FILE", help="The configuration file.", show_default=True, callback=there),
]


class Form(StrEnum):
    """How a list is written."""

    table = "table"
    json = "json"
    csv = "csv"


ListForm = Annotated[Form, typer.Option("--format", help="How to write the list.", show_default=True)]
