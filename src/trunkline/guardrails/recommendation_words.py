"""A sentence as the words that the network of recommendations knows: one form for what is written, spoken or heard.

Marks and fillers are left out, for a recogniser has none of the former and many of the latter; a question mark alone is
kept, as it takes back so much. Numbers are one word, whether of digits or spoken, for what matters is that there is
one. Names of accounts that are spelled out are joined ("four oh one k", "i r a"), contractions are taken apart ("i'd"
is "i", "'d").
"""

import re
from typing import Final, TypeVar

NUMBER: Final = "#"
_SPOKEN_NUMBERS: Final = (
    "zero two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion"
)  # "one" is more often no number
_NUMBERS: Final = frozenset(_SPOKEN_NUMBERS.split())
_SAID_FILLERS: Final = "um uh umm uhh er erm hmm mm mhm"
_FILLERS: Final = frozenset(_SAID_FILLERS.split())
Word = TypeVar("Word")
BEFORE: Final = 2  # sentences that one is read with
CONTEXT: Final = 20  # words of them, at the most
MOST: Final = 48  # words of a sentence that are read at once
_BETWEEN_NUMBERS: Final = frozenset(("point", "and", "oh"))
_SPOKEN: Final = re.compile(
    r"\b(?:four (?:oh|zero|o) (?:one \(?k|three \(?b)\b|four fifty[ -]seven \(?b\b|five twenty[ -]nine\b"
    r"|s ?(?:&|and|n) ?p\b|(?:[a-z]\.? ){2,5}[a-z]\b|[a-z]\.(?:[a-z]\.){1,4})"
)
_TOKEN: Final = re.compile(r"4(?:01|03|57) ?\(?[kb]\b\)?|\d(?:[\d,.]*\d)?|[a-z]+(?:'[a-z]+)*|[%?]")
_MARKS: Final = ".,;:!"  # behind a word, they say nothing
_SPELLING: Final = frozenset(("four", "five", "snp", "sandp"))  # with what, beside letters, a name may be spelled
_SPELLINGS: Final = tuple(_SPELLING)
_ACCOUNTS: Final = frozenset(("401", "403", "457"))
_MARKED: Final = _NUMBERS | _FILLERS | _SPELLING
_CONTRACTED: Final = ("n't", "'s", "'d", "'ll", "'re", "'ve", "'m")
_KEPT_NUMBERS: Final = frozenset(("529", "1031", "1099", "1040"))


def context_of(before: list[list[Word]]) -> list[Word]:
    """Return the words that a sentence is read with: the last ones of the sentences before it."""
    return [word for words in before[-BEFORE:] for word in words][-CONTEXT:]


def words_of(text: str) -> list[str]:
    """Return the words of a folded text (lower case, marks in one form; see `folding`)."""
    words: list[str] = []
    for piece in text.split():
        bare = piece if piece.isalpha() else piece.rstrip(_MARKS)
        if not (bare.isalpha() and bare.isascii()):
            if not _add_pieces(words, piece):
                return spelled_words_of(text)
        elif len(bare) == 1:
            if bare == "s" or (words and len(words[-1]) == 1 and words[-1] != NUMBER):
                return spelled_words_of(text)
            words.append(bare)
        elif bare not in _MARKED:
            words.append(bare)
        elif bare in _SPELLING:
            return spelled_words_of(text)
        elif bare in _NUMBERS:
            _add_number(words, NUMBER)
    return words


def _add_pieces(words: list[str], piece: str) -> bool:
    """Add the words of what stands between two spaces; return False if it may be spelled with what is beside it."""
    if "&" in piece:
        return False
    for token in _TOKEN.findall(piece):
        if (len(token) == 1 and token.isalpha()) or token[:3] in _ACCOUNTS or token.endswith(_SPELLINGS):
            return False
        _add_token(words, token)
    return True


def spelled_words_of(text: str) -> list[str]:
    """Return the same words of any text; `words_of` asks here where something may be spelled out."""
    words: list[str] = []
    for token in _TOKEN.findall(_SPOKEN.sub(_joined, text)):
        _add_token(words, token)
    return words


def _add_token(words: list[str], token: str) -> None:
    """Add what a token stands for."""
    first = token[0]
    if first.isdigit():
        _add_number(words, token)
    elif token in _NUMBERS:
        _add_number(words, NUMBER)
    elif first == "%":
        words.append("percent")
    elif first == "?":
        if words and words[-1] != "?":
            words.append("?")
    elif token not in _FILLERS:
        _add_word(words, token)


def _joined(match: re.Match[str]) -> str:
    """Return in one word what was spelled out."""
    said = match[0]
    if said.startswith("four fifty"):
        return "457b"
    if said.startswith("four"):
        return "401k" if said.endswith("k") else "403b"
    if said.startswith("five"):
        return "529"
    if said.startswith("s") and said.endswith("p") and len(said) <= 7 and ("&" in said or "n" in said):
        return "sp"
    return said.replace(" ", "").replace(".", "")


def _add_number(words: list[str], token: str) -> None:
    if token[-1:] in ("k", "b", ")"):
        words.append(token.replace(" ", "").replace("(", "").replace(")", ""))
        return
    if token in _KEPT_NUMBERS:
        words.append(token)
        return
    if words and words[-1] == NUMBER:
        return
    if len(words) > 1 and words[-1] in _BETWEEN_NUMBERS and words[-2] == NUMBER:
        words.pop()
        return
    words.append(NUMBER)


def _add_word(words: list[str], token: str) -> None:
    if "'" in token:
        for ending in _CONTRACTED:
            if token.endswith(ending) and len(token) > len(ending):
                words.append(token[: -len(ending)])
                words.append(ending)
                return
    words.append(token)
