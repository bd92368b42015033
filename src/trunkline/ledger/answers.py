"""What is asked of the ledger and what it answers. Light: a command that asks a running gateway needs nothing else."""

from typing import Any

import msgspec

Cell = str | int | float | bool | None | list[Any] | dict[str, Any]


class Unanswerable(Exception):
    """The question cannot be answered; the message says why and what to do."""


class Misunderstood(Unanswerable):
    """The question is not one: wrong words, an unknown name."""


class Table(msgspec.Struct, frozen=True):
    """Rows with the names of their columns; `more` says that there are others, which were left out.

    Money and other decimals are texts, times are RFC 3339 in UTC. `behind` is how many bytes of the logs the index has
    yet to read, 0 where it has read all.
    """

    columns: tuple[str, ...]
    rows: list[list[Any]]
    more: bool = False
    behind: int = 0


class SqlQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A query of a user's own, and how many rows of its answer are wanted."""

    query: str
    limit: int = 1000


class Period(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From when on, and until when, in Unix seconds; None is without bound."""

    since: float | None = None
    until: float | None = None


class CallsQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which calls are to be listed, newest first; what is None is not asked for."""

    tenant: str | None = None
    team: str | None = None
    user: str | None = None
    subject: str | None = None
    session: str | None = None
    route: str | None = None
    outcome: str | None = None
    finding: str | None = None
    tool: str | None = None
    period: Period = Period()
    limit: int = 50


class SessionsQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which sessions are to be listed, the latest first."""

    tenant: str | None = None
    user: str | None = None
    subject: str | None = None
    period: Period = Period()
    limit: int = 50


class Moment(msgspec.Struct, frozen=True):
    """A point in the story of a call: milliseconds since it began, what happened, and its facts as one text."""

    ms: float | None
    event: str
    detail: str


class Story(msgspec.Struct, frozen=True):
    """A call as its records tell it.

    `facts` are its row, `opened` and `ended` the records, `judged` that of what was said of its answer afterwards, each
    None where it is not there (any more, or yet), `bodies` the parts of what was asked and answered, as text, where
    they were asked for.
    """

    call: str
    facts: dict[str, Any]
    timeline: list[Moment]
    opened: dict[str, Any] | None = None
    ended: dict[str, Any] | None = None
    bodies: dict[str, str] = {}
    note: str | None = None
    judged: dict[str, Any] | None = None


class Line(msgspec.Struct):
    """A line of a transcript: who said what, in which call.

    `role` is `system`, `user`, `assistant`, `tool call`, `tool result`, or `note` for what nobody said. `tool` names
    the tool. `heard` is, of what an assistant said, what the next call's history has of it: all, a part, or nothing
    (empty); None where there was no next call to tell.
    """

    at: str
    call: str
    role: str
    text: str
    tool: str | None = None
    heard: str | None = None


class Transcript(msgspec.Struct, frozen=True):
    """A session as one conversation."""

    session: str
    tenant: str
    calls: int
    cost: str
    lines: list[Line]
    note: str | None = None


class Forget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Take calls and refusals from before this Unix second out of the index; the logs keep them."""

    before: float


class Forgotten(msgspec.Struct, frozen=True):
    """How many rows were taken out."""

    rows: int


# Records of a step of the follower: with fewer the index is up to date, but for what came meanwhile. To go on for each
# few of them at once took four tenths of a processor for a thousand calls a second, and their callers felt it.
FEW = 512


class IndexStatus(msgspec.Struct, frozen=True):
    """How far the index is: records read since it was opened, bytes of the logs behind them, whether that was all.

    Unread bytes count room that is only reserved in the segment being written.
    """

    records: int
    unread_bytes: int
    caught_up: bool
