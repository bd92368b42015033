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
_FORMS: Final = {
    "openai_key": r"\bsk-(?:(?:proj|svcacct|admin)-[a-z0-9_-]{20,200}|[a-z0-9]{20,200})\b",
    "anthropic_key": r"\bsk-ant-[a-z0-9_-]{20,200}\b",
    "aws_key": r"\b(?:akia|asia)[0-9a-z]{16}\b",
    "google_key": r"\baiza[0-9a-z_-]{35}\b",
    "github_token": r"\b(?:gh[pousr]_[a-z0-9]{36,251}|github_pat_[a-z0-9_]{22,255})\b",
    "slack_token": r"\bxox[abeprs]-[a-z0-9-]{10,200}\b",
    "stripe_key": r"\b[rs]k_(?:live|test)_[a-z0-9]{16,200}\b",
}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """There are none: a secret is a secret."""


def bits_a_character(text: str) -> float:
    """Return the Shannon entropy of a text's characters, in bits for each."""
    counts = Counter(text)
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())


def _random(text: str) -> int:
    mixed = any(character.isdigit() for character in text) and any(character.isalpha() for character in text)
    return len(text) if mixed and bits_a_character(text) >= RANDOM_FROM else 0


def make(settings: Settings) -> PatternCheck:  # noqa: ARG001 - there are none
    """Return the check."""
    rules = [Rule(name, expression(form), f"the form of {name.replace('_', ' ')}s") for name, form in _FORMS.items()]
    name = "[a-z ]{0,20}private key"
    rules += [
        Rule(
            "private_key",
            expression(rf"-----begin {name}-----[a-z0-9+/=\s:,]*(?:-----end {name}-----)?"),
            "a private key in its armour",
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
            expression(
                r"\b(?:[a-z]{0,20}[_-])?(?:api[_-]?key|secret|token|passw(?:or)?d|access[_-]?key)[\"']?\s{0,2}[:=]\s{0,2}[\"']?"
                r"([a-z0-9/+_.-]{12,200}={0,2})"
            ),
            "something random, assigned to what is called a secret",
            _random,
        ),
    ]
    return PatternCheck(rules)


KIND: Final = CheckKind(Settings, make)
