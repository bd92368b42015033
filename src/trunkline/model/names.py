"""What a name of a person or a conversation may be made of, wherever it comes from."""

import re

NAME_LIMIT = 512  # characters of a user, subject or session
# C0 and C1 controls, line and paragraph separators, and what reverses the direction of writing: in a list of names,
# each could make one look like another.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
