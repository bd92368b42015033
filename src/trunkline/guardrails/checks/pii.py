"""The check `pii`: what identifies a person or their accounts, written or spoken.

Numbers with a checksum count only if it is right; what is a mere number (an account, a date of birth) only where words
say what it is. Sources: ISO/IEC 7812-1 (Luhn), ISO 13616 (IBAN, mod 97), ABA routing numbers (weights 3, 7, 1),
SSA's rules for numbers that are never given.
"""

from collections.abc import Callable
from typing import Annotated, Final, Literal, get_args

import msgspec

from trunkline.guardrails.check import CheckKind
from trunkline.guardrails.expressions import expression
from trunkline.guardrails.patterns import PatternCheck, Rule

Entity = Literal[
    "ssn", "credit_card", "iban", "aba_routing", "account_number", "email", "phone", "date_of_birth", "address"
]
ENTITIES: Final[tuple[str, ...]] = get_args(Entity)

_WORDS: Final = {
    "zero": "0", "oh": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7",
    "eight": "8", "nine": "9",
}  # fmt: skip
_digit_of: Final = _WORDS.__getitem__
_APART: Final = str.maketrans("", "", " ,.-")
_TO_SPACES: Final = str.maketrans(",.-", "   ")
_DOUBLED: Final = bytes.maketrans(b"0123456789", b"0246813579")  # twice a digit, the two digits of that added up
_ZERO: Final = ord("0")
_LETTERS: Final = {ord("a") + place: str(10 + place) for place in range(26)}
_SPOKEN: Final = f"(?:{'|'.join(_WORDS)})"
_GAP: Final = "[ ,-]{1,2}"
_MONTH: Final = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_STREET: Final = (
    "(?:street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|way|place|pl|terrace|parkway|pkwy)"
)
# How long the IBAN of a country is (ISO 13616, the registry of 2024; those of less than a million people left out).
_IBAN_LENGTHS: Final = {
    "al": 28, "at": 20, "az": 28, "ba": 20, "be": 16, "bg": 22, "bh": 22, "br": 29, "by": 28, "ch": 21, "cr": 22,
    "cy": 28, "cz": 24, "de": 22, "dk": 18, "do": 28, "ee": 20, "eg": 29, "es": 24, "fi": 18, "fr": 27, "gb": 22,
    "ge": 22, "gr": 27, "gt": 28, "hr": 21, "hu": 28, "ie": 22, "il": 23, "iq": 23, "it": 27, "jo": 30, "kw": 30,
    "kz": 20, "lb": 28, "lt": 20, "lu": 20, "lv": 21, "ly": 25, "md": 24, "me": 22, "mk": 19, "mr": 27, "mt": 31,
    "mu": 30, "nl": 18, "no": 15, "om": 23, "pk": 24, "pl": 28, "ps": 29, "pt": 25, "qa": 29, "ro": 24, "rs": 22,
    "ru": 33, "sa": 24, "se": 24, "si": 19, "sk": 24, "tl": 23, "tn": 24, "tr": 26, "ua": 29, "xk": 20,
}  # fmt: skip


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which kinds are looked for; all of them unless some are named."""

    entities: Annotated[tuple[Entity, ...], msgspec.Meta(min_length=1)] = get_args(Entity)


def digits_of(text: str) -> str:
    """Return the digits of a number that was written, or spoken digit by digit."""
    written = text.translate(_APART)
    if written.isdigit():
        return written
    return "".join(map(_digit_of, text.translate(_TO_SPACES).split()))


def luhn(digits: str) -> bool:
    """Whether a number's last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    plain = digits.encode()
    return (sum(plain[-1::-2]) + sum(plain[-2::-2].translate(_DOUBLED)) - _ZERO * len(plain)) % 10 == 0


def mod_97(iban: str) -> bool:
    """Whether an IBAN without spaces has the right check digits (ISO 13616)."""
    return int((iban[4:] + iban[:4]).translate(_LETTERS)) % 97 == 1


def routing(digits: str) -> bool:
    """Whether nine digits are an ABA routing number: its weights, and a first part that the Fed uses."""
    weighted = sum(int(digit) * weight for digit, weight in zip(digits, (3, 7, 1) * 3, strict=True))
    return weighted % 10 == 0 and (int(digits[:2]) <= 12 or 21 <= int(digits[:2]) <= 32 or 61 <= int(digits[:2]) <= 72)


def _whole(right: Callable[[str], bool]) -> Callable[[str], int]:
    return lambda text: len(text) if right(digits_of(text)) else 0


def _card(digits: str) -> bool:
    return 13 <= len(digits) <= 19 and digits[0] in "23456" and len(set(digits)) > 1 and luhn(digits)


