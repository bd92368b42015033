"""`trunkline audit retention`: what has been kept for as long as it has to be, and, if asked, away with it."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.options import ConfigFile, Form, ListForm

if TYPE_CHECKING:
    from trunkline.cli.lists import Row
    from trunkline.control.answers import ExpiredLog

COLUMNS = ("log", "segments", "first", "last", "bytes", "tenants", "kept_by", "kept_until")


def command(
    config: ConfigFile = DEFAULT_CONFIG,
    apply: Annotated[bool, typer.Option("--apply", help="Delete it; without, it is only listed.")] = False,  # noqa: FBT002
    form: ListForm = Form.table,
) -> None:
    """List by log what has expired and what keeps the rest; with --apply, record and delete it."""
    from trunkline.cli.lists import written  # noqa: PLC0415
    from trunkline.cli.office import carry_out  # noqa: PLC0415

    found = carry_out(config, lambda office: office.retention(apply=apply))
    rows = [_row(log) for log in found]
    while apply and found:
        records = sum((log.following or 0) - (log.first or 0) for log in found)
        sys.stderr.write(f"deleted {sum(log.segments for log in found)} segments with {records:,} records\n")
        found = carry_out(config, lambda office: office.retention(apply=True))
        rows += [_row(log) for log in found]
    sys.stdout.write(written(COLUMNS, rows, form))
    if not apply and any(log.more for log in found):
        sys.stderr.write("there may be more: with --apply it goes on for as long as it finds any\n")


def _row(log: "ExpiredLog") -> "Row":
    return {
        "log": log.log,
        "segments": log.segments,
        "first": log.first,
        "last": log.following - 1 if log.following is not None else None,
        "bytes": log.bytes,
        "tenants": log.tenants,
        "kept_by": log.holds,
        "kept_until": log.until,
    }
