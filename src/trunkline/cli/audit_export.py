"""`trunkline audit export`: calls with all that is on record of them, as a file."""

import sys
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.options import ConfigFile, named

if TYPE_CHECKING:
    from trunkline.cli.office import Office
    from trunkline.ledger.evidence_answers import ExportEnd, ExportQuestion


class ExportForm(StrEnum):
    """How an export is written: lines of JSON for programs, a page for people."""

    jsonl = "jsonl"
    html = "html"


def command(  # noqa: PLR0913, PLR0917 - a parameter for each option is what the library takes
    since: Annotated[str, typer.Option(metavar="TIME", help="From then on: 7d (ago), 2027-06-30, ...")],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The file to make, or a directory to make it in; none is overwritten.")
    ],
    config: ConfigFile = DEFAULT_CONFIG,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before then. Without: all that has ended.")] = None,
    tenant: Annotated[str | None, named("Calls of this tenant.")] = None,
    user: Annotated[str | None, named("Calls of this user.")] = None,
    subject: Annotated[str | None, named("Calls about this subject.")] = None,
    session: Annotated[str | None, named("Calls of this session.")] = None,
    finding: Annotated[str | None, named("Calls with a finding of this rule or policy.")] = None,
    outcome: Annotated[str | None, named("Calls that ended so: answered, blocked, failed, ...")] = None,
    form: Annotated[
        ExportForm, typer.Option("--format", help="How to write it.", show_default=True)
    ] = ExportForm.jsonl,
) -> None:
    """Write calls, oldest first, with records, texts, findings, costs and digests; that you have done so is recorded.

    `jsonl` has each record byte for byte, with what was asked and answered; `html` is a page to read and to print.
    """
    from trunkline.cli.console import carry_out  # noqa: PLC0415
    from trunkline.cli.periods import moment  # noqa: PLC0415
    from trunkline.ledger.answers import Period  # noqa: PLC0415
    from trunkline.ledger.evidence_answers import ExportQuestion  # noqa: PLC0415
    from trunkline.ledger.wording import counted  # noqa: PLC0415
    from trunkline.operations import neutral  # noqa: PLC0415

    asked = ExportQuestion(
        period=Period(moment(since, "--since"), moment(until, "--until")),
        tenant=tenant,
        user=user,
        subject=subject,
        session=session,
        finding=finding,
        outcome=outcome,
        format=form.value,
    )
    path = _file_in(out, form) if out.is_dir() else out
    end, digest = carry_out(config, lambda office: _write(office, asked, path))
    sys.stdout.write(
        f"{neutral(str(path))}: {counted(end.calls, end.refusals)}, {end.size:,} bytes, SHA-256 {digest}\n"
    )
    sys.stdout.flush()
    _say_what_is_missing(end, path)


def _file_in(directory: Path, form: ExportForm) -> Path:
    from datetime import UTC, datetime  # noqa: PLC0415

    return directory / f"trunkline-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{form}"


def _write(office: "Office", asked: "ExportQuestion", path: Path) -> "tuple[ExportEnd, str]":
    """Write the file; return how it ended and the digest of it. Raises Failed: then there is none."""
    from trunkline.cli.failure import Failed  # noqa: PLC0415
    from trunkline.cli.new_file import new_file  # noqa: PLC0415
    from trunkline.cli.progress import ExportProgress  # noqa: PLC0415
    from trunkline.ledger.evidence_answers import ExportData, ExportEnd, ExportStep  # noqa: PLC0415

    with new_file(path) as file:
        words = office.ledger.export(asked)
        first = next(words, None)  # until it comes, the index may have a bar of its own
        with ExportProgress() as progress:
            for word in chain([first], words):
                match word:
                    case ExportData(data):
                        file.write(data)
                    case ExportStep():
                        progress.show(word)
                    case ExportEnd(size) if size == file.size:
                        return word, file.digest
        raise Failed("control ended before it had answered: try again")


def _say_what_is_missing(end: "ExportEnd", path: Path) -> None:
    """Say on standard error what the file does not have. Raises Failed where the log should have had it."""
    from trunkline.cli.failure import Failed  # noqa: PLC0415

    missing = end.missing
    if missing.running:
        sys.stderr.write(f"trunkline: {missing.running:,} calls of that time had not ended and are not in it\n")
    if missing.unreadable:
        sys.stderr.write(f"trunkline: {missing.unreadable:,} records of the logs are none that this version reads\n")
    lost = [f"{end.lost:,} calls in it are not whole: it says of each what the log has lost"] if end.lost else []
    if missing.damaged:
        lost.append(f"{missing.damaged:,} logs are damaged: what stands behind that is not in it")
    if lost:
        raise Failed(f"{path} is there, but {'; and '.join(lost)}")
