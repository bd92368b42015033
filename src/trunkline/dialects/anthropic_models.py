"""What each Claude model takes, read from its name: the API refuses with 400 what a model does not.

Source: Anthropic's migration guides and "Thinking support, defaults, and rejected configurations by model". A name that
tells no version, or one newer than this table, counts as the newest: what that does not take is left out.
"""

import re
from typing import Literal

import msgspec

Thinking = Literal["manual", "off", "on", "between_tools", "always"]


class Model(msgspec.Struct, frozen=True):
    """What a model takes.

    `sampling`: temperature or top_p, not both. `efforts`: the values of `output_config.effort`, rising, of which
    a model without the parameter has none. `thinking`: `manual` only with a budget; adaptive, and `off` or `on` unless
    said otherwise; on and switched off by `between_tools`; or `always` on. `forced_tools`: a tool choice that demands
    a call. `structured`: output and tool input held to a schema.
    """

    sampling: bool
    efforts: tuple[str, ...]
    thinking: Thinking
    forced_tools: bool
    structured: bool


_ALL = ("low", "medium", "high", "xhigh", "max")
_NEWEST = Model(sampling=False, efforts=_ALL, thinking="always", forced_tools=False, structured=True)
_BEFORE_4_5 = Model(sampling=True, efforts=(), thinking="manual", forced_tools=True, structured=False)
_4_5 = Model(sampling=True, efforts=(), thinking="manual", forced_tools=True, structured=True)
_OPUS_4_5 = msgspec.structs.replace(_4_5, efforts=("low", "medium", "high"))
_4_6 = msgspec.structs.replace(_4_5, efforts=("low", "medium", "high", "max"), thinking="off")
_4_7 = Model(sampling=False, efforts=_ALL, thinking="off", forced_tools=True, structured=True)
_5 = msgspec.structs.replace(_4_7, thinking="on")

_BY_FAMILY: dict[tuple[str, int, int], Model] = {
    ("opus", 4, 5): _OPUS_4_5,
    ("fable", 5, 0): msgspec.structs.replace(_5, thinking="always"),
    ("mythos", 5, 0): msgspec.structs.replace(_5, thinking="always"),
    ("opus", 5, 0): _5,
    ("sonnet", 5, 0): _5,
    ("sonnet", 5, 5): msgspec.structs.replace(_NEWEST, thinking="between_tools"),
    ("haiku", 5, 5): _5,
}
_BY_VERSION: dict[tuple[int, int], Model] = {(4, 5): _4_5, (4, 6): _4_6, (4, 7): _4_7, (4, 8): _4_7}

# `claude-haiku-4-5-20251001`, and before version 4 `claude-3-5-haiku-20241022`; a date is no minor version.
_NAME = re.compile(r"claude-(?:([a-z]+)-)?(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?")


def model_of(name: str) -> Model:
    """Return what the model of this name takes; names with a vendor's prefix are understood too."""
    found = _NAME.search(name)
    if found is None:
        return _NEWEST
    version = (int(found[2]), int(found[3] or 0))
    if version < (4, 5):
        return _BEFORE_4_5
    return _BY_FAMILY.get((found[1] or "", *version)) or _BY_VERSION.get(version, _NEWEST)
