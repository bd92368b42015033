"""Cuts a text into the tokens of a stream. No provider's real tokens: the same text always gives the same cuts."""

import re

_TOKEN = re.compile(r"\s?[^\s]{1,8}|\s")


def split(text: str) -> list[str]:
    """Cut into tokens of at most nine characters; joined, they are the text again."""
    return _TOKEN.findall(text)


def group(tokens: list[str], size: int) -> tuple[str, ...]:
    """Join tokens to pieces of `size` tokens each, as a provider does that sends several in one frame."""
    if size <= 1:
        return tuple(tokens)
    return tuple("".join(tokens[start : start + size]) for start in range(0, len(tokens), size))
