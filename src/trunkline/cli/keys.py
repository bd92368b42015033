"""`trunkline keys`: virtual keys, made here rather than in the file."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.options import ConfigFile, Form, ListForm, identified

if TYPE_CHECKING:
    from trunkline.cli.lists import Cell, Row
    from trunkline.control.answers import KeyView

commands = typer.Typer(rich_markup_mode=None)

COLUMNS = ("id", "tenant", "team", "routes", "status", "expires", "source", "created_at", "created_by", "revoked_at")


@commands.command()
def create(
    tenant: Annotated[str, typer.Option(metavar="TENANT", help="Whose key it is.")],
    config: ConfigFile = DEFAULT_CONFIG,
    id: Annotated[  # noqa: A002
        str | None, typer.Option("--id", metavar="ID", help="Its name in records, for good; made up if not given.")
    ] = None,
    route: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROUTE",
            help="A route, or provider/model, that it may use; repeat it for more. Without: every route.",
        ),
    ] = None,
    team: Annotated[str | None, typer.Option(metavar="TEAM", help="The team that its calls count for.")] = None,
    expires: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="The last day that it works, in UTC (2027-06-30), or a time (2027-06-30T12:00:00Z)."
        ),
    ] = None,
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
    """List every key: those of the file, and those made by command, the expired and revoked ones too."""
    from trunkline.cli.lists import written  # noqa: PLC0415
    from trunkline.cli.office import carry_out  # noqa: PLC0415

    keys = carry_out(config, lambda office: office.keys())
    sys.stdout.write(written(COLUMNS, [_row(key) for key in keys], form))


@commands.command()
def revoke(
    key: Annotated[str, identified("The key to stop, one that was made by `keys create`.")],
    config: ConfigFile = DEFAULT_CONFIG,
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
    values: dict[str, Cell] = {column: getattr(key, column) for column in COLUMNS}
    return values | {"expires": _moment(key.expires), "routes": "(all)" if key.routes is None else key.routes}


def _moment(second: int | None) -> "Cell":
    """Return a Unix second as a time of the calendar, as it is where the calendar has no such time."""
    if second is None:
        return None
    try:
        return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return second
