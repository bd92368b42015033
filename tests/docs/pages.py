"""The pages as data: their tables, snippets and links."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), ROOT / "deploy" / "README.md"]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_CELL = re.compile(r"(?<!\\)\|")


def text_of(name: str) -> str:
    return (ROOT / name).read_text()


def prose_of(name: str) -> str:
    """A page without its snippets."""
    return _BLOCK.sub("", text_of(name))


def blocks(name: str, language: str) -> list[str]:
    return [body for found, body in _BLOCK.findall(text_of(name)) if found == language]


def rows(name: str, *header: str) -> list[list[str]]:
    """The cells of every table of a page that has these column titles."""
    return [row for title, row in _tables(prose_of(name)) if title == list(header)]


def quoted(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def _tables(text: str) -> Iterator[tuple[list[str], list[str]]]:
    title: list[str] | None = None
    for line in text.splitlines():
        if not line.startswith("|"):
            title = None
            continue
        cells = [cell.strip() for cell in _CELL.split(line)[1:-1]]
        if title is None:
            title = cells
        elif not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            yield title, cells
