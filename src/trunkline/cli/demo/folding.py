"""Text for a page of a certain width: lines go on under their beginning, tables too wide for it in bands. Pure."""

import re
import textwrap
from itertools import pairwise

CELL = re.compile(r"\S+(?: \S+)*")
GAP = "  "
FURTHER = 4  # how far a line's rest stands in from its beginning
LEAST = 30  # below this nothing is readable; rather too wide than so narrow


def folded(text: str, width: int) -> str:
    """Return what a command printed so that it fits: each line hung under its beginning, each table as `_fitting`."""
    paragraphs = text.rstrip("\n").split("\n\n")
    return "\n\n".join("\n".join(_fitting(part.split("\n"), width)) for part in paragraphs) + "\n"


def hanging(beginning: str, text: str, width: int) -> list[str]:
    """Return the text behind its beginning, and beneath it what does not fit."""
    room = max(width - len(beginning), LEAST)
    first, *others = textwrap.wrap(text, room, break_on_hyphens=False) or [""]
    return [beginning + first, *(" " * len(beginning) + line for line in others)]


def _fitting(lines: list[str], width: int) -> list[str]:
    """Return lines that fit; a table with one long last column keeps its columns, another one comes in bands."""
    if max(map(len, lines)) <= width:
        return lines
    starts = _columns(lines)
    if not starts:
        return [piece for line in lines for piece in _hung(line, width)]
    if starts[-1] + LEAST <= width:
        return [piece for line in lines for piece in hanging(line[: starts[-1]], line[starts[-1] :], width)]
    return _banded(lines, starts, width)


def _hung(line: str, width: int) -> list[str]:
    further = " " * (len(line) - len(line.lstrip()) + FURTHER)
    return textwrap.wrap(line, max(width, LEAST), subsequent_indent=further, break_on_hyphens=False) or [""]


def _columns(lines: list[str]) -> list[int]:
    """Return where the columns begin that the heading names; none if a line crosses them: this is no table."""
    starts = [found.start() for found in CELL.finditer(lines[0])]
    crossed = any(line[start - len(GAP) : start].strip() for start in starts[1:] for line in lines)
    ragged = any(line.startswith(" ") for line in lines)
    return [] if crossed or ragged or len(starts) < 2 else starts


def _banded(lines: list[str], starts: list[int], width: int) -> list[str]:
    """Return the table in as many bands as it needs; each begins with the columns that tell its rows apart."""
    columns = [[line[start:end].rstrip() for line in lines] for start, end in pairwise([*starts, None])]
    widths = [max(map(len, column)) for column in columns]
    telling = next((n for n in range(1, len(columns)) if _apart(columns[:n])), 1)
    bands = [list(range(telling))]
    for n in range(telling, len(columns)):
        if len(bands[-1]) > telling and sum(widths[m] + len(GAP) for m in bands[-1]) + widths[n] > width:
            bands.append(list(range(telling)))
        bands[-1].append(n)
    rows = range(len(lines))
    return [line for band in bands for line in ("", *(_row(columns, widths, band, row) for row in rows))][1:]


def _apart(columns: list[list[str]]) -> bool:
    rows = list(zip(*columns, strict=True))
    return len(set(rows)) == len(rows)


def _row(columns: list[list[str]], widths: list[int], band: list[int], row: int) -> str:
    return GAP.join(columns[n][row].ljust(widths[n]) for n in band).rstrip()
