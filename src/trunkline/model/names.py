"""What a name of a person or a conversation may be made of, wherever it comes from."""

import re
from typing import Literal

PersonKind = Literal["user", "subject"]
NAME_LIMIT = 512  # characters of a user, subject or session
# C0 and C1 controls, line and paragraph separators, what reverses the direction of writing, and tag characters, which
# nobody sees: a terminal obeys some, and in a list of names each could make one look like another. For a set of `re`.
STEERING = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f"
CONTROL = re.compile(f"[{STEERING}]")
# How records name a person where there is a vault (`audit.format.pseudonyms`); nobody may be called so.
PSEUDONYM = re.compile(r"[us]~[a-z2-7]{26}")
