# ruff: noqa: E501, SIM905 - expressions are read best whole
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
    "(?:street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|way|place|pl|terrace|parkway|pkwy"
    "|highway|hwy|circle|cir|square|sq|trail|loop|crescent)"
)
# Words that stand in no name of a street, but between a number and a word that could end one ("2 blocks down the road").
_NO_STREET: Final = frozenset(
    "a an and at by day days down down for from hour hours if in is it lane long mile miles minute minutes month months"
    " more most new no of on one or other out over per percent point step steps than that the their this to up was way"
    " ways week weeks when with year years your".split()
)
_TEENS: Final = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
_TENS: Final = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_UNITS: Final = "one|two|three|four|five|six|seven|eight|nine"
_NUMBER: Final = f"(?:{_UNITS}|{_TEENS}|{_TENS}|hundred|thousand|oh|zero)"
_NUMBER_WORDS: Final = frozenset(_NUMBER[3:-1].split("|"))
_ORDINAL: Final = (
    "(?:(?:twenty |thirty )?(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|tenth|eleventh|twelfth"
    "|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|nineteenth|twentieth|thirtieth)"
)
_BIRTH: Final = r"(?:(?:date|day)[ _]of[ _]birth|birth[ _]?date|birthday|dob|d\.o\.b\.?|born)"
_DATE: Final = (
    rf"(?:\d{{1,4}}[/.-]\d{{1,2}}[/.-]\d{{1,4}}|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH},? \d{{4}})"
)
# What stands between the words that say what a number is and the number: signs of fields, and a few words.
_SIGNS: Final = "[^a-z0-9\\n]{0,4}"
_LINKED: Final = (
    r"(?:[^a-z0-9\n]{1,3}(?:security|phone|cell|numbers?|no|tin|area|code|is|was|be|would|at|on|for|it|s|best|file|the|my"
    r"|your|his|her|wife|husband|i|have|um|uh|to|me|please|now)){0,7}[^a-z0-9\n]{1,3}"
)
_SAYS: Final = r"[a-z_'\"/ ,:;?=#().-]{0,40}?"
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
    places = [place for place, character in enumerate(text) if character not in " -"]
    iban = "".join([text[place] for place in places[:length]])
    if not length or len(iban) < length or not mod_97(iban):
        return 0
    return places[length - 1] + 1


def _spoken_iban(text: str) -> int:
    """Return how much of a text of single letters and words for digits is an IBAN."""
    iban, end, length = "", 0, 0
    for word in text.split(" "):
        iban += _WORDS.get(word, word)
        end += len(word) + 1
        if len(iban) == 2:
            length = _IBAN_LENGTHS.get(iban, 0)
        if len(iban) == length:
            return min(end - 1, len(text)) if mod_97(iban) else 0
    return 0


def _street(text: str) -> int:
    """Return how much of a text is a house number and a street: all, or nothing."""
    return 0 if _NO_STREET.intersection(text.translate(_TO_SPACES).split()[1:-1]) else len(text)


def _spoken_street(text: str) -> int:
    """Return the same of a spoken one: two words at least are its number, since "one easy way" is none."""
    words = text.split()
    said = [word in _NUMBER_WORDS for word in words]
    number = said.index(False)
    return 0 if number < 2 or _NO_STREET.intersection(words[number:-1]) else len(text)


