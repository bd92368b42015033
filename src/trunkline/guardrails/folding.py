"""Text as patterns see it: one form for what looks or reads alike, with the way back to the characters it came from.

Case, width (full-width letters), compatibility forms (ligatures, mathematical letters), accents, letters of other
scripts that look like Latin ones, digits of other scripts, typographic dashes, quotes and spaces are folded; what is
not seen (zero-width and directional characters, soft hyphens, variation selectors) is left out. Each character is
folded by itself, so any cut of a text gives the same.

Sources: Unicode Standard Annex 15 (NFKD), Unicode Technical Standard 39 (confusables; those of Latin letters).
"""

import unicodedata
from functools import lru_cache
from typing import Final, final

_CONFUSABLE: Final = str.maketrans(
    # Cyrillic, then Greek and others, that look like the Latin letter below them (after casefolding)
    "асеіјорѕхуԁԛԝһӏвкмнтгпияӕ" + "αορνυικτχβεηγ" + "ıɑɡ" + "օսց",
    "aceijopsxydqwhlbkmhtrnura" + "aopvuiktxbeny" + "iag" + "oug",
)  # fmt: skip
_MARKS: Final = str.maketrans(
    {
        **dict.fromkeys("‐‑‒–—―−﹘﹣－", "-"),
        **dict.fromkeys("‘’‚‛′´ʼ＇", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys([chr(code) for code in range(0x2000, 0x200B)], " "),
        **dict.fromkeys("\u00a0\u1680\u202f\u205f\u3000\t\x0b\x0c\x85", " "),
        **dict.fromkeys("\u2028\u2029\r", "\n"),
        "…": "...",
        "⁄": "/",
        "∕": "/",
        "․": ".",
        "·": ".",
        "＠": "@",
    }
)  # fmt: skip
_LINES: Final = str.maketrans("\n\t", "  ")  # what plain text has beside printable characters
_UNSEEN: Final = frozenset({"Mn", "Me", "Cf", "Cc", "Cs"})
_DISTINCT: Final = 8192  # characters whose folding is remembered; a text has few different ones


@lru_cache(_DISTINCT)
def folded_character(character: str) -> str:
    """Return what one character is folded to: most often one character, sometimes none or a few."""
    marked = character.translate(_MARKS)
    if marked != character or marked == "\n":
        return marked
    parts = unicodedata.normalize("NFKD", character).casefold().translate(_MARKS).translate(_CONFUSABLE)
    if parts.isascii() and parts.isprintable():
        return parts
    return "".join([_digit(part) for part in parts if unicodedata.category(part) not in _UNSEEN])


def _digit(character: str) -> str:
    """Return a digit of any script as one of ours."""
    value = unicodedata.decimal(character, None)
    return character if value is None else str(value)


@final
class Folding:
    """A text that grows, folded; what lies behind can be forgotten. Offsets are of all of it, folded or as it came.

    `text` is the folded text from `begin` on.
    """

    __slots__ = ("_origin", "_origins", "_raw_end", "begin", "text")

    def __init__(self) -> None:
        self.text = ""
        self.begin = 0
        self._origin = 0  # of the first folded character that is kept, in the text as it came
        self._origins: list[int] | None = None  # of each kept one; None while they follow each other one by one
        self._raw_end = 0

    @property
    def end(self) -> int:
        """The length of the folded text so far, what was forgotten included."""
        return self.begin + len(self.text)

    def add(self, piece: str) -> None:
        """Fold a piece behind what there is."""
        if piece.isascii() and (piece.isprintable() or piece.translate(_LINES).isprintable()):
            if self._origins is not None:
                self._origins.extend(range(self._raw_end, self._raw_end + len(piece)))
            elif not self.text:
                self._origin = self._raw_end
            self.text += piece.lower().replace("\t", " ")
            self._raw_end += len(piece)
            return
        if self._origins is None:
            self._origins = list(range(self._origin, self._origin + len(self.text)))
        folded: list[str] = []
        for character in piece:
            parts = folded_character(character)
            if len(parts) == 1:
                self._origins.append(self._raw_end)
            else:
                self._origins.extend([self._raw_end] * len(parts))
            folded.append(parts)
            self._raw_end += 1
        self.text += "".join(folded)

    def origin(self, offset: int) -> int:
        """Return where the character at a folded offset stands in the text as it came; its length for the end."""
        place = offset - self.begin
        if place >= len(self.text):
            return self._raw_end
        return self._origin + place if self._origins is None else self._origins[place]

    def origin_end(self, offset: int) -> int:
        """Return the offset behind the character before a folded offset: where a span that ends there ends."""
        place = offset - self.begin
        if place <= 0:
            return self.origin(self.begin)
        return self.origin(offset - 1) + 1

    def forget(self, offset: int) -> None:
        """Forget what lies before a folded offset."""
        place = min(offset - self.begin, len(self.text))
        if place <= 0:
            return
        if self._origins is not None:
            self._origins = self._origins[place:] or None
            self._origin = self._raw_end if self._origins is None else self._origins[0]
        else:
            self._origin += place
        self.text = self.text[place:]
        self.begin += place


def fold(text: str) -> Folding:
    """Return a whole text, folded."""
    folding = Folding()
    folding.add(text)
    return folding
