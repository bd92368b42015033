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
    effects = ", ".join(f"{count:,} {effect}" for effect, count in scan.effects.items() if count)
    return f"{scan.scanned:,} of {scan.calls:,} calls were looked at; would have been: {effects or 'none touched'}"


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
    if scan.not_kept:
        yield f"{scan.not_kept:,} calls have no bodies in the logs (any more): nobody can say what they would have had"
    if scan.partly_kept:
        yield f"{scan.partly_kept:,} calls have only their request or only their answer in the logs; that was looked at"
    if scan.unreadable:
        yield f"{scan.unreadable:,} calls could not be read: what was kept of them is not understood"
    if scan.not_in_force:
        yield f"{scan.not_in_force:,} calls are of no policy of the file; --policy tries one on all calls"
    if scan.not_let_in:
        yield f"{scan.not_let_in:,} calls were over a limit or a budget: no policy would have looked at them"
    if scan.strangers:
        yield f"{scan.strangers:,} calls are of tenants that the configuration does not have"
    if scan.not_run:
        yield f"not run, for they ask somebody: {', '.join(scan.not_run)}"
    if scan.idle:
        yield f"in force for none of these calls: {', '.join(scan.idle)}; --policy tries one on all calls"
    if scan.left_out:
        yield f"{scan.left_out:,} findings are of more rules than are counted; --policy chooses"
