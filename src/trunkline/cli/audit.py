"""`trunkline audit`: whether the logs are what was signed, proofs of calls for others, the key for both, exports."""

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trunkline.cli import audit_erase, audit_export, audit_keys
from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.failure import Failed, Misused
from trunkline.cli.files import text_of
from trunkline.cli.options import there

if TYPE_CHECKING:
    from trunkline.audit.files.findings import Finding, Report
    from trunkline.audit.format.notes import PublicKey

commands = typer.Typer(rich_markup_mode=None)
commands.command("export")(audit_export.command)
commands.command("erase")(audit_erase.command)
commands.add_typer(audit_keys.commands, name="keys")

INTACT, DAMAGED, COULD_NOT_TELL = 0, 1, 2
MEGABYTE = 1_000_000
CALL_PREFIX = "chatcmpl-"

Config = Annotated[str, typer.Option("--config", "-c", metavar="FILE", help="The configuration file.")]
DataDir = Annotated[
    str | None, typer.Option(metavar="DIR", help="The data directory, where it is not that of the configuration.")
]
KEY_HELP = "The deployment's public key, or a file that has it"


@commands.callback()
def about() -> None:
    """Check the logs, hand out proofs of calls, check such proofs, and export what is on record."""


@commands.command()
def verify(
    config: Config = DEFAULT_CONFIG,
    data_dir: DataDir = None,
    public_key: Annotated[
        str | None, typer.Option(metavar="KEY", help=f"{KEY_HELP}; without it the one beside the logs.")
    ] = None,
) -> int:
    """Check every log against what was signed of it. It only reads; a gateway may run meanwhile.

    Exit code 0: all is as it was signed. 1: something was changed, removed or added. 2: that could not be told.
    """
    from trunkline.audit.files.data_dir import DataDirError  # noqa: PLC0415
    from trunkline.audit.files.key_file import KeyUnusable, read_public_key  # noqa: PLC0415
    from trunkline.audit.files.verification import Verification  # noqa: PLC0415
    from trunkline.cli.progress import VerificationProgress  # noqa: PLC0415

    directory = _directory(config, data_dir)
    try:
        key = _key(public_key) if public_key is not None else read_public_key(directory)
        with VerificationProgress() as progress:
            report = Verification(directory, key, time.time_ns(), progress.show).run()
    except (DataDirError, KeyUnusable, OSError) as error:
        sys.stdout.write(f"could not tell: {error}\n")
        return COULD_NOT_TELL
    sys.stdout.write("".join(f"{_line(finding)}\n" for finding in report.findings))
    sys.stdout.write(f"{_summary(report)}\n")
    return {True: INTACT, False: DAMAGED, None: COULD_NOT_TELL}[report.intact]


@commands.command()
def prove(
    call: Annotated[str, typer.Argument(metavar="ID", help="The call's id, or the `id` of its answer.")],
    config: Config = DEFAULT_CONFIG,
    data_dir: DataDir = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it; else standard output.")
    ] = None,
) -> None:
    """Write a file that proves a call to whoever has the public key: its records, each with the proof of it."""
    from trunkline.audit.files.data_dir import DataDirError  # noqa: PLC0415
    from trunkline.audit.files.key_file import KeyUnusable, read_public_key  # noqa: PLC0415
    from trunkline.audit.files.proving import NotProven  # noqa: PLC0415
    from trunkline.audit.files.proving import prove as proof_of  # noqa: PLC0415
    from trunkline.audit.files.settings import CorruptLog  # noqa: PLC0415

    directory = _directory(config, data_dir)
    try:
        bundle = proof_of(directory, _call_id(call), read_public_key(directory))
        if output is not None:
            Path(output).write_bytes(bundle)
        else:
            sys.stdout.write(bundle.decode())
    except (CorruptLog, DataDirError, KeyUnusable, NotProven) as error:
        raise Failed(str(error)) from None
    except OSError as error:
        raise Failed(f"{error.filename or directory} cannot be read or written: {error.strerror}") from None


