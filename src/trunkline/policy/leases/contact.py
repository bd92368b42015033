"""Whether a member is in contact with the authority, and what that allows."""

from typing import Final, Literal, final

from trunkline.policy.leases.messages import DAY, LEASE, MICROSECONDS, PATIENCE, SILENT, Answer
from trunkline.policy.limits.moment import Moment

Phase = Literal["lost", "reporting", "in_touch"]

# Seconds after a loss until the authority, if others still reach it, certainly withholds this member's share, and what
# it granted to others before that is used: a word of ours is heard at most PATIENCE after it was sent, we count as
# silent SILENT after it, and a grant made just before may be spent for LEASE. A whole window later the share may begin.
WITHHELD_AFTER: Final = PATIENCE + SILENT + LEASE


@final
class Contact:
    """The member's view: `lost` since a moment, `reporting` what it has used, or `in_touch`.

    A session ends with each loss: answers to what was asked before no longer count, neither here nor there.
    """

    __slots__ = (
        "_at",
        "_heard",
        "_share",
        "_word",
        "admitted",
        "after",
        "divisor",
        "epoch",
        "fresh",
        "known_in",
        "members",
        "names",
        "phase",
        "roster",
        "session",
        "since",
    )

    def __init__(self, session: int, names: tuple[str, ...], now: Moment, *, fresh: bool, share: bool) -> None:
        self.session, self.names, self.since = session, names, now
        self.phase: Phase = "lost"
        self.epoch = self.known_in = ""  # what the authority calls itself; the epoch in which it heard us last
        self.roster = self.divisor = 0
        self.members = len(names)
        self.after: tuple[str, ...] = ()  # members that there are no longer, whose use we have counted
        self.admitted, self.fresh, self._share = False, fresh, share
        self._at, self._heard, self._word = 0, 0.0, 0.0

    def lose(self, now: Moment) -> None:
        """Give up on all answers that have not come."""
        self.session += 1
        if self.phase != "lost":
            self.phase, self.since = "lost", now

    def take(self, answer: Answer, asked: float, now: Moment) -> None:
        """Take what an answer, to what was asked at a monotonic second, says of the authority and of the others."""
        self._at, self._heard = answer.at, now.monotonic
        if answer.verdict == "late":
            return
        if answer.verdict == "report":
            self.phase = "reporting"
            if answer.epoch != self.epoch:
                self.epoch, self.roster = answer.epoch, 0
            return
        self.phase = "in_touch"
        self.fresh, self._word, self.known_in = False, asked, self.epoch
        self.divisor, self.members, self.admitted = answer.divisor, answer.members, answer.admitted
        self.roster = answer.roster
        if answer.names:
            self.names = answer.names

    def by(self, now: Moment) -> int:
        """Return the authority's moment until which what is said now may be heard as a word."""
        if self.phase == "lost":
            return 0
        return self._at + int((now.monotonic - self._heard + PATIENCE) * MICROSECONDS)

    def share_begins(self, span: int) -> float:
        """Return the monotonic second at which the share of a window, or of slots, may be used."""
        return self.since.monotonic + WITHHELD_AFTER + max(span, 0)

    def has_share(self, now: Moment) -> bool:
        """Return whether there is a share to use: one was told, and the authority heard us within a day."""
        return self._share and self.divisor > 0 and now.monotonic - self._word < DAY
