"""Which language a sentence is in, as far as its small words say.

A sentence of any language is held together by a few dozen words that every other one has too (articles, pronouns,
prepositions, forms of "be" and "have"), and languages that inflect their words instead show it in endings. What
has a script to itself needs neither. So nothing is learned, and a name, an address or a borrowed noun decides nothing.

Accents are optional in every word of the table, as they are where people type in a hurry.
"""

import unicodedata
from typing import Final, final

from trunkline.guardrails.language_words import ENDINGS, OF_NAMES, WORDS

LEAST_WORDS: Final = 4  # shorter texts say nothing
LONGEST_WORD: Final = 40  # characters of a word that are looked at
# A language is taken for another than those allowed with so many of its words, if they are such a part of all words,
# and if there are twice as many and two more than of any that is allowed, words that both have aside.
LEAST_SIGNS: Final = 3
LEAST_OUTSIDE_NAMES: Final = 2  # of these, different words that do not stand in names
_CLEARLY: Final = 2
_PART: Final = 0.25
_LETTERS_A_WORD: Final = 2  # in scripts that put no space between words

_SHORTEST_INFLECTED: Final = 6  # characters of a word whose ending counts
# The first and last character of a script's letters, the languages here that are written in it, and whether it puts
# spaces between words. Source: Unicode Character Database, Scripts.txt.
_SCRIPTS: Final = (
    ("Ͱ", "Ͽ", ("el",), True),
    ("ἀ", "῿", ("el",), True),
    ("Ѐ", "ӿ", ("ru", "uk", "bg", "sr"), True),
    ("Ա", "֏", ("hy",), True),
    ("֐", "׿", ("he",), True),
    ("؀", "ۿ", ("ar", "fa", "ur"), True),
    ("ऀ", "ॿ", ("hi", "mr"), True),
    ("ঀ", "৿", ("bn",), True),
    ("஀", "௿", ("ta",), True),
    ("ఀ", "౿", ("te",), True),
    ("฀", "๿", ("th",), False),
    ("Ⴀ", "ჿ", ("ka",), True),
    ("ᄀ", "ᇿ", ("ko",), True),
    ("가", "힣", ("ko",), True),
    ("\u3040", "ヿ", ("ja",), False),
    ("\u3400", "\u4dbf", ("zh", "ja"), False),
    ("\u4e00", "\u9fff", ("zh", "ja"), False),
)
_OF_NAMES: Final = frozenset(OF_NAMES.split())
_NONE: Final[frozenset[str]] = frozenset()
_JOINERS: Final = "'’-"  # inside a word they belong to it, as do marks and what is not seen
_INSIDE: Final = frozenset({"Mn", "Mc", "Me", "Cf"})
_NON_JOINER: Final = "\u200c"  # part of Persian words


@final
class Language:
    """What speaks for one language in a text."""

    __slots__ = ("code", "signs")

    def __init__(self, code: str, signs: int) -> None:
        self.code, self.signs = code, signs


def _script_at(character: str) -> int:
    """Return the place of a letter's script in the table, -1 for Latin and all that is not there."""
    if character < "Ͱ":
        return -1
    for place, (first, last, _, _) in enumerate(_SCRIPTS):
        if first <= character <= last:
            return place
    return -1


def _plain(word: str) -> str:
    """Return a word without its accents."""
    return "".join([part for part in unicodedata.normalize("NFKD", word) if not unicodedata.combining(part)])


def _table() -> dict[str, frozenset[str]]:
    """Return the languages that each small word belongs to."""
    table: dict[str, set[str]] = {}
    for code, said in WORDS.items():
        for word in said.split():
            for form in (unicodedata.normalize("NFC", word), _plain(word)):
                table.setdefault(form, set()).add(code)
    return {word: frozenset(codes) for word, codes in table.items()}


def _letters() -> dict[str, frozenset[str]]:
    """Return the languages that write each letter which English does not, by their small words."""
    letters: dict[str, set[str]] = {}
    for code, said in WORDS.items():
        for letter in unicodedata.normalize("NFC", said):
            if letter > "\x7f" and letter.isalpha() and _script_at(letter) < 0:
                letters.setdefault(letter, set()).add(code)
    return {letter: frozenset(codes) for letter, codes in letters.items()}


def _languages_with(word: str) -> frozenset[str]:
    """Return the languages that write all letters of a word, if it has one that English does not."""
    codes: frozenset[str] | None = None
    for letter in word:
        if letter > "\x7f":
            having = _LETTERS.get(letter, _NONE)
            codes = having if codes is None else codes & having
    return codes or _NONE


_LANGUAGES_OF: Final = _table()
_BY_ENDING: Final = tuple([(ending, code) for code, endings in ENDINGS.items() for ending in endings.split()])
_LETTERS: Final = _letters()
KNOWN: Final = tuple(sorted({*WORDS, *[code for _, _, codes, _ in _SCRIPTS for code in codes]}))


