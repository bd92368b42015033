"""What the commands on guardrails print."""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from trunkline.cli.lists import Cell, written
from trunkline.cli.options import Form
from trunkline.cli.tables import say_behind
from trunkline.guardrails.evaluation import RuleScore
from trunkline.guardrails.watched import Fired

if TYPE_CHECKING:
    from trunkline.cli.guardrail_packs import Evaluated
    from trunkline.cli.guardrail_past import PastScan
    from trunkline.cli.guardrail_tally import Row

SCORES = ("check", "rule", "cases", "found", "recall", "at_least", "precision", "us_a_case")
FINDINGS = ("policy", "rule", "start", "end", "action", "text")
PAST = ("policy", "rule", "action", "calls", "percent", "findings", "on_input", "on_output", "new", "no_more")
EXAMPLES = ("policy", "rule", "change", "call", "where", "start", "end", "text")
CHANGES = {"new": "new", "no_more": "no more", "as_before": "as before"}
LONGEST_EXCERPT = 60


def print_scores(scores: "Sequence[Evaluated]", form: Form) -> None:
    """Print a row for each rule, and one for the cases in which nothing is to be found."""
    rows: list[dict[str, Cell]] = []
    for name, score, microseconds, _ in scores:
        rows += [_row(name, rule.rule, rule.cases, rule.found, microseconds, rule) for rule in score.rules]
        rows.append(_row(name, "(none)", score.clean, score.clean_found, microseconds, None))
        rows += [_row(name, f"(none: {one.kind})", one.cases, one.found, microseconds, None) for one in score.kinds]
    sys.stdout.write(written(SCORES, rows, form))


def _row(
    check: str, rule: str, cases: int, found: int, microseconds: float, score: RuleScore | None
) -> dict[str, Cell]:
    return {
        "check": check,
        "rule": rule,
        "cases": cases,
        "found": found,
        "recall": round(score.recall, 3) if score is not None else None,
        "at_least": round(score.recall_at_least, 3) if score is not None else None,
        "precision": round(score.precision, 3) if score is not None else None,
        "us_a_case": round(microseconds, 1),
    }


def print_findings(fired: Sequence[Fired], text: str, form: Form) -> None:
    """Print a row for each finding, with the words that were found."""
    rows: list[dict[str, Cell]] = [
        {
            "policy": one.policy.name, "rule": one.found.rule, "start": one.found.start, "end": one.found.end,
            "action": one.action, "text": text[one.found.start : one.found.end][:LONGEST_EXCERPT],
        }
        for one in fired
    ]  # fmt: skip
    if rows or form is not Form.table:
        sys.stdout.write(written(FINDINGS, rows, form))


def print_past(scan: "PastScan", form: Form) -> None:
    """Print what policies would have done to past calls: an object as JSON, else rows, with examples in a table."""
    if form is Form.json:
        # ASCII only: nothing in it can steer a terminal.
        sys.stdout.write(json.dumps(msgspec.to_builtins(scan), indent=2).replace("\x7f", "\\u007f") + "\n")
        sys.stdout.flush()
        return
    rows: list[dict[str, Cell]] = [
        {name: getattr(row, name) for name in PAST if name != "percent"}
        | {"percent": round(100 * row.calls / max(scan.scanned, 1), 2)}
        for row in scan.rows
    ]
    text = written(PAST, rows, form) if rows or form is not Form.table else ""
    total = _total(scan)
    if form is Form.table:
        sys.stdout.write(f"{text}{total}\n{_examples(scan.rows)}")
    else:
        sys.stdout.write(text)
    sys.stdout.flush()
    for line in (*([] if form is Form.table else [total]), *_notes(scan)):
        sys.stderr.write(f"trunkline: {line}\n")
    say_behind(scan.behind)


def _total(scan: "PastScan") -> str:
    if not scan.calls:
        return "there are no such calls in that time"
    looked_at = f"{scan.scanned:,} of {_calls(scan.calls)} looked at"
    if not scan.scanned:
        return looked_at
    effects = ", ".join(f"{count:,} {effect}" for effect, count in scan.effects.items() if count)
    return f"{looked_at}; would have been: {effects}" if effects else f"{looked_at}; none would have been touched"


def _calls(count: int) -> str:
    return f"{count:,} call{'' if count == 1 else 's'}"


def _examples(rows: "Sequence[Row]") -> str:
    shown: list[dict[str, Cell]] = [
        {
            "policy": row.policy, "rule": row.rule, "change": CHANGES[one.change], "call": one.call, "where": one.where,
            "start": one.start, "end": one.end, "text": one.excerpt or None,
        }
        for row in rows for one in row.examples
    ]  # fmt: skip
    return "\n" + written(EXAMPLES, shown, Form.table) if shown else ""


def _notes(scan: "PastScan") -> Iterator[str]:
    """Yield what has to be said of what was not looked at."""
    if not scan.calls:
        return
    for count, which in (
        (scan.not_kept, "whose bodies are not in the logs (any more)"),
        (scan.unreadable, "whose bodies are not understood"),
        (scan.erased, "whose bodies have been erased"),
        (scan.not_in_force, "under no policy of the file that is run; --policy tries one on all calls"),
        (scan.not_let_in, "over a limit or a budget, at which no policy would have looked"),
        (scan.of_judges, "to a judge; what was judged is in the call in which it was said"),
    ):
        if count:
            yield f"not looked at: {_calls(count)} {which}"
    if scan.partly_kept:
        yield f"looked at in part: {_calls(scan.partly_kept)} of which the logs have the request or the answer alone"
    if scan.strangers:
        yield f"of tenants that the configuration does not have: {_calls(scan.strangers)}"
    if scan.not_run:
        yield f"not run, for they would ask a service or a model: {', '.join(scan.not_run)}"
    if scan.idle:
        yield f"in force for none of these calls: {', '.join(scan.idle)}; --policy tries one on all calls"
    if scan.left_out:
        yield f"{scan.left_out:,} findings are of more rules than are counted; --policy chooses"
