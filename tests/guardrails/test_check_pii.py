# ruff: noqa: E501 - cases are read best whole
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.guardrails.check import BadSettings
from trunkline.guardrails.checks.pii import ENTITIES, digits_of, luhn, mod_97, routing
from trunkline.guardrails.registry import make_check

CHECK = make_check("pii", {})


def found(text, check=CHECK, pieces=None):
    scanner, out = check.scanner("sentence"), []
    for place, piece in enumerate(pieces or [text]):
        out += scanner.feed(piece, place == len(pieces or [text]) - 1)
    return sorted((one.rule, text[one.start : one.end]) for one in out)


FOUND = [
    ("My SSN is 078-05-1120.", "ssn", "078-05-1120"),
    ("My social security number is 078051120, thanks", "ssn", "078051120"),
    ("social is zero seven eight, oh five, one one two zero", "ssn", "zero seven eight, oh five, one one two zero"),
    ("my ssn it's zero seven eight zero five one one two zero", "ssn", "zero seven eight zero five one one two zero"),
    ("card 4111 1111 1111 1111 please", "credit_card", "4111 1111 1111 1111"),
    ("3782-822463-10005", "credit_card", "3782-822463-10005"),
    ("4111111111111111", "credit_card", "4111111111111111"),
    ("it's four one one one one one one one one one one one one one one one", "credit_card",
     "four one one one one one one one one one one one one one one one"),
    ("IBAN DE89 3704 0044 0532 0130 00 is mine", "iban", "DE89 3704 0044 0532 0130 00"),
    ("gb29nwbk60161331926819", "iban", "gb29nwbk60161331926819"),
    ("routing number 021000021", "aba_routing", "021000021"),
    ("account number is 1234567890", "account_number", "1234567890"),
    ("your acct ending in 4321", "account_number", "ending in 4321"),
    ("write to Joe.Smith+x@mail.example.com.", "email", "Joe.Smith+x@mail.example.com"),
    ("it is joe dot smith at gmail dot com", "email", "joe dot smith at gmail dot com"),
    ("call 212-555-0123 now", "phone", "212-555-0123"),
    ("call (212) 555-0123 now", "phone", "(212) 555-0123"),
    ("call +44 20 7946 0958", "phone", "+44 20 7946 0958"),
    ("date of birth: 04/12/1961", "date_of_birth", "04/12/1961"),
    ("born on April 12th, 1961", "date_of_birth", "April 12th, 1961"),
    ("I live at 1600 Pennsylvania Avenue.", "address", "1600 Pennsylvania Avenue"),
    ("221 N. Main Street, apt 4b", "address", "221 N. Main Street, apt 4b"),
    ("SSN/TIN: 078051120", "ssn", "078051120"),
    ("iban GB29-NWBK-6016-1331-9268-19", "iban", "GB29-NWBK-6016-1331-9268-19"),
    ("it's d e eight nine three seven zero four zero zero four four zero five three two zero one three zero zero zero okay",
     "iban", "d e eight nine three seven zero four zero zero four four zero five three two zero one three zero zero zero"),
    ("for the routing, um, it says 021000021", "aba_routing", "021000021"),
    ("the routing number is zero two one zero zero zero zero two one", "aba_routing",
     "zero two one zero zero zero zero two one"),
    ("021000021 is my routing number", "aba_routing", "021000021"),
    ("account number Z12345678 is closed", "account_number", "Z12345678"),
    ('{"account_no": "12345678"}', "account_number", "12345678"),
    ("my account number is one two three four five six", "account_number", "one two three four five six"),
    ("the account that ends in 4321", "account_number", "that ends in 4321"),
    ("joe dot smith at mail dot example dot com", "email", "joe dot smith at mail dot example dot com"),
    ("my cell phone is two one two five five five oh one two three", "phone",
     "two one two five five five oh one two three"),
    ("i have two one two five five five oh one two three as your phone number", "phone",
     "two one two five five five oh one two three"),
    ("my phone number is 2125550123", "phone", "2125550123"),
    ("i was born april twelfth nineteen sixty one", "date_of_birth", "april twelfth nineteen sixty one"),
    ('"date_of_birth": "1961-04-12"', "date_of_birth", "1961-04-12"),
    ("my birthday is four twelve sixty one", "date_of_birth", "four twelve sixty one"),
    ("04/12/1961 is my birthday", "date_of_birth", "04/12/1961"),
    ("i live at twelve thirty four maple street", "address", "twelve thirty four maple street"),
    ("at 4410 Kings Hwy", "address", "4410 Kings Hwy"),
    ("PO Box 4410", "address", "PO Box 4410"),
    ("ＳＳＮ 078\u200b-05-1120", "ssn", "078\u200b-05-1120"),
]  # fmt: skip
NOT_FOUND = [
    "Order 123456789 has shipped.",
    "The fund returned 4.2 percent in 2024.",
    "666-12-3456 and 000-12-3456 and 123-00-4567 and 987-65-4321",
    "4111 1111 1111 1112",
    "0000 0000 0000 0000",
    "DE88 3704 0044 0532 0130 00",
    "routing number 123456789",
    "Your account is open since 2023.",
    "one two three, let's go",
    "I'd recommend the three pm slot",
    "at 5 percent, in 10 years",
    "The S&P 500 closed at 5,123.41, up 1.2%.",
    "CUSIP 037833100",
    "He was 2 blocks down the road.",
    "one easy way, or a two lane road",
    "Call us back about order 2125550123.",
    "Social Security pays more in 2026, says note 078051120.",
    "People born between 1946 and 1964 retire.",
    "the routing number is zero two one zero zero zero zero two two",
    "Your account number is on page 12, line 345.",
]


@pytest.mark.parametrize(("text", "rule", "span"), FOUND)
def test_what_identifies_somebody_is_found_however_it_is_cut(text, rule, span):
    assert (rule, span) in found(text)
    assert found(text, pieces=list(text)) == found(text)


@pytest.mark.parametrize("text", NOT_FOUND)
def test_what_only_looks_like_it_is_not(text):
    assert found(text) == []


def test_a_card_behind_other_digits_is_found():
    assert ("credit_card", "4111 1111 1111 1111") in found("2 4111 1111 1111 1111")


def test_only_the_kinds_that_are_asked_for_are_found():
    text = "078-05-1120 joe@example.com"
    assert found(text, make_check("pii", {"entities": ["email"]})) == [("email", "joe@example.com")]
    with pytest.raises(BadSettings, match="Invalid enum value 'name'"):
        make_check("pii", {"entities": ["name"]})
    with pytest.raises(BadSettings):
        make_check("pii", {"entities": []})


def test_every_kind_has_an_example_here():
    assert {rule for _, rule, _ in FOUND} == set(ENTITIES)


@given(st.lists(st.integers(0, 9), min_size=12, max_size=18))
def test_exactly_one_last_digit_makes_a_number_good(digits):
    number = "".join(map(str, digits))
    assert sum(luhn(number + str(last)) for last in range(10)) == 1


@given(st.integers(0, 10**16 - 1))
def test_exactly_one_pair_of_check_digits_makes_an_iban_good(account):
    good = [check for check in range(2, 99) if mod_97(f"de{check:02}{account:018}")]
    assert len(good) == 1


def test_a_routing_number_needs_its_checksum_and_a_part_that_the_fed_uses():
    assert routing("021000021")
    assert not routing("021000022")


@given(st.text(st.sampled_from("0123456789"), min_size=1, max_size=12))
def test_digits_are_read_as_they_are_said(digits):
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    assert digits_of(", ".join(words[int(digit)] for digit in digits)) == digits
    assert digits_of("-".join(digits)) == digits
