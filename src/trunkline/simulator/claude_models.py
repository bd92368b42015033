"""Which Claude models take what: the model name decides, as in Anthropic's migration guides."""

import re

_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?!\d)(?:-(\d{1,2})(?!\d))?")
_NEWEST = (99, 0)

# Assistant prefill ended with 4.6, sampling parameters with 4.7; system messages within `messages` came with 4.8.
PREFILL_UNTIL = (4, 6)
SAMPLING_UNTIL = (4, 7)
SYSTEM_MESSAGES_FROM = (4, 8)


def version(model: str) -> tuple[int, int]:
    """Return (major, minor) of a model name; a name that tells none counts as the newest."""
    found = _VERSION.search(model)
    if found is None:
        return _NEWEST
    return int(found[1]), int(found[2] or 0)
