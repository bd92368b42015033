"""The check `secrets`: keys and passwords that nobody should send to a model, or hear from one.

Forms of keys are those that their issuers document. What is assigned to something called a key, token or password
counts where it looks random: letters and digits mixed, with enough different ones.
"""

import math
from collections import Counter
from typing import Final

import msgspec

from trunkline.guardrails.check import CheckKind
from trunkline.guardrails.expressions import expression
from trunkline.guardrails.patterns import PatternCheck, Rule

LONGEST_KEY: Final = 8192  # characters of a private key in its armour
LONGEST_TOKEN: Final = 4096
RANDOM_FROM: Final = 3.0  # bits for a character, of what was assigned
LEAST_VARIED: Final = 10  # different characters; what stands in for a key has fewer
_FORMS: Final = {
    "openai_key": r"\bsk-(?:(?:proj|svcacct|admin)-[a-z0-9_-]{20,200}|[a-z0-9]{20,200})\b",
    "anthropic_key": r"\bsk-ant-[a-z0-9_-]{20,200}\b",
    "aws_key": r"\b(?:akia|asia)[0-9a-z]{16}\b",
    "google_key": r"\baiza[0-9a-z_-]{35}\b",
    "github_token": r"\b(?:gh[pousr]_[a-z0-9]{36,251}|github_pat_[a-z0-9_]{22,255})\b",
    "slack_token": (
        r"\b(?:xox[abeprs]-\d[a-z0-9-]{10,200}|xapp-\d-[a-z0-9-]{20,200})\b"
        r"|\bhooks\.slack\.com/services/[a-z0-9]{8,16}/[a-z0-9]{8,16}/[a-z0-9]{20,40}\b"
    ),
    "stripe_key": r"\b(?:[rs]k_(?:live|test)_[a-z0-9]{16,200}|whsec_[a-z0-9]{24,200})\b",
    # Groq, Hugging Face, xAI, Perplexity, Replicate, GitLab, npm, OpenRouter, SendGrid
    "provider_key": (
        r"\b(?:gsk_[a-z0-9]{40,80}|hf_[a-z0-9]{30,40}|xai-[a-z0-9]{60,100}|pplx-[a-z0-9]{40,80}|r8_[a-z0-9]{30,50}"
        r"|glpat-[a-z0-9_-]{20,60}|npm_[a-z0-9]{36}|sk-or-v1-[a-f0-9]{64}|sg\.[a-z0-9_-]{22}\.[a-z0-9_-]{43})\b"
    ),
}
# What is called a secret; words before it may be joined to it (`DB_PASSWORD`, `clientSecret`).
_CALLED: Final = (
    r"(?:(?:api|access|secret|private|signing|encryption|subscription|account|master|auth)[ _-]?key(?:_base)?"
    r"|secret|token|passw(?:or)?d|passphrase)"
)
_ASSIGNED: Final = r"[\"']?(?:\s{0,2}(?:[:=>]|:=|=>)\s{0,2}|[\"']? value=|\s{1,2}is:?\s{1,2})[\"']?"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """There are none: a secret is a secret."""


def bits_a_character(text: str) -> float:
    """Return the Shannon entropy of a text's characters, in bits for each."""
    counts = Counter(text)
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())


def _random(text: str) -> int:
    mixed = any(character.isdigit() for character in text) and any(character.isalpha() for character in text)
    return len(text) if mixed and bits_a_character(text) >= RANDOM_FROM else 0


def _varied(text: str) -> int:
    return len(text) if len(set(text)) >= LEAST_VARIED else 0


def make(settings: Settings) -> PatternCheck:  # noqa: ARG001 - there are none
    """Return the check."""
    rules = [
        Rule(name, expression(form), f"the form of {name.replace('_', ' ')}s", _varied) for name, form in _FORMS.items()
    ]
    name = "[a-z0-9 ]{0,24}private key(?: block)?"
    rules += [
        Rule(
            "private_key",
            expression(
                rf"-{{4,5}} ?begin {name} ?-{{4,5}}(?:\s{{1,4}}[a-z]{{1,12}}(?:-[a-z]{{1,12}})?: [^\n]{{1,100}}){{0,4}}"
                # Lines may be quoted, as in a mail, or their ends written `\n`, as in JSON.
                rf"[a-z0-9+/=\s:,>\\]*(?:-{{4,5}} ?end {name} ?-{{4,5}})?"
            ),
            "a private key in its armour",
            cap=LONGEST_KEY,
        ),
        Rule(
            "private_key",
            expression(r"\bputty-user-key-file-\d:[a-z0-9+/=\s:,-]*"),
            "a private key of PuTTY's",
            cap=LONGEST_KEY,
        ),
        Rule(
            "jwt",
            expression(r"\beyj[a-z0-9_-]{8,}\.eyj[a-z0-9_-]{8,}\.[a-z0-9_-]{8,}"),
            "a JSON web token",
            cap=LONGEST_TOKEN,
        ),
        Rule(
            "assigned_secret",
            expression(rf"{_CALLED}{_ASSIGNED}([a-z0-9/+_.!#$%&*^~-]{{12,200}}={{0,2}})"),
            "something random, assigned to what is called a secret",
            _random,
        ),
        Rule(
            "assigned_secret",
            expression(
                r"\bauthorization[\"']?\s{0,2}[:=]\s{0,2}[\"']?(?:bearer|basic|token) ([a-z0-9/+_.-]{16,500}={0,2})"
            ),
            "what a header of a request proves its sender by",
            _random,
        ),
        Rule(
            "assigned_secret",
            expression(r"\b[a-z0-9+]{2,16}://[a-z0-9_.%-]{0,40}:([a-z0-9_.!#$%&*^~-]{8,100})@"),
            "a password in an address",
            _random,
        ),
    ]
    return PatternCheck(rules)


KIND: Final = CheckKind(Settings, make)