@commands.command("check-proof")
def check_proof(
    file: Annotated[str, typer.Argument(metavar="FILE", help="What `audit prove` has written.")],
    public_key: Annotated[str, typer.Option(metavar="KEY", help=f"{KEY_HELP}.")],
) -> int:
    """Check the proof of a call with the public key alone: neither the logs nor a network are needed."""
    from trunkline.audit.format.bundles import check_bundle  # noqa: PLC0415
    from trunkline.audit.format.tlog_proofs import BadProof  # noqa: PLC0415

    key = _key(public_key)
    try:
        proven = check_bundle(text_of(file).encode(), key)
    except BadProof as error:
        sys.stdout.write(f"not proven: {error}\n")
        return DAMAGED
    for one in proven:
        head = one.head
        where = f"record {head.index} of {head.log}, signed with {one.log_size:,} records"
        sys.stdout.write(f"proven: {head.type} at {head.at} is {where}\n")
    if len(proven) == 1:
        sys.stdout.write("the call had not ended when this was made, or its end was left out\n")
    return INTACT


@audit_keys.commands.callback(invoke_without_command=True)
def keys(context: typer.Context, config: Config = DEFAULT_CONFIG, data_dir: DataDir = None) -> None:
    """Print the public key that checks all proofs, and that of each log as other tools take it.

    Where there is no key yet that signs the logs, it is made.
    """
    if context.invoked_subcommand is not None:
        return
    from trunkline.audit.files.data_dir import LOGS, DataDirError, open_data_dir  # noqa: PLC0415
    from trunkline.audit.files.key_file import (  # noqa: PLC0415
        KEY_FILE,
        PUBLIC_KEY_FILE,
        KeyUnusable,
        make_key,
        publish_key,
        read_key,
        read_public_key,
    )

    directory = _directory(config, data_dir)
    try:
        opened = open_data_dir(directory)
        if (directory / PUBLIC_KEY_FILE).exists():
            public = read_public_key(directory)
        else:
            path = (_key_file(config) if data_dir is None else None) or directory / KEY_FILE
            key = read_key(path, opened.deployment) if path.exists() else make_key(path, opened.deployment)
            publish_key(directory, key.public)
            public = key.public
    except (DataDirError, KeyUnusable) as error:
        raise Failed(str(error)) from None
    except OSError as error:
        raise Failed(f"the data directory {directory} cannot be used: {error.strerror}") from None
    sys.stdout.write(f"{public.text}\n")
    for log in sorted((directory / LOGS).glob("*/*")):
        sys.stdout.write(f"{public.named(f'{opened.deployment}/{log.parent.name}/{log.name}').text}\n")


def _directory(config: str, data_dir: str | None) -> Path:
    from trunkline.cli.failure import failed_by  # noqa: PLC0415
    from trunkline.config.problems import ConfigInvalid  # noqa: PLC0415
    from trunkline.control.machine import data_dir_of  # noqa: PLC0415

    if data_dir is not None:
        if not os.path.isdir(data_dir):
            raise typer.BadParameter(f"there is no directory {data_dir}.", param_hint="--data-dir")
        return Path(data_dir)
    there(config)
    try:
        return data_dir_of(config)
    except ConfigInvalid as invalid:
        raise failed_by(invalid) from None


def _key_file(config: str) -> Path | None:
    from trunkline.control.machine import key_file_of  # noqa: PLC0415

    return key_file_of(config)


def _key(text: str) -> "PublicKey":
    """Return the key that an option names, in itself or as a file."""
    from trunkline.audit.format.notes import BadKey, PublicKey  # noqa: PLC0415

    try:
        if os.path.isfile(text):
            text = text_of(text)
        return PublicKey.parse(text.strip())
    except BadKey as error:
        raise typer.BadParameter(f"it is no public key: {error}.", param_hint="--public-key") from None


def _call_id(named: str) -> str:
    call = named.removeprefix(CALL_PREFIX).lower()
    digits = call.replace("-", "")
    if len(digits) != 32 or not all(digit in "0123456789abcdef" for digit in digits):
        raise Misused(f"{named[:100]!r} is no id of a call")
    return call


def _line(finding: "Finding") -> str:
    from trunkline.operations import neutral  # noqa: PLC0415

    kind = "damaged" if finding.kind == "damage" else "could not tell"
    record = f", record {finding.record}" if finding.record is not None else ""
    return neutral(f"{kind}: {finding.file} at offset {finding.offset}{record}: {finding.reason}")


def _summary(report: "Report") -> str:
    verdict = {True: "intact", False: "damaged", None: "could not tell"}[report.intact]
    size = report.bytes / MEGABYTE
    checked = f"{report.logs} logs with {report.records:,} records, {size:,.1f} MB"
    held = f"{report.checkpoints:,} signed roots and {report.tiles:,} tiles hold"
    waiting = f"{report.unsigned:,} records are not signed yet, {report.open_calls:,} calls are open"
    return f"{verdict}: {checked}; {held}; {waiting}"
