"""The records that the calls left, read from the log's files when the gateway is no more."""

import json
from pathlib import Path
from typing import Any

from trunkline.audit.files.reader import read_records
from trunkline.cli.demo.narration import Narrator
from trunkline.cli.demo.promises import expect

COLUMNS = ("call", "user", "asked", "outcome", "tokens", "USD", "stored as")
FOLDING = ("asked", "stored as")
DIGITS = 6  # enough of a digest to see that a body is stored under it


def show_records(narrator: Narrator, data_dir: Path) -> None:
    """Show the calls of the log, each from its opened and its closed record."""
    narrator.scene(
        "The record", "The gateway has stopped. Its append-only log has each call: who, whom it asked, what came of it."
    )
    records = _call_records(data_dir)
    opened = {record["call"]: record for record in records if record["type"] == "call.opened"}
    closed = [record for record in records if record["type"] == "call.closed"]
    expect(closed, "the calls are in the log")
    expect(sorted(opened) == sorted(record["call"] for record in closed), "each opened record has one closed record")
    narrator.table(COLUMNS, [_cells(opened[record["call"]], record) for record in closed], FOLDING)


def _call_records(data_dir: Path) -> list[dict[str, Any]]:
    """Return what the worker's log has; its directory is the one place of the demo where calls are."""
    return [json.loads(stored.bytes) for stored in read_records(data_dir / "log" / "demo" / "worker-0")]


def _cells(opened: dict[str, Any], closed: dict[str, Any]) -> tuple[str, ...]:
    asked = "\n".join(
        attempt["provider"] + (f": {attempt['reason']}" if "reason" in attempt else "")
        for attempt in closed.get("attempts", ())
    )
    usage, cost = closed.get("usage"), closed.get("cost")
    digests = [reference["digest"] for record in (opened, closed) for reference in record["bodies"]]
    return (
        f"..{closed['call'][-6:]}",
        opened.get("user", ""),
        asked,
        closed["outcome"],
        f"{usage['input']} + {usage['output']}" if usage else "",
        cost["amount"] if cost else "",
        " ".join(digest.removeprefix("sha256:")[:DIGITS] for digest in digests),
    )