def _rules() -> dict[str, list[Rule]]:
    return {
        "ssn": _ssn_rules(),
        "credit_card": [
            Rule("credit_card", expression(r"\b[2-6]\d{3}(?:[ -]?\d){9,15}\b"), "a payment card", _whole(_card)),
            Rule("credit_card", expression(rf"\b{_spoken(13, 19)}\b"), "a spoken payment card", _whole(_card)),
        ],
        "iban": [
            Rule(
                "iban",
                expression(r"\b[a-z]{2}\d{2}(?:[ -]?[a-z0-9]){11,30}\b"),
                "an IBAN, by its check digits",
                _iban,
            ),
            Rule(
                "iban",
                expression(rf"\b[a-z] [a-z] {_SPOKEN} {_SPOKEN}(?: (?:{_SPOKEN}|[a-z])){{11,30}}\b"),
                "a spoken IBAN, by its check digits",
                _spoken_iban,
            ),
        ],
        "aba_routing": _routing_rules(),
        "account_number": _account_rules(),
        "email": [
            Rule(
                "email",
                expression(r"\b[a-z0-9][a-z0-9._%+-]{0,63}@(?:[a-z0-9-]{1,63}\.){1,4}[a-z]{2,24}\b"),
                "an e-mail address",
            ),
            Rule(
                "email",
                expression(
                    r"\b[a-z0-9]{1,32}(?: (?:dot|underscore|dash|hyphen|plus) [a-z0-9]{1,32}){0,3} at"
                    r" (?:[a-z0-9-]{1,32} dot ){1,3}(?:com|org|net|edu|gov|io|co|us|uk|de|ai|app|biz|ca|info|me)\b"
                ),
                "a spoken e-mail address",
            ),
        ],
        "phone": _phone_rules(),
        "date_of_birth": _birth_rules(),
        "address": [
            Rule(
                "address",
                expression(
                    rf"\b\d{{1,6}} (?:[nsew]{{1,2}}\.? )?(?:(?:[a-z]{{2,20}}|\d{{1,3}}(?:st|nd|rd|th)) ){{1,3}}"
                    rf"{_STREET}\b(?:,? (?:apt|unit|suite) \w{{1,6}}\b)?"
                ),
                "a street address",
                _street,
            ),
            Rule(
                "address",
                expression(rf"\b(?:{_NUMBER} ){{2,5}}(?:[a-z]{{2,20}} ){{1,3}}{_STREET}\b"),
                "a spoken street address",
                _spoken_street,
            ),
            Rule("address", expression(r"\b(?:p\.? ?o\.?|post office) box \d{1,6}\b"), "a post box"),
        ],
    }  # fmt: skip


def _spoken(least: int, most: int) -> str:
    """Return the expression of so many digits, spoken one by one."""
    return f"(?:{_SPOKEN}{_GAP}){{{least - 1},{most - 1}}}{_SPOKEN}"


def _ssn_rules() -> list[Rule]:
    right = _whole(_ssn)
    return [
        Rule("ssn", expression(r"\b\d{3}[ .-]\d{2}[ .-]\d{4}\b"), "a social security number", right),
        Rule(
            "ssn",
            expression(rf"\b(?:ssn|social|taxpayer|tin){_LINKED}(\d{{9}})\b"),
            "a social security number",
            right,
        ),
        Rule(
            "ssn",
            expression(rf"\b(?:ssn|social)\b[a-z' ,:]{{0,40}}?\b({_spoken(9, 9)})\b"),
            "a spoken social security number",
            right,
        ),
    ]


def _routing_rules() -> list[Rule]:
    right, why = _whole(routing), "a bank's routing number, by its checksum"
    return [
        Rule("aba_routing", expression(rf"\b(?:routing|aba|rtn)(?:\b|_){_SAYS}\b(\d{{9}})\b"), why, right),
        Rule("aba_routing", expression(rf"\b(?:routing|aba|rtn)\b{_SAYS}\b({_spoken(9, 9)})\b"), why, right),
        Rule("aba_routing", expression(r"\b(\d{9})\b[a-z', (]{1,24}?\b(?:routing|aba|rtn)\b"), why, right),
        Rule(
            "aba_routing",
            expression(rf"\b({_spoken(9, 9)})\b[a-z', (]{{1,24}}?\b(?:routing|aba|rtn)\b"),
            why,
            right,
        ),
    ]


