"""Options that several commands take."""

import os
from enum import StrEnum
from typing import Annotated, Any

import typer

from trunkline.model.names import NAME_LIMIT

# The environment's name for the URL of a console: commands that ask there need no file.
CONSOLE = "TRUNKLINE_CONSOLE"


def there(file: str) -> str:
    """A name without a file is a slip of the command line, not of a configuration."""
    if not os.path.exists(file) and not os.environ.get(CONSOLE):
        raise typer.BadParameter(f"there is no file {file}; name one with --config.")
    return file


def is_name(value: str | None) -> str | None:
    """Nothing has an empty name or such a long one: a slip, of a variable that a shell has not set for one."""
    if value is not None and not 0 < len(value) <= NAME_LIMIT:
        raise typer.BadParameter(f"a name has 1 to {NAME_LIMIT} characters.")
    return value


def named(about: str) -> Any:
    """Return an option that is the name of something."""
    return typer.Option(metavar="NAME", help=about, callback=is_name)


def identified(about: str) -> Any:
    """Return an argument that is the name of something."""
    return typer.Argument(metavar="ID", help=about, callback=is_name)


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
