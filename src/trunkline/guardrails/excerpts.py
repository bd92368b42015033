"""A few words around a finding, for a person to judge it by, without what is nobody's to see."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from trunkline.guardrails.check import TextCheck

AROUND: Final = 30  # characters shown on either side
LONGEST: Final = 60  # of the finding itself
MARGIN: Final = 16_384  # characters on either side in which is looked for what is to be hidden
UNKNOWN: Final = "[NOT SHOWN]"  # where a check that would say what is to be hidden throws


class Hiding(NamedTuple):
    """A check whose findings are not to be seen, and what stands in their place; empty: the rule's name."""

    check: TextCheck
    sentence: str = ""


class _Hidden(NamedTuple):
    start: int
    end: int
    marker: str


def marker_of(rule: str) -> str:
    """Return what stands in place of a finding of this rule."""
    return f"[{rule.replace('_', ' ').upper()}]"


def excerpt(text: str, start: int, end: int, hiding: Sequence[Hiding], marker: str = "") -> str:
    """Return the finding from `start` to `end` in guillemets, with what stands around it.

    What the checks in `hiding` find is left out, and with a `marker` the finding itself.
    """
    if not text:
        return ""
    start = min(max(start, 0), len(text))
    end = min(max(end, start), len(text))
    shown = min(end, start + LONGEST)
    first, last = max(0, start - AROUND), min(len(text), shown + AROUND)
    try:
        hidden = _hidden(text, max(0, first - MARGIN), last + MARGIN, hiding)
    except Exception:  # noqa: BLE001 - a plugin's check may throw whatever it likes; then nothing is shown
        return UNKNOWN
    if marker:
        hidden.append(_Hidden(start, end, marker))
    hidden.sort()
    before, found, after = (_shown(text, *piece, hidden) for piece in ((first, start), (start, shown), (shown, last)))
    cut = "…" if shown < end and not marker else ""
    return f"{'…' if first else ''}{before}«{found}{cut}»{after}{'…' if last < len(text) else ''}"


def _hidden(text: str, first: int, last: int, hiding: Sequence[Hiding]) -> list[_Hidden]:
    region = text[first:last]
    return [
        _Hidden(found.start + first, found.end + first, one.sentence or marker_of(found.rule))
        for one in hiding
        for found in one.check.scanner("sentence").feed(region, True)
    ]


def _shown(text: str, start: int, end: int, hidden: Sequence[_Hidden]) -> str:
    """Return a stretch of the text, with a marker wherever something hidden reaches into it."""
    parts: list[str] = []
    at = start
    for span in hidden:
        if span.start >= end or span.end <= at:
            continue
        if span.start > at or not parts:
            parts += (text[at : max(span.start, at)], span.marker)
        at = max(at, span.end)
    parts.append(text[at:end] if at < end else "")
    return "".join(parts)
