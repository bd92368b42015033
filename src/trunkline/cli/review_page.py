"""A call for its reviewer, and what was decided of it, on standard output. All of it came from outside."""

import json
from collections.abc import Iterator

import msgspec

from trunkline.ledger.review_answers import Found, History, Passage, ReviewItem
from trunkline.operations import neutral

# What the head says of a call, where it is known.
HEAD = (
    "at",
    "tenant",
    "team",
    "user_id",
    "subject",
    "session",
    "route",
    "provider",
    "model",
    "prompt_name",
    "prompt_version",
    "prompt_fingerprint",
    "outcome",
    "finish_reason",
)
TITLES = {
    "before": "Said before",
    "asked": "Asked",
    "answered": "Answered",
    "withheld": "Withheld: what the provider had answered",
}
# Around what was found. In what was said itself they would stand as they are: the list of findings has the places.
OPENING, CLOSING = ">>>", "<<<"
EXCERPT = 80


def told(item: ReviewItem) -> str:
    """Return a call as text for a person."""
    lines = [f"call {item.call}, {item.why} at {item.sampled_at}; yours until {item.held_until}; {item.left:,} open"]
    lines += [
        f"  {name.removesuffix('_id').replace('_', ' ')}: {item.facts[name]}" for name in HEAD if item.facts.get(name)
    ]
    lines += [item.note] if item.note else []
    return "".join(f"{neutral(line)}\n" for line in [*lines, *_said(item), *_found(item)])


def history_told(history: History) -> str:
    """Return what was decided of a call as text for a person."""
    lines = [
        f"call {history.call}",
        *(f"  {at}  chosen: {why}, by the sample {sample}" for at, sample, why in history.chosen),
    ]
    for one in history.decisions:
        instead = f", in place of {one.supersedes}" if one.supersedes else ""
        lines.append(f"  {one.at}  {one.verdict} by {one.who}, decision {one.decision}{instead}")
        lines += [f"    {line}" for line in (one.note or "").split("\n") if line]
    return "".join(f"{neutral(line)}\n" for line in lines)


def json_of(answer: msgspec.Struct) -> str:
    """Return an answer as JSON, in ASCII only: nothing in it can steer a terminal."""
    return json.dumps(msgspec.to_builtins(answer), indent=2).replace("\x7f", "\\u007f") + "\n"


def _said(item: ReviewItem) -> Iterator[str]:
    section = None
    for passage in item.passages:
        if passage.section != section:
            section = passage.section
            yield ""
            yield f"{TITLES[section]}{_why_withheld(item) if section == 'withheld' else ''}"
        yield from _passage(passage)


def _why_withheld(item: ReviewItem) -> str:
    policy = f"; {item.guardrail}" if item.guardrail else ""
    return f" ({item.received_chars:,} characters came, {item.released_chars:,} were released{policy})"


def _passage(passage: Passage) -> Iterator[str]:
    if passage.text:
        first, *rest = _marked(passage).split("\n")
        yield f"  {passage.role}: {first}"
        yield from (f"    {line}" for line in rest)
    for name, arguments in passage.tools:
        yield f"  {passage.role} calls {name}: {arguments}"


def _marked(passage: Passage) -> str:
    """Return a text with marks around what was found in it; marks may overlap, or be none of the text's."""
    pieces, at = [], 0
    for first, last in sorted(passage.marks):
        start, end = max(at, first), min(last, len(passage.text))
        if start < end:
            pieces += [passage.text[at:start], OPENING, passage.text[start:end], CLOSING]
            at = end
    return "".join([*pieces, passage.text[at:]])


def _found(item: ReviewItem) -> Iterator[str]:
    yield ""
    yield "Findings" if item.findings else "No findings"
    for found in item.findings:
        yield f"  {found.policy} found {found.rule}{_why(found)}: {found.action}, {_place(found)}"


def _why(found: Found) -> str:
    return f" ({found.why[:EXCERPT]})" if found.why else ""


def _place(found: Found) -> str:
    return f"in {found.where}, characters {found.start} to {found.end}"