@final
class Signs:
    """What speaks for which language in a text that is read to it, piece by piece."""

    __slots__ = ("_each", "_of", "_scripts", "words")

    def __init__(self) -> None:
        self.words = 0
        self._each: list[tuple[str, frozenset[str]]] = []  # each word that some languages have, and these
        self._of: dict[str, int] = {}
        self._scripts: dict[int, int] = {}  # words in each script but Latin, by its place in the table

    def read(self, text: str) -> None:
        """Count the words of a text."""
        for word in _words(text):
            place = _script_at(word[0])
            if place < 0:
                self._count(word)
            else:
                self._count_of_script(word, place)

    def _count(self, word: str) -> None:
        self.words += 1
        plain = word.lower()
        codes = _LANGUAGES_OF.get(plain, _NONE)
        if not codes and len(word) >= _SHORTEST_INFLECTED:
            codes = frozenset([code for ending, code in _BY_ENDING if plain.endswith(ending)])
        if not codes and plain == word:  # one with a capital may be a name, and names are spelt anyhow
            codes = _languages_with(word)
        if codes:
            self._each.append((plain, codes))
        for code in codes:
            self._of[code] = self._of.get(code, 0) + 1

    def _count_of_script(self, word: str, place: int) -> None:
        spaced = _SCRIPTS[place][3]
        words = 1 if spaced else max(len(word) // _LETTERS_A_WORD, 1)
        self._scripts[place] = self._scripts.get(place, 0) + words
        if spaced:
            self._count(word)
        else:
            self.words += words

    def verdict(self, allowed: frozenset[str]) -> str:
        """Return the code of the language that this is clearly in, if it is none of those allowed; else nothing."""
        own, other = self.best(allowed, other=False), self.best(allowed, other=True)
        if self.words < LEAST_WORDS or other.signs < LEAST_SIGNS or other.signs < _PART * self.words:
            return ""
        shared = sum([own.code in codes and other.code in codes for _, codes in self._each])
        own_signs, other_signs = own.signs - shared, other.signs - shared
        if other_signs < _CLEARLY * own_signs + (2 if own_signs else LEAST_SIGNS) or self._may_be_names(own, other):
            return ""
        return other.code

    def _may_be_names(self, own: Language, other: Language) -> bool:
        """Whether nothing that speaks for another language would not do so in a name."""
        if other.signs > self._of.get(other.code, 0):  # a script of its own
            return False
        words = {word for word, codes in self._each if other.code in codes and own.code not in codes}
        return len(words - _OF_NAMES) < LEAST_OUTSIDE_NAMES

    def best(self, codes: frozenset[str], *, other: bool) -> Language:
        """Return the language with the most signs: of these, or of all others. Of equals, the first by its code."""
        found = Language("", 0)
        for code in KNOWN:
            if (code in codes) == other:
                continue
            signs = self._signs(code, codes)
            if signs > found.signs:
                found = Language(code, signs)
        return found

    def _signs(self, code: str, asked_for: frozenset[str]) -> int:
        """Return how much speaks for a language: its words, and what is in a script that none asked for has."""
        signs = self._of.get(code, 0)
        for place, words in self._scripts.items():
            codes = _SCRIPTS[place][2]
            if code in codes and (len(codes) == 1 or asked_for.isdisjoint(codes)):
                signs += words
        return signs


def other_language(text: str, before: str, allowed: frozenset[str]) -> str:
    """Return the code of the language that a text is clearly in, if that is none of those allowed; else nothing.

    `before` is what stood before it, and helps with a text that is too short to tell by itself.
    """
    signs = Signs()
    signs.read(text)
    code = signs.verdict(allowed)
    if code or not before or signs.best(allowed, other=True).signs <= signs.best(allowed, other=False).signs:
        return code
    signs.read(before)
    return signs.verdict(allowed)


def _words(text: str) -> list[str]:
    """Return the words of a text; a digit or a sign ends one, and so does a change of script."""
    words: list[str] = []
    letters, script = "", -1
    for character in unicodedata.normalize("NFKC", text):
        if unicodedata.category(character) in _INSIDE:
            letters += character if character == _NON_JOINER else ""
            continue
        if character in _JOINERS:
            letters += "'" if letters and character != "-" else character
            continue
        now = _script_at(character) if character.isalpha() else -1
        if letters and (not character.isalpha() or now != script):
            words.append(letters)
            letters = ""
        if character.isalpha():
            letters, script = letters + character, now
    words.append(letters)
    trimmed = [word.strip(_JOINERS + _NON_JOINER)[:LONGEST_WORD] for word in words]
    return [word for word in trimmed if word]
