"""Which team and cost centre a user's call counts for: those of its day, in the time zone of the tenant."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from trunkline.model.directory import Member, Place

# As text they lie before and after every day of the calendar.
OPEN_FIRST, OPEN_LAST = "", "~"

# The first day, the last day, and what a user's calls count for from one to the other.
Rows = tuple[tuple[str, str, Place], ...]


class Roster:
    """The teams of one tenant's users, ready to be looked up: `digest` and `time_zone` say of which directory.

    Users with the same history share it, so that a hundred thousand of them cost little more than their names.
    """

    def __init__(self, digest: str, time_zone: str, members: Iterable[Member]) -> None:
        self.digest, self.time_zone = digest, time_zone
        self._zone = ZoneInfo(time_zone)
        self._since = self._until = 0.0
        self._day = ""
        shared: dict[Rows, Rows] = {}
        self._rows = {member.user: shared.setdefault(rows, rows) for member in members for rows in (_rows_of(member),)}

    def place_of(self, user: str, now: float) -> Place | None:
        """Return what the user's call counts for at a Unix second; None where the directory has no row for that day."""
        rows = self._rows.get(user)
        if rows is None:
            return None
        first, last, place = rows[0]
        if first == OPEN_FIRST and last == OPEN_LAST:  # for good: no day to be looked at
            return place
        if not self._since <= now < self._until:
            self._turn_to(now)
        day = self._day
        return next((place for first, last, place in rows if first <= day <= last), None)

    def _turn_to(self, now: float) -> None:
        """Find the day of this second and when it begins and ends: at midnight there, which is not always 24 h away."""
        today = datetime.fromtimestamp(now, self._zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        self._since, self._until = today.timestamp(), (today + timedelta(days=1)).timestamp()
        self._day = today.date().isoformat()


def _rows_of(member: Member) -> Rows:
    return tuple(
        (row.first or OPEN_FIRST, row.last or OPEN_LAST, Place(row.team, row.cost_center)) for row in member.memberships
    )
