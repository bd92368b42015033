import pytest

from trunkline.guardrails.registry import make_check

CHECK = make_check("secrets", {})
ARMOUR = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA7bq\n" * 20 + "-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
FOUND = [
    ("openai_key", "sk-proj-abcdefghij0123456789ABCDEFGHIJ"),
    ("anthropic_key", "sk-ant-api03-abcdefghij0123456789ABCD"),
    ("aws_key", "AKIAIOSFODNN7EXAMPLE"),
    ("google_key", "AIza" + "Sy0123456789abcdefghijklmnopqrstuvw"[:35]),
    ("github_token", "ghp_" + "0123456789abcdefghij0123456789abcdef"),
    ("slack_token", "xoxb-123456789012-abcdefGHIJ"),
    ("stripe_key", "sk_live_abcdefghijklmnop0123"),
    ("private_key", ARMOUR),
    ("jwt", JWT),
]


def found(text, pieces=None):
    scanner, out = CHECK.scanner("sentence"), []
    for place, piece in enumerate(pieces or [text]):
        out += scanner.feed(piece, place == len(pieces or [text]) - 1)
    return sorted((one.rule, text[one.start : one.end]) for one in out)


@pytest.mark.parametrize(("rule", "secret"), FOUND)
def test_a_secret_is_found_whole_however_it_is_cut(rule, secret):
    text = f"use {secret} for it"
    assert (rule, secret) in found(text)
    assert found(text, list(text)) == found(text)


@pytest.mark.parametrize(
    "text", ["password=hX7kQ2vX9mZr4T", 'api_key: "a1b2c3d4e5f6g7h8"', "DB_PASSWORD = pR0duct10n-key"]
)
def test_what_is_assigned_to_a_secret_is_found_where_it_looks_random(text):
    assert [rule for rule, _ in found(text)] == ["assigned_secret"]


@pytest.mark.parametrize(
    "text",
    [
        "The token: a word of many meanings",
        "password: correct-horse-battery",
        "password=aaaaaaaaaaaa1",
        "Their task-force, risk-averse, ask-me-anything-about-it-please",
        "eyJ is how such a token begins",
        "AKIA is short for something",
    ],
)
def test_what_is_no_secret_is_not(text):
    assert found(text) == []


def test_a_private_key_that_never_ends_is_found_at_its_cap():
    text = "-----BEGIN PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA7bq\n" * 2000
    scanner = CHECK.scanner("sentence")
    out = [one for start in range(0, len(text), 7) for one in scanner.feed(text[start : start + 7], False)]
    assert out[0].rule == "private_key"
    assert out[0].start == 0
