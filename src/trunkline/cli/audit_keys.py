"""`trunkline audit keys`: the key that signs the logs, and the keys of the vault."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.failure import Failed, failed_by
from trunkline.cli.options import ConfigFile, Form, ListForm

commands = typer.Typer(rich_markup_mode=None)
COLUMNS = ("tenant", "month", "keys")


@commands.command()
def vault(config: ConfigFile = DEFAULT_CONFIG, form: ListForm = Form.table) -> None:
    """List the data keys of the vault by tenant and month; on standard error, what they are wrapped with.

    No key is needed for it.
    """
    from trunkline.audit.files.vault.erasing import stock  # noqa: PLC0415
    from trunkline.audit.files.vault.key_encryption import VaultUnusable  # noqa: PLC0415
    from trunkline.audit.files.vault.root_keys import read_roots, roots_path  # noqa: PLC0415
    from trunkline.cli.lists import Cell, written  # noqa: PLC0415

    data_dir = _data_dir(config)
    try:
        roots = read_roots(roots_path(data_dir))
        if roots is None:
            raise Failed(f"{data_dir} has no key store: nothing in it is encrypted")
        found = stock(data_dir)
    except (OSError, VaultUnusable) as error:
        raise Failed(f"the key store cannot be read: {error}") from None
    rows: list[dict[str, Cell]] = [
        {"tenant": one.tenant or "(gateway)", "month": f"{one.month // 100}-{one.month % 100:02}", "keys": one.keys}
        for one in found.counts
    ]
    sys.stdout.write(written(COLUMNS, rows, form))
    wrapped = ", ".join(sorted({root.by for root in (*roots.roots, roots.persons)}))
    sys.stderr.write(
        f"trunkline: wrapped with the key {wrapped}; {found.names:,} names, {found.destroyed:,} entries destroyed"
        f"{f', {found.damaged:,} damaged' if found.damaged else ''}\n"
    )


@commands.command()
def rotate(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Wrap the vault with another key-encryption key: the configured one, or a new one where it is ours.

    The gateway may run meanwhile. One that was cut off is finished by doing it again.
    """
    from trunkline.cli.office import carry_out  # noqa: PLC0415

    done = carry_out(config, lambda office: office.rotate_vault())
    sys.stdout.write(f"the vault was wrapped with the key {', '.join(done.before)} and now is with {done.after}\n")


@commands.command()
def backup(
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="Where to write it; it must not be there yet.")],
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Write the key store to a file. The key that it is wrapped with is not in it: keep that somewhere else."""
    from trunkline.audit.files.vault.backup import back_up  # noqa: PLC0415

    data_dir = _data_dir(config)
    try:
        files = back_up(data_dir, Path(out))
    except FileExistsError:
        raise Failed(f"there is a file {out} already: name another") from None
    except FileNotFoundError as error:
        raise Failed(f"there is no {error.filename}") from None
    except OSError as error:
        raise Failed(f"the backup cannot be written: {error.strerror}") from None
    sys.stdout.write(f"{files:,} files of the key store are in {out}; the vault key is not\n")


@commands.command()
def restore(
    file: Annotated[str, typer.Argument(metavar="FILE", help="What `audit keys backup` has written.")],
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Put a backup of the key store together with what is there. What has been erased since stays erased.

    The gateway must not run.
    """
    from trunkline.audit.files.data_dir import DataDirError, open_data_dir  # noqa: PLC0415
    from trunkline.audit.files.settings import CorruptLog  # noqa: PLC0415
    from trunkline.audit.files.vault.backup import restore as put_back  # noqa: PLC0415
    from trunkline.audit.files.vault.key_encryption import VaultUnusable  # noqa: PLC0415
    from trunkline.audit.format.sealing import Unopened  # noqa: PLC0415
    from trunkline.control.configuration import Configuration  # noqa: PLC0415
    from trunkline.control.vault_keeper import replay_erasures  # noqa: PLC0415
    from trunkline.control.vault_keys import stored_keys  # noqa: PLC0415

    data_dir = _data_dir(config)
    try:
        with open_data_dir(data_dir).lock():
            found = put_back(data_dir, Path(file))
            erased = replay_erasures(data_dir, stored_keys(Configuration(config), data_dir))
    except (CorruptLog, DataDirError, Unopened, VaultUnusable) as error:
        raise Failed(str(error)) from None
    except OSError as error:
        raise Failed(f"{error.filename or data_dir} cannot be read or written: {error.strerror}") from None
    sys.stdout.write(f"{found.entries:,} entries came back, {erased:,} of them erased again as the log says\n")


def _data_dir(config: str) -> Path:
    from trunkline.config.problems import ConfigInvalid  # noqa: PLC0415
    from trunkline.control.machine import data_dir_of  # noqa: PLC0415

    try:
        return data_dir_of(config)
    except ConfigInvalid as invalid:
        raise failed_by(invalid) from None
