"""`trunkline audit erase`: a person's content and names, for good."""

import sys
from typing import Annotated

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.failure import Failed, Misused
from trunkline.cli.options import ConfigFile


def command(
    tenant: Annotated[str, typer.Option(metavar="TENANT", help="Whose calls they are.")],
    subject: Annotated[str | None, typer.Option(metavar="ID", help="The person that calls were about.")] = None,
    user: Annotated[str | None, typer.Option(metavar="ID", help="The user who made calls about nobody else.")] = None,
    dry_run: Annotated[  # noqa: FBT002
        bool, typer.Option("--dry-run", help="Say what would be destroyed, and destroy nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,  # noqa: FBT002
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Erase what was asked and answered in a person's calls, by destroying the keys that it is encrypted with.

    The records of the calls stay, and so do their proofs. It cannot be undone. The erasure is recorded.
    """
    from trunkline.cli.office import carry_out  # noqa: PLC0415
    from trunkline.control.answers import Erase, Erasure  # noqa: PLC0415

    if (subject is None) == (user is None):
        raise Misused("name either --subject or --user")
    asked = Erase(tenant, subject, user, dry_run=True)
    would: Erasure = carry_out(config, lambda office: office.erase(asked))
    if dry_run:
        sys.stdout.write(f"would destroy {_told(would.keys, would.names, would.months)}\n")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise Failed("an erasure cannot be undone: say --yes where there is no terminal to ask at")
        sys.stderr.write(f"This destroys {_told(would.keys, would.names, would.months)}. It cannot be undone.\n")
        typer.confirm("Erase?", abort=True, err=True)
    asked = Erase(tenant, subject, user)
    done: Erasure = carry_out(config, lambda office: office.erase(asked))
    sys.stdout.write(f"destroyed {_told(done.keys, done.names, done.months)}\n")


def _told(keys: int, names: int, months: tuple[int, ...]) -> str:
    when = f" of {', '.join(f'{month // 100}-{month % 100:02}' for month in months)}" if months else ""
    return f"{keys:,} data keys{when} and {names:,} names"