def _account_rules() -> list[Rule]:
    account = r"\b(?:account|acct|a/c)\.?"
    number = r"(?:[ _]?(?:number|num\b|no\b\.?|#))"
    digits = r"(?:[a-z]{0,3}\d{6,17}|\d{4,9}-\d{3,9})"
    return [
        Rule(
            "account_number",
            expression(
                rf"{account}{number}?{_SIGNS}(?:(?:is|was|are) )?#?"
                rf"({digits}|(?:that )?(?:ending|ends)(?: in| with)? \d{{3,5}})\b"
            ),
            "an account number",
        ),
        Rule(
            "account_number",
            expression(rf"{account} ?(?:number|num|no)\b[a-z' ,:]{{0,24}}?\b({digits}|{_spoken(6, 17)})\b"),
            "an account number",
        ),
        Rule(
            "account_number",
            expression(
                rf"{account}(?: is| was)? ({_spoken(6, 17)}|(?:that )?(?:ending|ends)(?: in| with)? {_spoken(4, 4)})\b"
            ),
            "a spoken account number",
        ),
    ]


def _phone_rules() -> list[Rule]:
    area = "(?:two|three|four|five|six|seven|eight|nine)"
    spoken = f"(?:one{_GAP})?(?:{area}{_GAP}{_SPOKEN}{_GAP}{_SPOKEN}{_GAP}){{2}}{_spoken(4, 4)}"
    said = (
        r"\b(?:phone|telephone|cell|cellphone|mobile|fax|tel|my number|your number|call(?: me| us)?(?: back)?"
        r"|(?:reach|get|text) (?:me|us)|area code)"
    )
    return [
        Rule("phone", expression(r"\b(?:1[ .-])?[2-9]\d{2}[ .-][2-9]\d{2}[ .-]\d{4}\b"), "a telephone number"),
        Rule("phone", expression(r"\([2-9]\d{2}\) ?[2-9]\d{2}[ .-]\d{4}\b"), "a telephone number"),
        Rule("phone", expression(r"\+\d{1,3}(?:[ .-]?\d{2,4}){2,4}\b"), "a telephone number"),
        Rule(
            "phone",
            expression(rf"{said}{_LINKED}(1?[2-9]\d{{2}}[2-9]\d{{6}}|{spoken})\b"),
            "a telephone number, by the words before it",
        ),
        Rule(
            "phone",
            expression(
                rf"\b({spoken}) (?:as|is|for|that's) (?:your|my|the|his|her|our)(?: [a-z]{{2,10}}){{0,2}} (?:phone|cell|mobile|number)\b"
            ),
            "a telephone number, by the words behind it",
        ),
    ]


def _birth_rules() -> list[Rule]:
    year = f"(?:nineteen|twenty|two thousand)(?: (?:and |oh )?(?:{_UNITS}|{_TEENS}|{_TENS}|hundred)){{1,2}}"
    spoken = f"(?:{_MONTH}(?: the)? (?:{_ORDINAL}|{_NUMBER}(?: {_NUMBER})?)|(?:the )?{_ORDINAL}(?: of)? {_MONTH})"
    return [
        Rule(
            "date_of_birth",
            expression(rf"\b{_BIRTH}[a-z_'\" ,:.=]{{0,24}}?\b({_DATE}|{spoken},? {year})\b"),
            "a date of birth",
        ),
        Rule(
            "date_of_birth",
            expression(rf"\b{_BIRTH}(?: is|'s| was| on)? ({_NUMBER}(?: {_NUMBER}){{2,6}})\b"),
            "a date of birth, spoken as numbers",
        ),
        Rule(
            "date_of_birth",
            expression(rf"\b({_DATE})[a-z', ]{{1,16}}?\b(?:birthday|date of birth|birth date|birthdate|dob)\b"),
            "a date of birth",
        ),
    ]


def make(settings: Settings) -> PatternCheck:
    """Return the check for these kinds."""
    rules = _rules()
    return PatternCheck([rule for entity in ENTITIES if entity in settings.entities for rule in rules[entity]])


KIND: Final = CheckKind(Settings, make)
