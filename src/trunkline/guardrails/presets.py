"""Policies that need no settings: what a name that begins with `builtin/` stands for, in a route or a tenant."""

from collections.abc import Mapping
from typing import Any, Final

PREFIX: Final = "builtin/"

# Each is one policy or several, by the name that records give it, and as a configuration would write it.
PRESETS: Final[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {}
