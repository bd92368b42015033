"""Two things about a user's SQL that need a look at its words. Pure."""

import re

# Strings, quoted names, dollar quotes and comments are passed over whole; words are looked at.
_PIECE = re.compile(
    r"""
      '(?:[^']|'')*'            # a string; with a backslash only after E, which is no word of ours either way
    | "(?:[^"]|"")*"
    | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$
    | --[^\n]*
    | /\*.*?\*/
    | (?P<word>[A-Za-z_]\w*)
    """,
    re.VERBOSE | re.DOTALL,
)
_AFTER = re.compile(r"\s*(?:TIME\b|\()", re.IGNORECASE)


def quote_at(sql: str) -> str:
    """Return the query with the column `at` in quotes, as SQL wants a word that it has for itself.

    `AT TIME ZONE` and `AT (...)` stay as they are.
    """

    def quoted(match: re.Match[str]) -> str:
        word = match["word"]
        if word is None or word.lower() != "at" or _AFTER.match(sql, match.end()):
            return match.group()
        return f'"{word.lower()}"'

    return _PIECE.sub(quoted, sql)
