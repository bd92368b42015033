"""`trunkline audit hold`: what must be kept for a dispute or an inquiry, whatever else would take it away."""

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.options import ConfigFile, Form, ListForm, identified, named

commands = typer.Typer(rich_markup_mode=None)

COLUMNS = ("id", "tenant", "user", "subject", "session", "call", "since", "until", "reason", "placed_by", "placed_at")
ENDED = ("released_by", "released_at", "released_because")
MOMENT = "%Y-%m-%dT%H:%M:%SZ"

Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; it stands in the record for good.")]


@commands.callback()
def about() -> None:
    """Keep records that a dispute or an inquiry is about: nothing of them expires or is erased."""


@commands.command()
def place(  # noqa: PLR0913, PLR0917 - a parameter for each option is what the library takes
    tenant: Annotated[str, typer.Option(metavar="TENANT", help="Whose records are kept.")],
    reason: Reason,
    config: ConfigFile = DEFAULT_CONFIG,
    user: Annotated[str | None, named("Only calls of this user.")] = None,
    subject: Annotated[str | None, named("Only calls about this person.")] = None,
    session: Annotated[str | None, named("Only calls of this session.")] = None,
    call: Annotated[str | None, named("Only this call.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only calls from then on: a day (2027-06-30), a moment, or 30d.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only calls before then.")] = None,
) -> None:
    """Place a hold, in force when this returns."""
    from trunkline.cli.office import carry_out  # noqa: PLC0415
    from trunkline.control.answers import NewHold  # noqa: PLC0415

    bare = call.removeprefix("chatcmpl-") if call is not None else None
    asked = NewHold(tenant, reason, user, subject, session, bare, _moment(since, "--since"), _moment(until, "--until"))
    hold = carry_out(config, lambda office: office.place_hold(asked))
    sys.stdout.write(f"{hold.id} keeps records of {hold.tenant} since {hold.placed_at[:19]}Z\n")


@commands.command()
def release(
    hold: Annotated[str, identified("The hold to end.")], reason: Reason, config: ConfigFile = DEFAULT_CONFIG
) -> None:
    """End a hold for good. What it alone had kept may expire from now on."""
    from trunkline.cli.office import carry_out  # noqa: PLC0415

    released = carry_out(config, lambda office: office.release_hold(hold, reason))
    sys.stdout.write(f"{released.id} of {released.tenant} is released\n")


@commands.command("list")
def list_holds(
    config: ConfigFile = DEFAULT_CONFIG,
    every: Annotated[bool, typer.Option("--all", help="Those that were released as well.")] = False,  # noqa: FBT002
    form: ListForm = Form.table,
) -> None:
    """List the holds in force."""
    from trunkline.cli.lists import written  # noqa: PLC0415
    from trunkline.cli.office import carry_out  # noqa: PLC0415

    found = carry_out(config, lambda office: office.holds(every=every))
    columns = COLUMNS + ENDED if every else COLUMNS
    sys.stdout.write(written(columns, [{name: getattr(hold, name) for name in columns} for hold in found], form))


def _moment(words: str | None, option: str) -> str | None:
    """Return a time as a hold has it."""
    from trunkline.cli.periods import moment  # noqa: PLC0415

    second = moment(words, option)
    return datetime.fromtimestamp(second, UTC).strftime(MOMENT) if second is not None else None
