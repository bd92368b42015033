"""What a check is: three kinds, all pure, each told text and settings and nothing else.

- A `TextCheck` makes a `Scanner` for each text. It is fed the text in pieces, as they come, and must say the same
  however the text is cut.
- A `ToolCheck` is shown whole tool calls.
- An `AskingCheck` cannot decide alone: it makes the question to ask (a service, a model), and reads the answer. The
  gateway asks, within a time, several at once.

Offsets are characters (code points) of the text that was fed, `end` is exclusive.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, Protocol, final

import msgspec

Hold = Literal["sentence", "clause", "whole"]


@final
class Found:
    """Something that a check has found, never changed again.

    `rule` names what, `score` (0 to 1) says how sure the check is, `why` explains the rule in a few words, without any
    of the text.
    """

    __slots__ = ("end", "rule", "score", "start", "why")

    def __init__(self, rule: str, start: int, end: int, score: float = 1.0, why: str = "") -> None:
        self.rule, self.start, self.end, self.score, self.why = rule, start, end, score, why

    def moved(self, by: int) -> "Found":
        """Return the same finding for a text that begins so many characters earlier."""
        return Found(self.rule, self.start + by, self.end + by, self.score, self.why)

    def _fields(self) -> tuple[object, ...]:
        return self.start, self.end, self.rule, self.score, self.why

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Found) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(self._fields())

    def __repr__(self) -> str:
        return f"Found{self._fields()}"


NOTHING: Final[tuple[Found, ...]] = ()


class BadSettings(ValueError):
    """Settings that a check cannot work with; `key` is the one that is wrong, empty for all of them."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key, self.reason = key, reason


class BadAnswer(ValueError):
    """What was asked gave an answer that says nothing."""


class Scanner(Protocol):
    """Scans one text from its beginning to its end."""

    @property
    def open_at(self) -> int:
        """The first offset at which a finding could still begin, or change, when more text comes.

        It never goes back. A finding that is returned later begins there or behind it. After the last piece it is the
        text's length or more.
        """

    def feed(self, text: str, last: bool) -> Sequence[Found]:
        """Take the next piece, the `last` one or not, and return the findings that have become certain.

        Each finding is returned once, in any order, and none that begins before an earlier `open_at`.
        """


class TextCheck(Protocol):
    """Finds things in text. `version` changes whenever its verdicts may: rules, data, settings."""

    @property
    def version(self) -> str:
        """What its verdicts depend on beside the settings: the version of its rules and data."""

    def scanner(self, hold: Hold) -> Scanner:
        """Return a scanner for one text. `hold` is how much a check is to look at that looks at units of text."""


class ToolCheck(Protocol):
    """Judges tool calls."""

    @property
    def version(self) -> str:
        """As a `TextCheck`'s."""

    def examine(self, name: str, arguments: Any) -> Sequence[Found]:
        """Return what is wrong with a call; `arguments` is the decoded JSON, or the text itself if it is none.

        Offsets are 0: findings are of the call as a whole.
        """


class Question:
    """What is to be asked: an HTTP request to a service of the operator's, or a chat request to a route.

    `url` is set for the former; `route` for the latter, one of the check's `routes`. `body` is the JSON to send.
    """

    __slots__ = ("body", "headers", "route", "url")

    def __init__(
        self, body: bytes, *, url: str = "", route: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        self.body, self.url, self.route = body, url, route
        self.headers = headers or {}


class AskingCheck(Protocol):
    """Asks somebody. `hold` says for how much text at a time.

    One that asks models has an attribute `routes`, the names of all routes that it may ask: they must be in the
    configuration, and no others can be asked.
    """

    @property
    def version(self) -> str:
        """As a `TextCheck`'s."""

    @property
    def hold(self) -> Hold:
        """How much text makes a question."""

    def question(self, text: str, stage: str, context: Mapping[str, Any]) -> Question:
        """Return what to ask about a text.

        `stage` is where it stands; `context` says of the call what a service may know: `call`, `tenant`, `route`,
        `user`, `session` and `messages` (OpenAI's form, as the client sent them).
        """

    def read(self, status: int, body: bytes, text: str) -> Sequence[Found]:
        """Return what the answer says of the text. Raises BadAnswer if it says nothing that can be relied upon."""


Check = TextCheck | ToolCheck | AskingCheck


def routes_of(check: Check) -> tuple[str, ...]:
    """Return the routes that a check may ask; most ask none."""
    return tuple(getattr(check, "routes", ()))


@final
class CheckKind:
    """A kind of check, as a plugin offers it under the entry point group `trunkline.checks`.

    `settings` is the msgspec Struct of what a configuration may say of it, `make` makes a check of one of these and
    raises BadSettings. `stages` are where it looks unless told otherwise, `actions` what a finding may lead to.
    """

    __slots__ = ("actions", "make", "settings", "stages")

    def __init__(
        self,
        settings: type[msgspec.Struct],
        make: Callable[[Any], Check],
        stages: Sequence[str] = ("input", "output"),
        actions: Sequence[str] = ("block", "replace", "redact", "flag"),
    ) -> None:
        self.settings, self.make = settings, make
        self.stages, self.actions = tuple(stages), tuple(actions)
