"""What members and the authority say to each other. Each `Ask` has one `Answer`, in the same order.

Moments are microseconds of the authority's clock. A counter is named by the rule's id and the owner; its kind by
`span`: the seconds of a window, `SLOTS` or `ACCOUNT`. Encoded as arrays: there are many of them.
"""

from typing import Final, Literal

import msgspec

SLOTS: Final = 0
ACCOUNT: Final = -1

# Seconds for which a grant may be spent, counted by the member from before it asked.
LEASE: Final = 1
# Seconds without a word after which a member counts as silent: its slots are free, its share is withheld.
SILENT: Final = 3
# Seconds after it was sent, at most, at which a member's word is still taken for one. See `Ask.by`.
PATIENCE: Final = 1
# A member's share ends so long after it was heard for the last time, and then nothing is withheld for it.
DAY: Final = 86_400
# A limit of less than so many calls for each member is handed out call by call.
FEW: Final = 20
MICROSECONDS: Final = 1_000_000


class Want(msgspec.Struct, frozen=True, array_like=True):
    """Units of one counter: `need` for the call, `extra` for those that will follow.

    `mark` is the period of an account. What does not block is granted whatever the limit.
    """

    rule: str
    owner: str
    span: int
    limit: int
    need: int
    extra: int
    mark: int
    blocks: bool


class Correction(msgspec.Struct, frozen=True, array_like=True):
    """Units given back where they were granted (negative), or used beyond what was granted (positive)."""

    rule: str
    owner: str
    span: int
    mark: int
    units: int


class Counted(msgspec.Struct, frozen=True, array_like=True):
    """What a member has used of one counter: pairs of (seconds until they no longer count, units).

    `shared` says that it is use of the member's share of an account, of which the authority cannot know. `spent` is
    what calls that have ended have cost in an account's period, and `weighed` what of it was weighed
    before (see `Spent`).
    """

    rule: str
    owner: str
    span: int
    mark: int
    shared: bool
    pairs: tuple[tuple[float, int], ...]
    spent: int = 0
    weighed: int = 0


class Spent(msgspec.Struct, frozen=True, array_like=True):
    """All that calls of a member have cost in an account's period, to be weighed against the thresholds of its limit.

    It is what there is altogether: said twice, it counts once. `weighed` is what of it an answer was heard to.
    """

    rule: str
    owner: str
    mark: int
    limit: int
    units: int
    weighed: int = 0


class Report(msgspec.Struct, frozen=True, array_like=True):
    """All that a member has used, in as many parts as it takes; `names` are the members that it knows of.

    `fresh` says that the member has just been started with all of them: none of them has a share. `epoch` is the one
    in which it was heard last, empty for none. `after` are members that there are no longer, whose use is part of it.
    """

    counted: tuple[Counted, ...]
    names: tuple[str, ...]
    fresh: bool
    first: bool
    last: bool
    epoch: str = ""
    after: tuple[str, ...] = ()


class Ask(msgspec.Struct, frozen=True, array_like=True):
    """What a member says.

    `by` is the authority's moment after which this is not heard as a word of the member's any more, 0 where it is none:
    then the member does without the authority so far, and only wants to know whether it is there. `roster` and
    `divisor` are what it was told last. `session` grows whenever the member has given up on answers.
    """

    serial: int
    member: str
    session: int
    epoch: str
    by: int = 0
    roster: int = 0
    divisor: int = 0
    wants: tuple[Want, ...] = ()
    corrections: tuple[Correction, ...] = ()
    report: Report | None = None
    leaves: bool = False
    spent: tuple[Spent, ...] = ()


# Seconds in which members of an earlier epoch come back to an authority that serves many machines. See `Roster`.
RETURN: Final = 5

Verdict = Literal["heard", "granted", "refused", "report", "late"]


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What the authority says, at its moment `at`.

    - granted: for each want its units, the mark by which they are given back, and the units then in use; `over` are
      those above their limit
    - refused: `refusals` are (want, microseconds to wait, units in use); the wait is `NEVER`, or `NEXT_PERIOD`
    - report: nothing is granted before the member has said what it has used
    - late: the ask came too late to be taken for a word, or from a session that is over

    `divisor` is what the member divides limits by to get its share, 0 for none; `names` come when `roster` is new.
    `crossed` are the thresholds that all members together have reached with what this one has spent, told to nobody
    else, again where it has not heard that: (place in `Ask.spent`, percent, units spent by all); None where nothing
    was weighed, and is to be said again.
    """

    serial: int
    verdict: Verdict
    epoch: str
    at: int
    roster: int
    divisor: int
    members: int
    admitted: bool
    grants: tuple[tuple[int, int, int], ...] = ()
    over: tuple[int, ...] = ()
    refusals: tuple[tuple[int, int, int], ...] = ()
    names: tuple[str, ...] = ()
    crossed: tuple[tuple[int, int, int], ...] | None = None


NEVER: Final = -1
NEXT_PERIOD: Final = -2
