"""Which checks there are: those of Trunkline and those of plugins, all as entry points `trunkline.checks`."""

import re
from importlib.metadata import entry_points
from typing import Any, Final

import msgspec

from trunkline.guardrails.check import BadSettings, Check, CheckKind

GROUP: Final = "trunkline.checks"
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.+)`", re.DOTALL)


class UnknownCheck(ValueError):
    """No check of that name is installed, or a plugin's that cannot be loaded; says which there are."""


def check_names() -> tuple[str, ...]:
    """Return the names of all checks that are installed, in order."""
    return tuple(sorted(entry_points(group=GROUP).names))


def check_kind(name: str) -> CheckKind:
    """Return the kind of check of that name. Raises UnknownCheck."""
    found = tuple(entry_points(group=GROUP, name=name))
    if not found:
        raise UnknownCheck(f"there is no check `{name}`; there are {', '.join(check_names())}")
    if len(found) > 1:
        raise UnknownCheck(f"more than one package offers a check `{name}`: {', '.join([one.value for one in found])}")
    try:
        kind = found[0].load()
    except Exception as error:  # noqa: BLE001 - a plugin's fault, whatever it is, is one of the configuration that names it
        raise UnknownCheck(f"the check `{name}` cannot be loaded: {type(error).__name__}: {error}") from None
    if not isinstance(kind, CheckKind):
        raise UnknownCheck(f"the check `{name}` is no `CheckKind`: {found[0].value}")
    return kind


def make_check(name: str, settings: dict[str, Any]) -> Check:
    """Return a check with these settings. Raises UnknownCheck and BadSettings."""
    kind = check_kind(name)
    try:
        said = msgspec.convert(settings, kind.settings)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        unknown = _UNKNOWN.fullmatch(reason)
        if unknown is not None and not path:
            raise BadSettings(unknown[1], "there is no such setting") from None
        raise BadSettings(path.strip("`.").partition(".")[0].partition("[")[0], reason) from None
    return kind.make(said)
