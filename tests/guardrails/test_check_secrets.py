# ruff: noqa: E501 - cases are read best whole
import pytest

from trunkline.guardrails.registry import make_check

CHECK = make_check("secrets", {})
ARMOUR = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA7bq\n" * 20 + "-----END RSA PRIVATE KEY-----"
ENCRYPTED = (
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF\n\n"
    "MIIEpAIBAAKCAQEA7bq\n-----END RSA PRIVATE KEY-----"
)
QUOTED = "-----BEGIN PRIVATE KEY-----\n> MIIEpAIBAAKCAQEA7bq\n> -----END PRIVATE KEY-----"
JOINED = r"-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq\n-----END PRIVATE KEY-----"
PGP = "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2.4\n\nlQHYBF7bq\n-----END PGP PRIVATE KEY BLOCK-----"
PUTTY = "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 1\nAAAAIHfT7bq+/="
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
FOUND = [
    ("openai_key", "sk-proj-abcdefghij0123456789ABCDEFGHIJ"),
    ("anthropic_key", "sk-ant-api03-abcdefghij0123456789ABCD"),
    ("aws_key", "AKIAIOSFODNN7EXAMPLE"),
    ("google_key", "AIza" + "Sy0123456789abcdefghijklmnopqrstuvw"[:35]),
    ("github_token", "ghp_" + "0123456789abcdefghij0123456789abcdef"),
    ("slack_token", "xoxb-123456789012-abcdefGHIJ"),
    ("slack_token", "xapp-1-A0123456789-1234567890123-0123456789abcdef"),
    ("slack_token", "hooks.slack.com/services/T0ABCDEFGH/B0ABCDEFGH/abcdefghij0123456789ABCD"),
    ("stripe_key", "sk_live_abcdefghijklmnop0123"),
    ("stripe_key", "whsec_abcdefghijklmnopqrst0123456789"),
    ("provider_key", "gsk_" + "abcdefghij0123456789" * 2),
    ("provider_key", "hf_" + "abcdefghijKLMNOPQRST" + "uvwxyzABCDEFGH"),
    ("provider_key", "xai-" + "abcdefghij0123456789" * 4),
    ("provider_key", "glpat-abcdefghij0123456789"),
    ("provider_key", "sk-or-v1-" + "0123456789abcdef" * 4),
    ("provider_key", "SG.abcdefghij0123456789AB." + "abcdefghij0123456789" * 2 + "ABC"),
    ("private_key", ARMOUR),
    ("private_key", ENCRYPTED),
    ("private_key", QUOTED),
    ("private_key", JOINED),
    ("private_key", PGP),
    ("private_key", PUTTY),
    ("jwt", JWT),
]


def found(text, pieces=None):
    scanner, out = CHECK.scanner("sentence"), []
    for place, piece in enumerate(pieces or [text]):
        out += scanner.feed(piece, place == len(pieces or [text]) - 1)
    return sorted((one.rule, text[one.start : one.end]) for one in out)


@pytest.mark.parametrize(("rule", "secret"), FOUND)
def test_a_secret_is_found_whole_however_it_is_cut(rule, secret):
    text = f"use {secret}. Then go on"
    assert (rule, secret) in found(text)
    assert found(text, list(text)) == found(text)


@pytest.mark.parametrize(
    "text", ["password=hX7kQ2vX9mZr4T", 'api_key: "a1b2c3d4e5f6g7h8"', "DB_PASSWORD = pR0duct10n-key",
        "AWS_SECRET_ACCESS_KEY=a1b2c3d4e5f6g7h8", "clientSecret => 'a1b2c3d4e5f6g7h8'", "the password is hX7kQ2v!9mZr4T",
        "<add key='ApiKey' value='a1b2c3d4e5f6g7h8'/>", "Authorization: Bearer a1b2c3d4e5f6g7h8i9",
        "postgres://app:hX7kQ2vX9m@db.example.com/clients"],
)  # fmt: skip
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
        "GITHUB_TOKEN=ghp_" + "x" * 36,
        "xoxb-your-bot-token-here",
        "password: ${DB_PASSWORD}",
        "postgres://user:password@localhost/db",
        "cache_key = 0123456789abcdef0123456789abcdef",
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
