"""HTML out of what somebody else has said: nothing of it can be more than text. Pure."""

import html
import re
from collections.abc import Iterable, Mapping, Sequence

from trunkline.model.names import CONTROL

Span = tuple[int, int]

# A line break and a tab are text; all else that steers is written as an escape, so that it is seen and does nothing.
_PLAIN = "\n\t"
_SURROGATE = re.compile("[\ud800-\udfff]")


def text(said: object) -> str:
    """Return what was said as HTML text, safe in an element and in a quoted attribute."""
    shown = CONTROL.sub(lambda found: found[0] if found[0] in _PLAIN else _escape(found), str(said))
    return html.escape(_SURROGATE.sub(_escape, shown), quote=True)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "surrogatepass").decode("ascii")


def marked(said: str, spans: Iterable[Span]) -> str:
    """Return what was said with these spans of characters marked; spans may overlap, or be none of the text's."""
    pieces, at = [], 0
    for first, last in sorted(spans):
        start, end = max(at, first), min(last, len(said))
        if start < end:
            pieces += [text(said[at:start]), f"<mark>{text(said[start:end])}</mark>"]
            at = end
    return "".join([*pieces, text(said[at:])])


def facts(rows: Mapping[str, object]) -> str:
    """Return a list of names with what is known of each; what is not known is left out."""
    known = {name: value for name, value in rows.items() if value not in (None, "", (), [])}
    return "<dl>" + "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in known.items()) + "</dl>\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; a cell without a value is empty."""
    head = "".join(f"<th>{text(column)}</th>" for column in columns)
    lines = [
        "<tr>" + "".join(f"<td>{'' if cell is None else text(cell)}</td>" for cell in row) + "</tr>\n" for row in rows
    ]
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{''.join(lines)}</tbody></table>\n"
