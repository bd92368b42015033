"""Where past calls stand in the logs: what is asked of the ledger, and what it answers. Light, as `answers`."""

import msgspec


class PlacesQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which calls: from a Unix second on, until another, of a tenant or all, for a route or all; the oldest first.

    `after` is where the last answer ended (`Places.last`), None for the first one; `most` is how many are wanted.
    """

    since: float
    until: float
    tenant: str | None = None
    route: str | None = None
    after: tuple[int, str] | None = None
    most: int = 2_000


class CallPlace(msgspec.Struct, frozen=True, gc=False):
    """A call that has ended, and where its two records stand: the log, and of each the segment and the offset.

    `at` is RFC 3339 in UTC; `judging` says whether a check asked a model in it about another call; `directory` is below
    the data directory's logs.
    """

    call: str
    at: str
    tenant: str
    route: str
    stream: bool
    outcome: str
    judging: bool
    directory: str
    opened: tuple[int, int]
    ended: tuple[int, int]


class Places(msgspec.Struct, frozen=True):
    """Some of the calls, as many as were wanted unless they are the last ones.

    `last` is where to go on, None where there are no more. `of` is how many calls there are in all; it is said in the
    first answer, and 0 in later ones. `behind` is how many bytes of the logs the index has yet to read.
    """

    calls: tuple[CallPlace, ...]
    last: tuple[int, str] | None = None
    of: int = 0
    behind: int = 0
