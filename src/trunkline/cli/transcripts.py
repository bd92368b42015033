"""A session's transcript on standard output."""

import json

import msgspec

from trunkline.cli.lists import written
from trunkline.cli.options import Form
from trunkline.ledger.answers import Line, Transcript
from trunkline.operations import neutral

COLUMNS = ("at", "call", "role", "tool", "text", "heard")


def told(transcript: Transcript, form: Form) -> str:
    """Return the transcript as text: for a person, all of it as JSON, or its lines as CSV."""
    if form is Form.json:
        return json.dumps(msgspec.to_builtins(transcript), indent=2).replace("\x7f", "\\u007f") + "\n"
    if form is Form.csv:
        return written(COLUMNS, [msgspec.structs.asdict(line) for line in transcript.lines], form)
    head = f"session {transcript.session} of {transcript.tenant}: {transcript.calls} calls, {transcript.cost} USD"
    lines = [neutral(head), *([neutral(transcript.note)] if transcript.note else [])]
    call = None
    for line in transcript.lines:
        if line.call != call:
            call = line.call
            lines.append(neutral(f"\n{line.at}  call {call}").replace("\\n", "\n", 1))
        lines.extend(_lines(line))
    return "\n".join(lines) + "\n"


def _lines(line: Line) -> list[str]:
    who = line.role if line.tool is None else f"{line.role} {line.tool}"
    said = [neutral(piece) for piece in line.text.split("\n")]
    lines = [f"  {neutral(who)}: {said[0]}", *(f"    {piece}" for piece in said[1:])]
    if line.heard is not None and line.heard.strip() != line.text.strip():
        lines.append(f"    heard: {neutral(line.heard)}" if line.heard else "    heard: nothing")
    return lines