def _ssn(digits: str) -> bool:
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in {"000", "666"} and area[0] != "9" and group != "00" and serial != "0000"


def _iban(text: str) -> int:
    """Return how much of a text is an IBAN: what follows one may look like more of it."""
    length = _IBAN_LENGTHS.get(text[:2], 0)
    iban = text.replace(" ", "")[:length]
    if not length or len(iban) < length or not mod_97(iban):
        return 0
    places = [place for place, character in enumerate(text) if character != " "]
    return places[length - 1] + 1


def _rules() -> dict[str, list[Rule]]:
    ssn, card = _whole(_ssn), _whole(_card)
    spoken = f"(?:{_SPOKEN}{_GAP})"
    return {
        "ssn": [
            Rule("ssn", expression(r"\b\d{3}[ .-]\d{2}[ .-]\d{4}\b"), "a social security number", ssn),
            Rule(
                "ssn",
                expression(r"\b(?:ssn|social(?: security)?)(?: number| no\.?)?(?: is|:| was|,)? {0,2}(\d{9})\b"),
                "a social security number",
                ssn,
            ),
            Rule(
                "ssn",
                expression(rf"\b(?:ssn|social)\b[a-z' ,:]{{0,24}}?\b({spoken}{{8}}{_SPOKEN})\b"),
                "a spoken social security number",
                ssn,
            ),
        ],
        "credit_card": [
            Rule("credit_card", expression(r"\b[2-6]\d{3}(?:[ -]?\d){9,15}\b"), "a payment card", card),
            Rule("credit_card", expression(rf"\b{spoken}{{12,18}}{_SPOKEN}\b"), "a spoken payment card", card),
        ],
        "iban": [
            Rule("iban", expression(r"\b[a-z]{2}\d{2}(?: ?[a-z0-9]){11,30}\b"), "an IBAN, by its check digits", _iban)
        ],
        "aba_routing": [
            Rule(
                "aba_routing",
                expression(r"\b(?:routing|aba|rtn)(?: (?:transit )?(?:number|no\.?|#))?(?: is|:)? {0,2}(\d{9})\b"),
                "a bank's routing number, by its checksum",
                _whole(routing),
            )
        ],
        "account_number": [
            Rule(
                "account_number",
                expression(
                    r"\b(?:account|acct|a/c)\.?(?: (?:number|num|no\.?|#))?(?: is|:)? {0,2}#?"
                    r"(\d{6,17}|ending in \d{4})\b"
                ),
                "an account number",
            )
        ],
        "email": [
            Rule(
                "email",
                expression(r"\b[a-z0-9][a-z0-9._%+-]{0,63}@(?:[a-z0-9-]{1,63}\.){1,4}[a-z]{2,24}\b"),
                "an e-mail address",
            ),
            Rule(
                "email",
                expression(
                    r"\b[a-z0-9]{1,32}(?: (?:dot|underscore|dash) [a-z0-9]{1,32}){0,3} at [a-z0-9-]{1,32}"
                    r" dot (?:com|org|net|edu|gov|io|co|us|uk|de)\b"
                ),
                "a spoken e-mail address",
            ),
        ],
        "phone": [
            Rule("phone", expression(r"\b(?:1[ .-])?[2-9]\d{2}[ .-][2-9]\d{2}[ .-]\d{4}\b"), "a telephone number"),
            Rule("phone", expression(r"\([2-9]\d{2}\) ?[2-9]\d{2}[ .-]\d{4}\b"), "a telephone number"),
            Rule("phone", expression(r"\+\d{1,3}(?:[ .-]?\d{2,4}){2,4}\b"), "a telephone number"),
        ],
        "date_of_birth": [
            Rule(
                "date_of_birth",
                expression(
                    r"\b(?:date of birth|birth ?date|birthday|dob|born)(?: is| was| on|:|,){0,2} {0,2}"
                    rf"(\d{{1,4}}[/.-]\d{{1,2}}[/.-]\d{{1,4}}|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}"
                    rf"|\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH},? \d{{4}})\b"
                ),
                "a date of birth",
            )
        ],
        "address": [
            Rule(
                "address",
                expression(
                    rf"\b\d{{1,6}} (?:[nsew]\.? )?(?:[a-z]{{2,20}} ){{1,3}}{_STREET}\b"
                    r"(?:,? (?:apt|unit|suite) \w{1,6}\b)?"
                ),
                "a street address",
            )
        ],
    }  # fmt: skip


def make(settings: Settings) -> PatternCheck:
    """Return the check for these kinds."""
    rules = _rules()
    return PatternCheck([rule for entity in ENTITIES if entity in settings.entities for rule in rules[entity]])


KIND: Final = CheckKind(Settings, make)
