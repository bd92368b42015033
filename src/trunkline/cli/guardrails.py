"""`trunkline guardrails`: how good checks are, and what policies find in a text, or would have found in past calls."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from trunkline.cli.becoming import DEFAULT_CONFIG
from trunkline.cli.failure import Failed, Misused
from trunkline.cli.options import ConfigFile, Form, ListForm, named, there

commands = typer.Typer(rich_markup_mode=None)

LONGEST_FILE = 64 << 20
SHOWN = 20  # cases that went wrong
DEFAULT_EXAMPLES = 3
MOST_EXAMPLES = 50


@commands.callback()
def about() -> None:
    """Try the checks of guardrails on labelled cases, and the policies of the configuration on texts or past calls."""


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
def scan(  # noqa: PLR0913, PLR0917 - a parameter for each option is what the library takes
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="The text; `-` reads standard input.")] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    form: ListForm = Form.table,
    file: Annotated[str | None, typer.Option(metavar="FILE", help="A file with the text, in UTF-8.")] = None,
    policy: Annotated[list[str] | None, named("This policy or preset only; may be there several times.")] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Past calls from then on, in place of a text: 7d (ago), 2027-06-30, ..."),
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Past calls before then. Without: now.")] = None,
    tenant: Annotated[str | None, named("Past calls of this tenant.")] = None,
    route: Annotated[str | None, named("Past calls for this route.")] = None,
    examples: Annotated[
        int | None,
        typer.Option(
            metavar="COUNT", min=0, max=MOST_EXAMPLES, help=f"Examples of each rule. Without: {DEFAULT_EXAMPLES}."
        ),
    ] = None,
) -> None:
    """Say what the policies of the configuration find in a text, or what they would have done to past calls."""
    if since is not None:
        if text is not None or file is not None:
            raise Misused("name a text, or a file with --file, or past calls with --since, and only one of them")
        _scan_past(config, form, tuple(policy or ()), since, until, tenant, route, examples)
        return
    if any(option is not None for option in (until, tenant, route, examples)):
        raise Misused("--until, --tenant, --route and --examples are for past calls: say from when on with --since")
    _scan_text(text, config, form, file, tuple(policy or ()))


def _scan_text(text: str | None, config: str, form: Form, file: str | None, policy: tuple[str, ...]) -> None:
    from trunkline.cli.guardrail_packs import policies_of, scanned  # noqa: PLC0415
    from trunkline.cli.guardrail_tables import print_findings  # noqa: PLC0415

    if (text is None) == (file is None):
        raise Misused("name a text, or a file with --file, and not both; or past calls with --since")
    said = _read(file) if file is not None else sys.stdin.read() if text == "-" else str(text)
    policies = policies_of(config, policy)
    run = [one for one in policies if one.text is not None]
    left_out = ", ".join(sorted(one.name for one in policies if one.text is None))
    if not run:
        raise Failed(f"no policy looks at a text by itself; these would ask somebody or look at tool calls: {left_out}")
    fired, released = scanned(run, said)
    print_findings(fired, said, form)
    if form is Form.table:
        sys.stdout.write(f"\nwhat would leave: {released!r}\n" if fired else "nothing was found\n")
        sys.stdout.flush()
    if left_out:
        sys.stderr.write(f"trunkline: not run, for they would ask somebody or look at tool calls: {left_out}\n")


def _scan_past(  # noqa: PLR0913, PLR0917 - what the command was told
    config: str,
    form: Form,
    policies: tuple[str, ...],
    since: str,
    until: str | None,
    tenant: str | None,
    route: str | None,
    examples: int | None,
) -> None:
    from trunkline.cli.guardrail_past import scan_past  # noqa: PLC0415
    from trunkline.cli.guardrail_tables import print_past  # noqa: PLC0415
    from trunkline.cli.periods import moment  # noqa: PLC0415
    from trunkline.cli.progress import ScanProgress  # noqa: PLC0415
    from trunkline.ledger.place_answers import PlacesQuestion  # noqa: PLC0415

    first, last = moment(since, "--since") or 0.0, moment(until, "--until") or time.time()
    if first >= last:
        raise typer.BadParameter("the time has to begin before it ends.", param_hint="--since")
    asked = PlacesQuestion(since=first, until=last, tenant=tenant, route=route)
    most = DEFAULT_EXAMPLES if examples is None else examples
    with ScanProgress() as progress:
        found = scan_past(config, policies, asked, most, progress.show)
    print_past(found, form)


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
