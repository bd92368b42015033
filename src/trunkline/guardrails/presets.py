"""Policies that need no settings: what a name that begins with `builtin/` stands for, in a route or a tenant."""

from collections.abc import Mapping
from typing import Any, Final

PREFIX: Final = "builtin/"

# What a voice says in place of advice that it may not give: a sentence that ends, and leads somewhere.
_NO_ADVICE: Final = "I can't advise on that, but your advisor can."

# Each is one policy or several, by the name that records give it, and as a configuration would write it.
PRESETS: Final[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
    "builtin/injection": {
        "builtin/injection": {"check": "prompt_injection", "action": "block", "on_unscannable": "allow"}
    },
    "builtin/pii": {"builtin/pii": {"check": "pii", "action": "redact", "on_unscannable": "allow"}},
    "builtin/secrets": {"builtin/secrets": {"check": "secrets", "action": "redact", "on_unscannable": "allow"}},
    "builtin/wealth-voice": {
        "builtin/wealth-voice/investment_recommendation": {
            "check": "investment_recommendation",
            "action": "replace",
            "sentence": _NO_ADVICE,
            "on_unscannable": "allow",
        },
        "builtin/wealth-voice/promissory": {
            "check": "promissory",
            "action": "replace",
            "sentence": _NO_ADVICE,
            "on_unscannable": "allow",
        },
        "builtin/wealth-voice/prompt_injection": {
            "check": "prompt_injection",
            "action": "block",
            "on_unscannable": "allow",
        },
        "builtin/wealth-voice/secrets": {"check": "secrets", "action": "redact", "on_unscannable": "allow"},
    },
}
