"""The check `language`: what is said in another language than those that are allowed.

Sentence by sentence. What is too short to tell, and what mixes languages, passes.
"""

from collections.abc import Sequence
from typing import Annotated, Final, final

import msgspec

from trunkline.guardrails.check import NOTHING, BadSettings, CheckKind, Found, Hold, Scanner
from trunkline.guardrails.languages import KNOWN, other_language
from trunkline.guardrails.scanners import UnitScanner


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`allow` names languages by their codes (ISO 639-1, and `tl`)."""

    allow: Annotated[list[str], msgspec.Meta(min_length=1, max_length=100)]


@final
class LanguageCheck:
    """Finds sentences in other languages."""

    __slots__ = ("_allowed", "version")

    def __init__(self, settings: Settings) -> None:
        unknown = [code for code in settings.allow if code not in KNOWN]
        if unknown:
            raise BadSettings("allow", f"`{unknown[0]}` is not one of {', '.join(KNOWN)}")
        self._allowed = frozenset(settings.allow)
        self.version = "1"

    def scanner(self, hold: Hold) -> Scanner:  # noqa: ARG002 - a clause is too short, a whole text mixes what it quotes
        """Return a scanner for one text."""
        return UnitScanner(self._look)

    def _look(self, unit: str, before: str) -> Sequence[Found]:
        code = other_language(unit, before, self._allowed)
        return (Found("other_language", 0, len(unit), 1.0, f"it is in `{code}`"),) if code else NOTHING


KIND: Final = CheckKind(Settings, LanguageCheck, stages=("transcript",))
