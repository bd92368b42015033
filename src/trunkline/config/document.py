"""YAML 1.2 text -> nodes that know their line.

Built from ruamel's events rather than its loader: every duplicate key, tag and anchor is reported at once, numbers
keep their text, and nothing is ever constructed from a tag. Bounded in size and depth; anchors and aliases are refused,
so that no small file can grow into a large one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)
from ruamel.yaml.reader import ReaderError

from trunkline.config.problems import Problem

MAX_BYTES = 1_000_000
MAX_DEPTH = 24
# A parser's message may quote the text it stumbled over, which may be a secret; single characters are harmless.
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
MOST_QUOTED = 5
# What ruamel lets out besides its own errors when a document is malformed in unusual ways.
PARSER_ERRORS = (YAMLError, ValueError, LookupError, TypeError, AttributeError, AssertionError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value. `text` is what it says, `written` how the file has it (a reference is not resolved there).

    `plain` means unquoted: only such a value can be a number, a boolean or null. `usable` is false where a problem
    with it has been reported already.
    """

    line: int
    column: int
    text: str
    plain: bool
    written: str
    usable: bool = True


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list of nodes."""

    line: int
    column: int
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order of the file; keys are unique. A key is text, whatever it looks like."""

    line: int
    column: int
    entries: tuple[tuple[Scalar, "Node"], ...]

    def get(self, name: str) -> "Node | None":
        """Return the value of a key, None where it is absent."""
        return next((value for key, value in self.entries if key.text == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        """The keys, in the order of the file."""
        return tuple(key.text for key, _ in self.entries)


Node = Scalar | Sequence | Mapping


def compose(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """Return the root node, None where there is none to work with, and what is wrong with the text."""
    composer = _Composer(file)
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        composer.report(1, 1, "", f"the file is larger than {MAX_BYTES:,} bytes", "split it, or remove what is unused")
        return None, composer.problems
    try:
        return composer.document(YAML(typ="safe", pure=True).parse(text)), composer.problems
    except _TooDeep:
        return None, composer.problems
    except PARSER_ERRORS as error:
        composer.report(*_translated(error, text))
        return None, composer.problems


class _TooDeep(Exception):
    """The document is nested deeper than any configuration."""


class _Composer:
    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def report(self, line: int, column: int, path: str, message: str, fix: str) -> None:
        self.problems.append(Problem(self.file, line, column, path, message, fix))

    def document(self, events: Iterator[Any]) -> Node | None:
        root: Node | None = None
        documents = 0
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents == 2:
                    line, column = _mark(event)
                    self.report(line, column, "", "a second document begins here", "keep one document in the file")
            elif not isinstance(event, StreamStartEvent | StreamEndEvent | DocumentEndEvent):
                node = self.node(event, events, "", 0)
                root = root or node
        return root

    def node(self, event: Any, events: Iterator[Any], path: str, depth: int) -> Node:
        line, column = _mark(event)
        self.refuse_tricks(event, path)
        if isinstance(event, AliasEvent):
            return Scalar(line, column, "", plain=False, written="", usable=False)
        if isinstance(event, ScalarEvent):
            return self.scalar(event, path)
        if depth >= MAX_DEPTH:
            self.report(line, column, path, f"nested deeper than {MAX_DEPTH} levels", "flatten it")
            raise _TooDeep
        if isinstance(event, SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(event := next(events), SequenceEndEvent):
                items.append(self.node(event, events, f"{path}[{len(items)}]", depth + 1))
            return Sequence(line, column, tuple(items))
        return self.mapping(event, events, path, depth)

    def mapping(self, start: MappingStartEvent, events: Iterator[Any], path: str, depth: int) -> Mapping:
        entries: list[tuple[Scalar, Node]] = []
        lines: dict[str, int] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            key = self.node(event, events, path, depth + 1)
            if not isinstance(key, Scalar):
                self.report(key.line, key.column, path, "a key must be a word", "put the list or map after a colon")
                key = Scalar(key.line, key.column, "", plain=False, written="", usable=False)
            below = f"{path}.{key.text}" if path else key.text
            value = self.node(next(events), events, below, depth + 1)
            if key.text in lines:
                first = lines[key.text]
                self.report(key.line, key.column, below, f"the key is on line {first} already", "remove one of the two")
            elif key.usable:
                entries.append((key, value))
                lines[key.text] = key.line
        return Mapping(*_mark(start), tuple(entries))

    def scalar(self, event: ScalarEvent, path: str) -> Scalar:
        line, column = _mark(event)
        text = str(event.value)
        scalar = Scalar(line, column, text, plain=event.style is None, written=text)
        if not is_clean(text):
            self.report(line, column, path, "contains a control character or half of a surrogate pair", "remove it")
            return replace(scalar, usable=False)
        return scalar

    def refuse_tricks(self, event: Any, path: str) -> None:
        line, column = _mark(event)
        if event.anchor is not None:
            self.report(
                line,
                column,
                path,
                "anchors and aliases are not supported",
                "write the value out; quote it if it is text",
            )
        elif getattr(event, "tag", None) not in {None, "!"}:
            self.report(line, column, path, "tags are not supported", "remove the tag; quote the value if it is text")


def is_clean(text: str) -> bool:
    """Whether every character can be written as UTF-8 and none but tab and line feed controls a terminal."""
    return all(
        char in "\t\n" or (char >= " " and not "\x7f" <= char <= "\x9f" and not "\ud800" <= char <= "\udfff")
        for char in text
    )


def _shortened(match: re.Match[str]) -> str:
    return match[0] if len(match[0]) <= MOST_QUOTED else "(...)"


def _mark(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _translated(error: Exception, text: str) -> tuple[int, int, str, str, str]:
    fix = "check indentation, brackets and quotes here; quote values that hold `: `, ` #`, `{`, `*`, `&` or `!`"
    if isinstance(error, ReaderError):
        before = text[: error.position]
        line = before.count("\n") + 1
        return line, len(before) - (before.rfind("\n") + 1) + 1, "", "not YAML: a control character", "remove it"
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return line, column, "", f"not YAML: {QUOTED.sub(_shortened, said)}", fix
    return 1, 1, "", "not YAML", fix
