"""The check `length`: an answer, or a message, may have so many characters."""

from collections.abc import Sequence
from typing import Annotated, Final, final

import msgspec

from trunkline.guardrails.check import NOTHING, CheckKind, Found, Hold, Scanner


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many characters there may be; what is beyond is what is found."""

    most: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]


@final
class _LengthScanner:
    """Counts; nothing is held back, for what is not beyond is good."""

    __slots__ = ("_length", "_most", "open_at")

    def __init__(self, most: int) -> None:
        self._most = most
        self._length = 0
        self.open_at = 0

    def feed(self, text: str, last: bool) -> Sequence[Found]:  # noqa: ARG002 - the end says nothing
        before, self._length = self._length, self._length + len(text)
        self.open_at = self._length
        if before <= self._most < self._length:
            return [Found("too_long", self._most, self._most + 1, why=f"longer than {self._most} characters")]
        return NOTHING


@final
class LengthCheck:
    """Finds what is beyond the length."""

    __slots__ = ("_most", "version")

    def __init__(self, settings: Settings) -> None:
        self._most = settings.most
        self.version = "1"

    def scanner(self, hold: Hold) -> Scanner:  # noqa: ARG002 - no unit matters
        """Return a scanner for one text."""
        return _LengthScanner(self._most)


KIND: Final = CheckKind(Settings, LengthCheck, actions=("block", "replace", "flag"))
