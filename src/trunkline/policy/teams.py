"""Which team a user's call counts for: the one of its day, in the time zone of the tenant."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from trunkline.model.directory import Member

# As text they lie before and after every day of the calendar.
OPEN_FIRST, OPEN_LAST = "", "~"

# A user who is in one team for good has its name alone; else there is a (first day, last day, team) for each time.
Teams = str | tuple[tuple[str, str, str], ...]


class Roster:
    """The teams of one tenant's users, ready to be looked up: `digest` and `time_zone` say of which directory.

    Users with the same history share it, so that a hundred thousand of them cost little more than their names.
    """

    def __init__(self, digest: str, time_zone: str, members: Iterable[Member]) -> None:
        self.digest, self.time_zone = digest, time_zone
        self._zone = ZoneInfo(time_zone)
        self._since = self._until = 0.0
        self._day = ""
        shared: dict[Teams, Teams] = {}
        self._teams = {
            member.user: shared.setdefault(teams, teams) for member in members for teams in (_teams_of(member),)
        }

    def team_of(self, user: str, now: float) -> str | None:
        """Return the user's team at a Unix second; None where the directory has none for that day."""
        teams = self._teams.get(user)
        if teams is None or isinstance(teams, str):
            return teams
        if not self._since <= now < self._until:
            self._turn_to(now)
        day = self._day
        return next((team for first, last, team in teams if first <= day <= last), None)

    def _turn_to(self, now: float) -> None:
        """Find the day of this second and when it begins and ends: at midnight there, which is not always 24 h away."""
        today = datetime.fromtimestamp(now, self._zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        self._since, self._until = today.timestamp(), (today + timedelta(days=1)).timestamp()
        self._day = today.date().isoformat()


def _teams_of(member: Member) -> Teams:
    rows = member.memberships
    if len(rows) == 1 and rows[0].first is None and rows[0].last is None:
        return rows[0].team
    return tuple((row.first or OPEN_FIRST, row.last or OPEN_LAST, row.team) for row in rows)
