"""Legal holds: what must not be erased or expire, and why. Pure but for the making of an id.

A hold keeps too much rather than too little: whatever it may be about is covered, unless what both name tells them
apart.
"""

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from trunkline.config.places import nearest
from trunkline.config.units import LATEST_EXPIRY
from trunkline.control.answers import Erase, HoldView, NewHold, Refused
from trunkline.control.state import HoldEntry, HoldPlaced, State
from trunkline.model.names import NAME_LIMIT
from trunkline.model.snapshot import Snapshot

MAX_HOLDS = 10_000  # in force at once
LONGEST_REASON = 2_000


Names = Callable[[Collection[str]], Mapping[str, str]]


class Scope(NamedTuple):
    """What somebody wants to take away: of a tenant, of one person if one is named, of calls from `since` to `until`.

    Times are Unix seconds; None means that nothing is left out on that side.
    """

    tenant: str
    user: str | None = None
    subject: str | None = None
    since: float | None = None
    until: float | None = None


class Recorded(NamedTuple):
    """What a record says that it is about; `at` is its time, a Unix second."""

    tenant: str
    at: float
    user: str | None = None
    subject: str | None = None
    session: str | None = None
    call: str | None = None


def placed(asked: NewHold, state: State, snapshot: Snapshot, who: str) -> HoldPlaced:
    """Return the record of a new hold. Raises Refused."""
    if asked.tenant not in snapshot.tenants:
        raise Refused(f"there is no tenant `{asked.tenant[:100]}`; {nearest(asked.tenant, snapshot.tenants)}")
    _check_reason(asked.reason)
    for what in ("user", "subject", "session", "call"):
        name = getattr(asked, what)
        if name is not None and not 0 < len(name) <= NAME_LIMIT:
            raise Refused(f"the {what} has 1 to {NAME_LIMIT} characters")
    since, until = _second(asked.since, "since"), _second(asked.until, "until")
    if since is not None and until is not None and since >= until:
        raise Refused("`since` is not before `until`: the hold would keep nothing")
    if len(state.holds_in_force()) >= MAX_HOLDS:
        raise Refused(f"there are {MAX_HOLDS:,} holds; release some first")
    return HoldPlaced(
        f"hold-{secrets.token_hex(6)}",
        asked.tenant,
        who,
        asked.reason.strip(),
        asked.user,
        asked.subject,
        asked.session,
        asked.call,
        asked.since,
        asked.until,
    )


def standing(hold: str, reason: str, state: State) -> HoldEntry:
    """Return the hold that is to be released. Raises Refused."""
    entry = state.holds.get(hold)
    if entry is None:
        raise Refused(f"there is no hold `{hold[:100]}`; `trunkline audit hold list` shows them")
    if entry.released is not None:
        raise Refused(f"the hold `{hold}` was released at {entry.released_at} by {entry.released.who}")
    _check_reason(reason)
    return entry


def covering(holds: Iterable[HoldPlaced], scope: Scope) -> list[HoldPlaced]:
    """Return the holds that may keep something of what is to be taken away."""
    return [hold for hold in holds if _may_cover(hold, scope)]


def why_not_erase(
    holds: Iterable[HoldPlaced], names: Names, snapshot: Snapshot, now: float, asked: Erase, months: Collection[int]
) -> str | None:
    """Return why a person may not be erased, None where they may; `months` (202706) are those of what there is."""
    found = covering([named(hold, names) for hold in holds], Scope(asked.tenant, asked.user, asked.subject))
    if found:
        first = found[0]
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        return f"{first.hold}{more} keeps it ({first.reason}); `trunkline audit hold list` shows what is held"
    tenant = snapshot.tenants.get(asked.tenant)
    if tenant is None or tenant.erase_before_retention or not months:
        return None
    until = _end_of(max(months)) + snapshot.retention_of(asked.tenant)
    if until <= now:
        return None
    day = datetime.fromtimestamp(min(until, LATEST_EXPIRY), UTC).date()
    return f"records of {asked.tenant} are kept until {day}; `erase_before_retention` of the tenant could allow it"


def _end_of(month: int) -> float:
    """Return the second at which a month such as 202706 ends."""
    year, number = divmod(month, 100)
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    return datetime(*following, 1, tzinfo=UTC).timestamp()


def keeps(hold: HoldPlaced, record: Recorded) -> bool:
    """Whether a hold is about this record."""
    if hold.tenant != record.tenant or not _within(hold, record.at, record.at):
        return False
    named = ((hold.user, record.user), (hold.subject, record.subject), (hold.session, record.session),
             (hold.call, record.call))  # fmt: skip
    return all(held is None or held == found for held, found in named)


def keeps_any(hold: HoldPlaced, tenant: str, at: float) -> bool:
    """Whether a hold is about some of a tenant's calls of this time."""
    return hold.tenant == tenant and _within(hold, at, at)


def hold_views(state: State, names: Names, *, every: bool) -> list[HoldView]:
    """Return the holds in force, or every hold there was, the oldest first; `names` knows whom pseudonyms stand for."""
    return [hold_view(entry, names) for entry in state.holds.values() if every or entry.released is None]


def hold_view(entry: HoldEntry, names: Names) -> HoldView:
    """Return a hold with its story."""
    hold, released = named(entry.placed, names), entry.released
    return HoldView(
        hold.hold, hold.tenant, hold.user, hold.subject, hold.session, hold.call, hold.since, hold.until, hold.reason,
        hold.who, entry.placed_at,
        released.who if released else None, entry.released_at, released.reason if released else None,
    )  # fmt: skip


def named(hold: HoldPlaced, names: Names) -> HoldPlaced:
    """Return a hold with names in the place of pseudonyms, as far as they are known."""
    known = names([one for one in (hold.user, hold.subject) if one is not None])
    user = known.get(hold.user, hold.user) if hold.user is not None else None
    subject = known.get(hold.subject, hold.subject) if hold.subject is not None else None
    return msgspec.structs.replace(hold, user=user, subject=subject)


def _may_cover(hold: HoldPlaced, scope: Scope) -> bool:
    if hold.tenant != scope.tenant:
        return False
    # One of another name is somebody else; a hold on a user may well be about this subject, and the other way round.
    if None not in (hold.user, scope.user) and hold.user != scope.user:
        return False
    if None not in (hold.subject, scope.subject) and hold.subject != scope.subject:
        return False
    return _within(hold, scope.since, scope.until)


def _within(hold: HoldPlaced, first: float | None, last: float | None) -> bool:
    """Whether a hold's time and this one, both ends of it included, have a moment in common."""
    if last is not None and hold.since is not None and last < _unix(hold.since):
        return False
    return first is None or hold.until is None or first < _unix(hold.until)


def _check_reason(reason: str) -> None:
    if not 0 < len(reason.strip()) <= LONGEST_REASON:
        raise Refused(f"say why, in at most {LONGEST_REASON:,} characters")


def _second(moment: str | None, name: str) -> float | None:
    if moment is None:
        return None
    try:
        return _unix(moment)
    except (ValueError, OverflowError):
        raise Refused(f"`{name}` is no time in UTC like 2027-06-30T12:00:00Z") from None


def _unix(moment: str) -> float:
    found = datetime.fromisoformat(moment)
    if found.tzinfo is None:
        raise ValueError(moment)
    return found.timestamp()
