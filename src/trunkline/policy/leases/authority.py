"""The authority: it counts for all members, and grants, or says how long to wait."""

from typing import Final, final

from trunkline.policy.leases.books import Books
from trunkline.policy.leases.messages import (
    ACCOUNT,
    FEW,
    LEASE,
    MICROSECONDS,
    Answer,
    Ask,
    Counted,
    Report,
    Verdict,
    Want,
)
from trunkline.policy.leases.roster import Member, Roster
from trunkline.policy.leases.weighing import Weighing

SECOND: Final = MICROSECONDS


@final
class Authority:
    """One authority of one epoch, whose name no other has had.

    A member reports first what it has used. Nothing is granted beyond what the reports leave free, and nothing at all
    before all members that a report names have reported, or what they may have used is over.
    """

    __slots__ = ("_at", "_books", "_epoch", "_roster", "_weighing")

    def __init__(self, epoch: str, at: int, settle: int = 0) -> None:
        self._epoch, self._at = epoch, at
        self._books = Books()
        self._weighing = Weighing()
        self._roster = Roster(at, at + settle * SECOND)

    def hear(self, ask: Ask, now: int) -> Answer:
        """Return the answer to what a member says at this microsecond; a clock that goes back stands still."""
        at = self._at = max(self._at, now)
        roster = self._roster
        roster.forget(at)
        self._books.sweep(at)
        member = roster.members.get(ask.member)
        if member is not None and ask.session < member.session and not member.silent(at):
            return self._say(ask, "late")
        if ask.epoch == self._epoch:
            for correction in ask.corrections:
                self._books.correct(correction, ask.member, at)
        if ask.leaves:
            self._books.free_slots(ask.member)
            roster.leave(ask.member)
            return self._say(ask, "heard")
        if member is not None:
            member.session = ask.session
        if ask.report is not None:
            return self._take_report(ask, ask.report, member)
        if ask.epoch != self._epoch or member is None or ask.by == 0 or member.silent(at):
            return self._say(ask, "report")
        if ask.by < at:
            return self._say(ask, "late")
        return self._listen(ask, member)

    def closed(self, name: str) -> None:
        """Take note that a member's connection has ended: it is silent from now on."""
        member = self._roster.members.get(name)
        if member is not None:
            member.closed = True
            self._books.free_slots(name)

    def _take_report(self, ask: Ask, report: Report, member: Member | None) -> Answer:
        """Count what a member has used, unless it was counted when it was granted."""
        at = self._at
        if report.last and 0 < ask.by < at:
            return self._say(ask, "late")
        if report.first:
            self._books.free_slots(ask.member)
        word = self._roster.last_word(ask.member, report.after, at)
        for counted in report.counted:
            if word < 0 or _unheard_of(counted, at - word):
                self._books.restore(counted, ask.member, at)
            if counted.spent > 0:
                self._weighing.restore(counted, ask.member, report.after)
        if not report.last or ask.by == 0:
            return self._say(ask, "report")
        if member is None:
            member = self._roster.join(ask.member, ask.session, ask.divisor, at)
            if report.epoch != self._epoch:
                self._roster.await_others(report)
        return self._listen(ask, member)

    def _listen(self, ask: Ask, member: Member) -> Answer:
        """Take an ask for a member's word, and decide on what it wants."""
        at, roster = self._at, self._roster
        member.word, member.closed = at, False
        member.knows = ask.roster if ask.epoch == self._epoch else 0
        told = roster.tell(ask.member, ask.divisor)
        admitted = roster.admit(ask.member, at)
        if not ask.wants:
            return self._say(ask, "heard", told, admitted=admitted)
        refusals, over = self._refusals(ask.wants, admitted=admitted)
        if refusals:
            return self._say(ask, "refused", told, admitted=admitted, refusals=tuple(refusals))
        grants = tuple([self._grant(want, ask.member) for want in ask.wants])
        return self._say(ask, "granted", told, admitted=admitted, grants=grants, over=tuple(over))

    def _weigh(self, ask: Ask, *, admitted: bool) -> tuple[tuple[int, int, int], ...] | None:
        """Return the thresholds of budgets that were reached; None as long as what others have spent is not known."""
        if not ask.spent or not admitted or self._roster.open_in(ACCOUNT, self._at) > 0:
            return None
        found: list[tuple[int, int, int]] = []
        for place, spent in enumerate(ask.spent):
            reached, units = self._weighing.weigh(spent, ask.member)
            found += [(place, percent, units) for percent in reached]
        return tuple(found)

    def _refusals(self, wants: tuple[Want, ...], *, admitted: bool) -> tuple[list[tuple[int, int, int]], list[int]]:
        """Return the wants that do not fit, with their waits and the units in use, and those that do not block."""
        at, roster = self._at, self._roster
        heard = roster.heard(at)
        refusals: list[tuple[int, int, int]] = []
        over: list[int] = []
        for position, want in enumerate(wants):
            used = self._books.used(want, heard, at)
            wait = roster.open_in(want.span, at) if admitted else SECOND
            if wait == 0:
                limit = want.limit - roster.withheld(want.span, want.limit, at)
                if used + want.need <= limit:
                    continue
                wait = self._books.wait(want, limit, at)
            if want.blocks:
                refusals.append((position, wait, used))
            else:
                over.append(position)
        return refusals, over

    def _grant(self, want: Want, member: str) -> tuple[int, int, int]:
        """Grant what is needed, and more where there is room, but to nobody more than a fair part of it."""
        at, roster = self._at, self._roster
        used = self._books.used(want, roster.heard(at), at)
        units, count = want.need, roster.count()
        if want.extra > 0 and want.limit >= FEW * count * want.need:
            room = want.limit - roster.withheld(want.span, want.limit, at) - used - want.need
            units += min(want.extra, max(0, room) // count)
        return units, self._books.grant(want, units, member, at), used + units

    def _say(
        self,
        ask: Ask,
        verdict: Verdict,
        divisor: int = 0,
        *,
        admitted: bool = False,
        grants: tuple[tuple[int, int, int], ...] = (),
        over: tuple[int, ...] = (),
        refusals: tuple[tuple[int, int, int], ...] = (),
    ) -> Answer:
        roster = self._roster
        return Answer(
            serial=ask.serial,
            verdict=verdict,
            epoch=self._epoch,
            at=self._at,
            roster=roster.version,
            divisor=divisor,
            members=roster.count(),
            admitted=admitted,
            grants=grants,
            over=over,
            refusals=refusals,
            names=roster.names() if ask.roster != roster.version or ask.epoch != self._epoch else (),
            crossed=self._weigh(ask, admitted=admitted),
        )


def _unheard_of(counted: Counted, silence: int) -> bool:
    """Return whether a known member's use is news: use of its share, which begins a window after it was heard last."""
    if counted.span > 0:
        return silence > (counted.span + LEASE) * SECOND
    return counted.shared or counted.span != ACCOUNT
