"""The source as data: its strings, and the events that it writes to the operational log."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pages import ROOT

SOURCE = ROOT / "src" / "trunkline"
LEVELS = {"info", "warning", "error"}


class Event(NamedTuple):
    """One place that writes an event; `level` is None where it is decided elsewhere."""

    name: str
    level: str | None
    facts: frozenset[str]


def strings(*paths: str) -> Iterator[str]:
    """Every text in these files and directories, parts of f-strings and bytes too."""
    for path in paths:
        for file in _files(SOURCE / path):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                    yield node.value if isinstance(node.value, str) else node.value.decode("latin-1")


def events() -> Iterator[Event]:
    """Every event that a process of the gateway can write."""
    for package in ("audit", "control", "gateway", "supervisor", "operations.py"):
        for file in _files(SOURCE / package):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call):
                    yield from _event(node)


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def _event(call: ast.Call) -> Iterator[Event]:
    function = call.func
    called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    words = [argument.value if isinstance(argument, ast.Constant) else None for argument in call.args]
    facts = frozenset(keyword.arg for keyword in call.keywords if keyword.arg is not None)
    match called, words:
        case (("event" | "note"), [str(level), str(name)]) if level in LEVELS:
            yield Event(name, level, facts)
        case "event", [None, str(name)]:
            yield Event(name, None, facts)
        case "_end", [int(status), str(name)]:
            yield Event(name, "error" if status else "info", facts)
        case (("on_event" | "_on_event"), [str(name)]):
            yield Event(name, None, facts)
        case "_event_line", [str(level), str(name), *_]:
            (said,) = [argument for argument in call.args if isinstance(argument, ast.Dict)]
            keys = [key.value for key in said.keys if isinstance(key, ast.Constant)]
            yield Event(name, level, frozenset(map(str, keys)))


def attributes(*paths: str) -> Iterator[str]:
    """Every attribute that these files and directories read."""
    for path in paths:
        for file in _files(SOURCE / path):
            yield from (node.attr for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Attribute))
