"""The story of a call on standard output."""

import json

import msgspec

from trunkline.cli.lists import written
from trunkline.cli.options import Form
from trunkline.ledger.answers import Story
from trunkline.operations import neutral

COLUMNS = ("ms", "event", "detail")
# What the head of a story says of a call, where it is known.
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
    "outcome",
    "rule",
    "owner",
    "cost",
)


def told(story: Story, form: Form) -> str:
    """Return the story as text: for a person, all of it as JSON, or its timeline as CSV."""
    if form is Form.json:
        return json.dumps(msgspec.to_builtins(story), indent=2).replace("\x7f", "\\u007f") + "\n"
    rows = [{"ms": moment.ms, "event": moment.event, "detail": moment.detail} for moment in story.timeline]
    if form is Form.csv:
        return written(COLUMNS, rows, form)
    head = [f"call {story.call}"]
    head += [f"  {name.removesuffix('_id')}: {story.facts[name]}" for name in HEAD if story.facts.get(name) is not None]
    head += [story.note] if story.note else []
    text = "".join(f"{neutral(line)}\n" for line in head)
    text += "\n" + written(COLUMNS, rows, form) if rows else ""
    return text + "".join(_body(name, body) for name, body in story.bodies.items())


def _body(name: str, body: str) -> str:
    """Return a part with its name above; each line of it is neutral on its own, so that it stays readable."""
    lines = "".join(f"  {neutral(line)}\n" for line in body.split("\n"))
    return f"\n{neutral(name)}:\n{lines}"
