"""The arguments of a tool call as checks see them: what a decoder would read, and the way back into the JSON text.

Strings, keys among them, are scanned as they read once decoded, so that an escape hides nothing; what stands between
them (numbers, mostly) as it is. All of it is one text with a line for each, in the order of the JSON. Only what is
redacted changes: a string literal is written anew, a number becomes a string. Broken JSON is read in this way as far as
it can be.
"""

import re
from itertools import islice
from typing import Final, final

import msgspec

# A string literal, or what stands up to the next one; a quote that opens no literal stands for itself.
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[^"]+|"', re.DOTALL)
_WORD: Final = re.compile(r"[^\s{}\[\]:,]+")
_decode: Final = msgspec.json.Decoder(str).decode
_encode: Final = msgspec.json.Encoder().encode


@final
class _Piece:
    """A line of the text that is scanned: where it begins there, and what it is in the JSON."""

    __slots__ = ("end", "literal", "offset", "start", "text")

    def __init__(self, text: str, offset: int, start: int, end: int, *, literal: bool) -> None:
        self.text, self.offset = text, offset
        self.start, self.end, self.literal = start, end, literal


@final
class ArgumentsText:
    """The arguments of one call, as a text to be scanned (`text`), and back."""

    __slots__ = ("_json", "_pieces", "text")

    def __init__(self, arguments: str) -> None:
        self._json = arguments
        self._pieces: list[_Piece] = []
        lines: list[str] = []
        offset = 0
        for start, end, text, literal in _parts(arguments):
            self._pieces.append(_Piece(text, offset, start, end, literal=literal))
            lines.append(text)
            offset += len(text) + 1
        self.text = "\n".join(lines)

    def redacted(self, spans: list[tuple[int, int, str]]) -> str:
        """Return the JSON with these spans of `text` replaced, each by its marker; they are in order, and apart."""
        out: list[str] = []
        at = first = 0
        for piece in self._pieces:
            stop = piece.offset + len(piece.text)
            while first < len(spans) and spans[first][1] <= piece.offset:
                first += 1
            if first == len(spans):
                break
            text: list[str] = []
            done = 0
            for start, end, marker in islice(spans, first, None):
                if start >= stop:
                    break
                text += (piece.text[done : max(start - piece.offset, 0)], marker)
                done = end - piece.offset
            if text:
                text.append(piece.text[done:])
                out += (self._json[at : piece.start], _encode("".join(text)).decode())
                at = piece.end
        out.append(self._json[at:])
        return "".join(out)


def _parts(arguments: str) -> list[tuple[int, int, str, bool]]:
    parts: list[tuple[int, int, str, bool]] = []
    for token in _TOKEN.finditer(arguments):
        literal = token.group()
        if len(literal) > 1 and literal[0] == '"':
            parts.append((token.start(), token.end(), _decoded(literal), True))
            continue
        words = _WORD.finditer(arguments, token.start(), token.end())
        parts += [(word.start(), word.end(), word.group(), False) for word in words]
    return parts


def _decoded(literal: str) -> str:
    try:
        return _decode(literal)
    except (msgspec.MsgspecError, ValueError):
        return literal[1:-1]  # broken JSON: as it is written
