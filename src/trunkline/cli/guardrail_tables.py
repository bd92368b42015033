"""What the commands on guardrails print."""

import sys
from collections.abc import Sequence

from trunkline.cli.guardrail_packs import Evaluated
from trunkline.cli.lists import Cell, written
from trunkline.cli.options import Form
from trunkline.guardrails.evaluation import RuleScore
from trunkline.guardrails.watched import Fired

SCORES = ("check", "rule", "cases", "found", "recall", "at_least", "precision", "us_a_case")
FINDINGS = ("policy", "rule", "start", "end", "action", "text")
LONGEST_EXCERPT = 60


def print_scores(scores: Sequence[Evaluated], form: Form) -> None:
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
