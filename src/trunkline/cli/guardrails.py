"""`trunkline guardrails`: how good checks are, and what policies find in a text."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.failure import Failed, Misused
from trunkline.cli.options import ConfigFile, Form, ListForm, named, there

commands = typer.Typer(rich_markup_mode=None)

LONGEST_FILE = 64 << 20
SHOWN = 20  # cases that went wrong


@commands.callback()
def about() -> None:
    """Try the checks of guardrails on labelled cases, and the policies of the configuration on a text."""


@commands.command("test")
def evaluate(
    check: Annotated[
        str | None, typer.Argument(metavar="CHECK", help="The check; without it all that have cases.")
    ] = None,
    form: ListForm = Form.table,
    cases: Annotated[
        str | None,
        typer.Option(metavar="FILE", help='Cases of your own, a line each: {"label": "ssn" or "none", "text": "..."}.'),
    ] = None,
    policy: Annotated[str | None, named("A policy of the configuration in place of a check; needs --cases.")] = None,
    config: Annotated[
        str, typer.Option("--config", "-c", metavar="FILE", help="The configuration file with the policy.")
    ] = DEFAULT_CONFIG,
) -> None:
    """Say how much of their labelled cases checks find, and how often they are wrong; fail below the thresholds."""
    from trunkline.cli.guardrail_packs import asked_for, evaluated, evaluated_policy  # noqa: PLC0415
    from trunkline.cli.guardrail_tables import print_scores  # noqa: PLC0415

    if policy is not None and (check is not None or cases is None):
        raise Misused("a policy is tried on --cases of your own, and in place of a check")
    if cases is not None and policy is not None:
        scores = [evaluated_policy(there(config), policy, cases)]
    elif cases is not None and check is None:
        raise Misused("cases of your own are for one check, or one --policy; name it")
    else:
        scores = [evaluated(pack) for pack in asked_for(check, cases)]
    print_scores(scores, form)
    failures = [f"{score.check}: {line}" for score in scores for line in score.failures]
    for score in scores:
        for kind, wrong in (("missed", score.score.misses), ("wrongly found", score.score.mistakes)):
            for case in wrong[:SHOWN]:
                sys.stderr.write(f"{score.check}: {kind} ({case.label}): {case.text!r}\n")
    if failures:
        raise Failed(f"below what is asked: {'; '.join(failures)}")


@commands.command()
def scan(
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="The text; `-` reads standard input.")] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    form: ListForm = Form.table,
    file: Annotated[str | None, typer.Option(metavar="FILE", help="A file with the text, in UTF-8.")] = None,
    policy: Annotated[list[str] | None, named("This policy or preset only; may be there several times.")] = None,
) -> None:
    """Say what the policies of the configuration find in a text, and what would come of it in an answer."""
    from trunkline.cli.guardrail_packs import policies_of, scanned  # noqa: PLC0415
    from trunkline.cli.guardrail_tables import print_findings  # noqa: PLC0415

    if (text is None) == (file is None):
        raise Misused("name a text, or a file with --file, and not both")
    said = _read(file) if file is not None else sys.stdin.read() if text == "-" else str(text)
    fired, released = scanned(policies_of(config, tuple(policy or ())), said)
    print_findings(fired, said, form)
    if form is Form.table:
        sys.stdout.write(f"\nwhat would leave: {released!r}\n" if fired else "nothing was found\n")


def _read(file: str) -> str:
    try:
        data = Path(file).read_bytes()
        if len(data) > LONGEST_FILE:
            raise Failed(f"{file} is larger than {LONGEST_FILE >> 20} MB")
        return data.decode()
    except OSError as error:
        raise Failed(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Failed(f"{file} is no text in UTF-8") from None
