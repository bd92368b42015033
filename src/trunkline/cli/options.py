"""Options that several commands take."""

from enum import StrEnum
from typing import Annotated

import typer

ConfigFile = Annotated[
    str, typer.Option("--config", "-c", metavar="FILE", help="The configuration file.", show_default=True)
]


class Form(StrEnum):
    """How a list is written."""

    table = "table"
    json = "json"
    csv = "csv"


ListForm = Annotated[Form, typer.Option("--format", help="How to write the list.", show_default=True)]
