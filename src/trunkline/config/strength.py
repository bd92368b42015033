"""Whether a secret is hard enough to guess. An estimate: it catches what people type, not what they generate."""

import hashlib
import math
import re

from trunkline.config.readers import Mistake

BITS = 128
HOW = "make one with `openssl rand -hex 32`"
MAX_LENGTH = 512
VISIBLE = re.compile(r"[\x21-\x7e]+")
# Mixed case counts as letters and digits: one random text of 40 in base64 has no digit by chance.
ALPHABETS = (
    (re.compile(r"[0-9]+"), 10),
    (re.compile(r"[0-9a-f]+|[0-9A-F]+"), 16),
    (re.compile(r"[a-z]+|[A-Z]+"), 26),
    (re.compile(r"[0-9a-z]+|[0-9A-Z]+"), 36),
    (re.compile(r"[0-9A-Za-z]+"), 62),
    (re.compile(r"[0-9A-Za-z_-]+|[0-9A-Za-z+/=]+"), 64),
)
WORDS = re.compile(r"[A-Z]?[a-z]{1,15}([^A-Za-z0-9][A-Z]?[a-z]{1,15})+")
KEYBOARD = "qwertyuiop asdfghjkl zxcvbnm mnbvcxz lkjhgfdsa poiuytrewq"
# A word of a list of 7,776, as dice make passphrases of.
BITS_PER_WORD = math.log2(7776)
# A random text of 16 symbols has about one character in seven that the rules below could have told.
MOST_PREDICTABLE = 0.4
REPEAT = 4


def secret(value: str) -> str:
    """Return a secret of ours (a client's key, the admin token) that is strong enough and fits into a header."""
    if not VISIBLE.fullmatch(value):
        raise Mistake("a secret must be visible ASCII without spaces", HOW)
    if len(value) > MAX_LENGTH:
        raise Mistake(f"a secret must have at most {MAX_LENGTH} characters", HOW)
    if predictable(value) > MOST_PREDICTABLE * len(value):
        raise Mistake("a secret must not repeat itself or count up or down", HOW)
    if bits(value) < BITS:
        raise Mistake(f"a secret must have at least {BITS} bits of entropy, this one has about {bits(value):.0f}", HOW)
    return value


def bits(value: str) -> float:
    """Return the entropy of a text made at random from the alphabet that it uses, or from words where it is words."""
    if WORDS.fullmatch(value):
        return len(re.findall(r"[A-Za-z]+", value)) * BITS_PER_WORD
    size = next((size for alphabet, size in ALPHABETS if alphabet.fullmatch(value)), 94)
    return len(value) * math.log2(size)


def predictable(value: str) -> int:
    """Return how many characters follow from the ones before: the same again, one further, or a repeated piece."""
    found = 0
    for i in range(1, len(value)):
        step = ord(value[i]) - ord(value[i - 1])
        counts = i > 1 and step in {-1, 1} and ord(value[i - 1]) - ord(value[i - 2]) == step
        piece = value[i - REPEAT + 1 : i + 1]
        repeats = i >= REPEAT and value.find(piece, 0, i) != -1
        typed = i > 1 and value[i - 2 : i + 1].lower() in KEYBOARD
        found += step == 0 or counts or typed or repeats
    return found


def digest(value: str) -> str:
    """Return the SHA-256 of a secret, hexadecimal: what is kept of it."""
    return hashlib.sha256(value.encode()).hexdigest()
