"""A member's line to the authority: which asks wait for an answer, and when none will come any more."""

from collections.abc import Callable
from typing import Final, final

from trunkline.policy.leases.holdings import LOOK_EVERY, Holdings
from trunkline.policy.leases.messages import Answer, Ask
from trunkline.policy.leases.pending import Pending
from trunkline.policy.leases.unweighed import Crossing
from trunkline.policy.limits.limiter import Refusal, Reservation
from trunkline.policy.limits.moment import Moment

# What a call that asked has got; None means that it has to begin again, with what has changed since.
Outcome = Reservation | Refusal | None
Resolve = Callable[[Outcome], None]
# A look that comes so much later than it should is that of a process that stood still, as may have what it waits for.
LATE: Final = 2.5 * LOOK_EVERY


@final
class Asked:
    """An ask without an answer so far: when it went out, and for which call; `looks` counts looks since."""

    __slots__ = ("ask", "at", "looks", "pending", "resolve")

    def __init__(self, ask: Ask, at: float, pending: Pending | None, resolve: Resolve | None) -> None:
        self.ask, self.at, self.pending, self.resolve = ask, at, pending, resolve
        self.looks = 0


@final
class Line:
    """Sends asks and takes answers for one member; `send` is called with what is to go out.

    The authority is lost once an ask has had no answer for `patience` seconds, or whoever carries it says so.
    """

    def __init__(self, holdings: Holdings, send: Callable[[Ask], None], patience: float, now: Moment) -> None:
        self.holdings = holdings
        self._send, self._patience = send, patience
        self._asked: dict[int, Asked] = {}
        self._waiting: list[tuple[Pending, Resolve]] = []
        self._looked = now.monotonic

    def ask(self, pending: Pending, resolve: Resolve, now: Moment) -> None:
        """Ask for a call; `resolve` is called once, with what it has got."""
        if self.holdings.contact.phase == "reporting":
            self._waiting.append((pending, resolve))
            return
        self._post(self.holdings.ask(pending, now), pending, resolve, now)

    def hear(self, answer: Answer, now: Moment) -> list[Crossing]:
        """Take an answer and return the thresholds to tell; one to a question of an earlier session changes nothing."""
        asked = self._asked.pop(answer.serial, None)
        if asked is None:
            return []
        crossings = self.holdings.weighed(answer)
        more = self.holdings.hear(answer, asked.at, now)
        if asked.pending is not None and asked.resolve is not None:
            asked.resolve(self._outcome(asked.pending, answer, asked.at, now))
        if more:
            self.speak(now)
        if self.holdings.contact.phase != "reporting":
            self._go_on()
        return crossings

    def speak(self, now: Moment) -> None:
        """Say what there is to say of one's own accord; a report with all its parts."""
        ask = self.holdings.speak(now)
        while ask is not None:
            self._post(ask, None, None, now)
            ask = self.holdings.speak(now) if self.holdings.contact.phase == "reporting" else None

    def look(self, now: Moment) -> None:
        """Look after leases, signs of life and answers that do not come; to be called every `LOOK_EVERY` seconds."""
        late = now.monotonic - self._looked > LATE
        self._looked = now.monotonic
        for asked in self._asked.values():
            if not late:
                asked.looks += 1
            if asked.looks > 1 and now.monotonic - asked.at >= self._patience:
                self.lose(now)
                break
        self.holdings.look(now)
        if self.holdings.contact.phase != "lost" or not self._asked:
            self.speak(now)

    def lose(self, now: Moment) -> None:
        """Give up on all answers: the calls that wait for them begin again, without the authority."""
        asked, self._asked = list(self._asked.values()), {}
        self.holdings.lose(now, [lost.ask for lost in asked])
        for lost in asked:
            if lost.pending is not None and lost.resolve is not None:
                self.holdings.unanswered(lost.pending)
                lost.resolve(None)
        self._go_on()

    def leave(self, now: Moment) -> Ask:
        """Return what gives everything back and says goodbye; nothing may be asked any more."""
        self.lose(now)
        return self.holdings.leave()

    def _post(self, ask: Ask, pending: Pending | None, resolve: Resolve | None, now: Moment) -> None:
        self._asked[ask.serial] = Asked(ask, now.monotonic, pending, resolve)
        self._send(ask)

    def _outcome(self, pending: Pending, answer: Answer, asked: float, now: Moment) -> Outcome:
        if answer.verdict == "granted":
            return self.holdings.granted(pending, answer, asked, now)
        if answer.verdict == "refused":
            return self.holdings.refused(pending, answer, now)
        self.holdings.unanswered(pending)
        return None

    def _go_on(self) -> None:
        """Let the calls begin again that came while a report was under way."""
        waiting, self._waiting = self._waiting, []
        for pending, resolve in waiting:
            self.holdings.unanswered(pending)
            resolve(None)
