"""`trunkline keys`: virtual keys, made here rather than in the file."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.options import ConfigFile, Form, ListForm

if TYPE_CHECKING:
    from trunkline.cli.lists import Cell, Row
    from trunkline.control.answers import KeyView

commands = typer.Typer(rich_markup_mode=None)

COLUMNS = ("id", "tenant", "team", "routes", "status", "expires", "source", "created_at", "created_by", "revoked_at")


@commands.command()
def create(
    tenant: Annotated[str, typer.Option(help="Whose key it is.")],
    config: ConfigFile = DEFAULT_CONFIG,
    id: Annotated[str | None, typer.Option("--id", help="Its name in records; made up if not given.")] = None,  # noqa: A002
    route: Annotated[list[str] | None, typer.Option(help="A route that it may use; again for more. None: all.")] = None,
    team: Annotated[str | None, typer.Option(help="The team that its calls count for.")] = None,
    expires: Annotated[str | None, typer.Option(metavar="DATE", help="The last day that it works, UTC.")] = None,
) -> None:
    """Make a key, in force at once. Its secret is printed this once and kept nowhere."""
    from trunkline.cli.office import carry_out  # noqa: PLC0415
    from trunkline.control.answers import NewKey  # noqa: PLC0415

    asked = NewKey(tenant, id, tuple(route) if route else None, team, _expiry(expires))
    made = carry_out(config, lambda office: office.create_key(asked))
    sys.stderr.write(f"key {made.key.id} of {made.key.tenant}; its secret is not shown again:\n")
    sys.stdout.write(f"{made.secret}\n")


@commands.command("list")
def list_keys(config: ConfigFile = DEFAULT_CONFIG, form: ListForm = Form.table) -> None:
    """List the keys of the file and of the log, the revoked ones too."""
    from trunkline.cli.lists import written  # noqa: PLC0415
    from trunkline.cli.office import carry_out  # noqa: PLC0415

    keys = carry_out(config, lambda office: office.keys())
    sys.stdout.write(written(COLUMNS, [_row(key) for key in keys], form))


@commands.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="The key to stop.")], config: ConfigFile = DEFAULT_CONFIG
) -> None:
    """Stop a key for good; it is refused when this returns."""
    from trunkline.cli.office import carry_out  # noqa: PLC0415

    view = carry_out(config, lambda office: office.revoke_key(key))
    sys.stdout.write(f"key {view.id} of {view.tenant} is revoked since {view.revoked_at}\n")


def _expiry(date: str | None) -> int | None:
    from trunkline.config.readers import Mistake  # noqa: PLC0415
    from trunkline.config.units import expiry  # noqa: PLC0415

    try:
        return expiry(date) if date is not None else None
    except Mistake as mistake:
        raise typer.BadParameter(f"{mistake.message}; {mistake.fix}.", param_hint="--expires") from None


def _row(key: "KeyView") -> "Row":
    expires = None if key.expires is None else datetime.fromtimestamp(key.expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    values: dict[str, Cell] = {column: getattr(key, column) for column in COLUMNS}
    return values | {"expires": expires, "routes": "(all)" if key.routes is None else key.routes}
