"""What guardrails decided then and now, on standard output."""

from trunkline.cli.lists import written
from trunkline.cli.options import Form
from trunkline.cli.pipeline import Comparison, Decision
from trunkline.operations import neutral

COLUMNS = ("when", "policy", "rule", "stage", "action", "where", "start", "end")


def told(found: Comparison) -> str:
    """Return a comparison as text for a person."""
    head = [f"call {found.call} of {found.at}", f"  then: {found.then}", f"  now: {found.now}"]
    policies = ", ".join(f"{name} ({said})" for name, said in found.policies.items())
    head.append(f"  policies: {policies or 'none'}")
    if found.unasked:
        head.append(f"  not asked, and taken to find nothing: {', '.join(found.unasked)}")
    head += [f"  note: {note}" for note in found.notes]
    same = f"{found.both} finding{'' if found.both == 1 else 's'} as then"
    head.append(f"  findings: {same}, {len(found.only_then)} only then, {len(found.only_now)} only now")
    rows = [*_rows("then", found.only_then), *_rows("now", found.only_now)]
    text = "".join(f"{neutral(line)}\n" for line in head)
    return text + ("\n" + written(COLUMNS, rows, Form.table) if rows else "")


def _rows(when: str, decisions: list[Decision]) -> list[dict[str, str | int]]:
    return [{"when": f"only {when}", **decision._asdict()} for decision in decisions]
