"""Who the members are, what each knows of the others, and what is withheld for those that are not heard.

A member that is not heard may be gone, or may have lost the authority and use its share. Nobody can tell, so its share
is withheld. Shares are parts of one whole: no member is told a share before the others have let go of so much, and so
all of them together never exceed a limit, whoever was told when.
"""

from typing import Final, final

from trunkline.policy.leases.messages import DAY, LEASE, MICROSECONDS, SILENT, SLOTS, Report

SECOND: Final = MICROSECONDS
# Sums of a few thousand fractions are exact to more digits than that; a sum that is above one is so by more.
ROUNDING: Final = 1e-9
# The longest window is a day: until then what a member used when its share ended may count.
FORGOTTEN: Final = 2 * DAY * SECOND
# How long those who have left are known: longer than a month, whose budgets they have used of.
KEPT: Final = 63 * DAY * SECOND


@final
class Member:
    """What is known of a member. `word` is when it was last heard; `joined` and `knows` are versions of the roster."""

    __slots__ = ("admitted", "closed", "divisor", "joined", "knows", "session", "word")

    def __init__(self, session: int, joined: int, at: int) -> None:
        self.session, self.joined, self.word = session, joined, at
        self.knows = self.divisor = 0
        self.closed = self.admitted = False

    def silent(self, at: int) -> bool:
        """Return whether it has not been heard for too long."""
        return self.closed or at - self.word > SILENT * SECOND


@final
class Roster:
    """The members, and those that are only known by name from what others reported after the epoch began at `began`.

    Where there may be members that nobody has named, those who have just been started wait until `settled`: until then
    whoever was there in an earlier epoch has come back, and says who else was. Of those who have left is kept when they
    were heard last: what they have used is counted, and they may come back and report it.
    """

    __slots__ = ("_awaited", "_began", "_claimed", "_left", "_opened", "_settled", "members", "version")

    def __init__(self, began: int, settled: int) -> None:
        self.members: dict[str, Member] = {}
        self.version = 1
        self._began, self._settled = began, settled
        self._left: dict[str, int] = {}
        self._awaited: dict[str, bool] = {}  # by name: whether it may have a share
        self._opened = False  # once all that are known have reported
        self._claimed = 0.0  # the shares, parts of one, that members brought from an earlier epoch

    def names(self) -> tuple[str, ...]:
        """Return all names, ordered."""
        return tuple(sorted([*self.members, *self._awaited]))

    def count(self) -> int:
        """Return the number of members, of those that are awaited too."""
        return len(self.members) + len(self._awaited)

    def heard(self, at: int) -> list[str]:
        """Return the names of the members that are not silent."""
        return [name for name, member in self.members.items() if not member.silent(at)]

    def await_others(self, report: Report) -> None:
        """Take note of the members that a report of an earlier epoch names and that have not reported themselves.

        Workers that are started when the epoch knows all members have nothing to tell that it does not know.
        """
        if report.fresh and self._opened:
            return
        if not report.fresh:
            self._settled = self._began
        for name in report.names:
            if name not in self.members and self._awaited.get(name) in (None, False):
                if name not in self._awaited:
                    self.version += 1
                self._awaited[name] = not report.fresh

    def last_word(self, name: str, after: tuple[str, ...], at: int) -> int:
        """Return when one that reports was heard last in this epoch, -1 for never.

        One that comes after others, who were heard, brings what is counted already: as if it had been heard now.
        """
        self._left = {gone: word for gone, word in self._left.items() if at - word <= KEPT}
        member = self.members.get(name)
        if member is not None:
            return member.word
        if any(gone in self.members or gone in self._left for gone in after):
            return at
        return self._left.get(name, -1)

    def join(self, name: str, session: int, divisor: int, at: int) -> Member:
        """Make a member of one that has reported; `divisor` is that of the share it has from an earlier epoch."""
        if self._awaited.pop(name, None) is None:
            self.version += 1
        if divisor > 0:
            self._claimed += 1.0 / divisor
        member = self.members[name] = Member(session, self.version, at)
        return member

    def leave(self, name: str) -> None:
        """Forget a member that will use nothing any more, but for when it was heard last."""
        member = self.members.pop(name, None)
        if member is not None:
            self._left[name] = member.word
            self.version += 1

    def forget(self, at: int) -> None:
        """Forget members that nothing is withheld for any more."""
        for name in [name for name, member in self.members.items() if at - member.word > FORGOTTEN]:
            self.leave(name)
        if self._awaited and at - self._began > FORGOTTEN:
            self._awaited = {}
            self.version += 1

    def admit(self, name: str, at: int) -> bool:
        """Return whether a member gets anything: only once all that are heard know of it.

        Should the authority lose its memory, they are the ones who tell the next one of whom to wait for.
        """
        member = self.members[name]
        if not member.admitted and at >= self._settled:
            member.admitted = all(
                other.knows >= member.joined
                for other_name, other in self.members.items()
                if other_name != name and not other.silent(at)
            )
        if member.admitted and not self._awaited:
            self._opened = True
        return member.admitted

    def open_in(self, span: int, at: int) -> int:
        """Return the microseconds until such units may be granted: all have reported, or what they used is over."""
        if not self._awaited:
            return 0
        seconds = SILENT if span == SLOTS else span + LEASE if span > 0 else DAY
        return max(0, self._began + seconds * SECOND - at)

    def withheld(self, span: int, limit: int, at: int) -> int:
        """Return the units of a limit that are withheld for members that are not heard."""
        reach = (DAY + max(span, 0)) * SECOND
        units = 0
        for member in self.members.values():
            if member.divisor > 0 and member.silent(at) and at - member.word <= reach:
                units += limit // member.divisor
        if at - self._began <= reach:
            units += -int(-limit * self._unknown() // 1)
        return min(units, limit)

    def tell(self, name: str, had: int) -> int:
        """Return the divisor of a member's share, 0 for none; `had` is that of the share it has so far.

        Until it has said that it has been told, it may have either: the larger share counts.
        """
        member = self.members[name]
        taken = self._unknown()
        for other_name, other in self.members.items():
            if other_name != name and other.divisor > 0:
                taken += 1.0 / other.divisor
        count = self.count()
        told = count if taken + 1.0 / count <= 1.0 + ROUNDING else 0
        member.divisor = min(had, told) if had > 0 and told > 0 else max(had, told)
        return told

    def _unknown(self) -> float:
        """Return what the shares of those who are awaited may be together, as a part of one."""
        return max(0.0, 1.0 - self._claimed) if True in self._awaited.values() else 0.0
