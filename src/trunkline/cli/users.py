"""`trunkline users`: the directories, which say who belongs to which team and from when."""

import sys
from typing import Annotated

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.options import ConfigFile, Form, ListForm, named

commands = typer.Typer(rich_markup_mode=None)

COLUMNS = ("tenant", "user", "name", "team", "cost_center", "from", "to", "source")
DEFAULT_LIMIT = 1_000
MOST_LISTED = 250_000


@commands.command("import")
def import_users(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="CSV with the columns user, name, team, cost_center, from and to.")
    ],
    tenant: Annotated[str, typer.Option(metavar="TENANT", help="Whose users they are.")],
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Replace a tenant's directory by a file, in force at once. The first line alone empties it."""
    from trunkline.cli.files import text_of  # noqa: PLC0415
    from trunkline.cli.office import carry_out  # noqa: PLC0415
    from trunkline.control.answers import NewUsers  # noqa: PLC0415

    asked = NewUsers(tenant, file, text_of(file))
    made = carry_out(config, lambda office: office.import_users(asked))
    sys.stdout.write(
        f"{made.tenant} has {made.users:,} users: {made.added:,} new, {made.changed:,} changed, {made.removed:,} gone\n"
    )


@commands.command("list")
def list_users(
    config: ConfigFile = DEFAULT_CONFIG,
    tenant: Annotated[str | None, named("Of this tenant only.")] = None,
    user: Annotated[str | None, named("This user only.")] = None,
    team: Annotated[str | None, named("In this team only.")] = None,
    on: Annotated[str | None, typer.Option(metavar="DAY", help="As it is on a day (2026-06-30).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="So many rows at most.")] = DEFAULT_LIMIT,
    form: ListForm = Form.table,
) -> None:
    """List the rows of the directories in force, those of files and imported ones."""
    from trunkline.cli.lists import written  # noqa: PLC0415
    from trunkline.cli.office import carry_out  # noqa: PLC0415
    from trunkline.config.directory import is_day  # noqa: PLC0415
    from trunkline.control.answers import UserQuery  # noqa: PLC0415

    if on is not None and not is_day(on):
        raise typer.BadParameter("write a day like 2026-06-30.", param_hint="--on")
    query = UserQuery(tenant, user, team, on, limit)
    found = carry_out(config, lambda office: office.users(query))
    rows = [
        {column: getattr(view, {"from": "first", "to": "last"}.get(column, column)) for column in COLUMNS}
        for view in found.users
    ]
    sys.stdout.write(written(COLUMNS, rows, form))
    if found.total > len(rows):
        sys.stderr.write(f"{found.total - len(rows):,} more; --user, --team and --on choose, --limit shows more\n")
