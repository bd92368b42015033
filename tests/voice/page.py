"""docs/voice.md: its snippets as code, and what it says of the first sentence."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "voice.md").read_text()


def snippet_with(name: str) -> str:
    """Return the page's only piece of code that has this name."""
    (code,) = [code for code in re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE) if name in code]
    return code


def made_by(name: str) -> object:
    """Return what the page's code makes under this name."""
    made: dict = {}
    exec(snippet_with(name), made)
    return made[name]


def first_sentence_rows() -> list[list[str]]:
    """Return the rows of the table that says how much later the first sentence comes."""
    _, _, after = PAGE.partition("\n| in force |")
    lines = after.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
