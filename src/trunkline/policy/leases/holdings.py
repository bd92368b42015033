"""A member's side: it spends what it holds, asks for what it does not, and does without the authority where it must."""

from collections import deque
from collections.abc import Sequence
from math import inf
from typing import Final, final

from trunkline.policy.leases.alone import period_left, wait_alone
from trunkline.policy.leases.contact import Contact
from trunkline.policy.leases.held import Held, Lot
from trunkline.policy.leases.messages import (
    ACCOUNT,
    FEW,
    LEASE,
    MICROSECONDS,
    NEVER,
    NEXT_PERIOD,
    SLOTS,
    Answer,
    Ask,
    Correction,
    Report,
    Want,
)
from trunkline.policy.leases.outbox import Outbox
from trunkline.policy.leases.pending import Pending
from trunkline.policy.leases.reports import report
from trunkline.policy.leases.unweighed import Crossing, Unweighed
from trunkline.policy.limits.counter import Counter
from trunkline.policy.limits.limiter import Limiter, Refusal, Reservation, Standing
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.rules import OTHERS, Claim, Measure, Needs, Rule, units_of

# Seconds between looks at what is not used; a lease that would end before the next one is given back.
LOOK_EVERY: Final = 0.2
# Counters looked at each time, to let go of the idle ones.
SWEEP: Final = 100
HEARTBEAT: Final = 1.0


@final
class Holdings:
    """What one member holds of all counters; `own` is to have what it has used itself, before it was started too.

    `names` are the workers that are started beside it, its own among them. `session` is greater than that of any
    process that had its name before. `fresh` says that all of these workers have just been started, so that none of
    them has a share; `share` whether it uses its own once the authority is lost.
    """

    def __init__(
        self, own: Limiter, name: str, names: tuple[str, ...], session: int, now: Moment, *, fresh: bool, share: bool
    ) -> None:
        self.own = own
        self.contact = Contact(session, names, now, fresh=fresh, share=share)
        self._name = name
        self._held: dict[tuple[str, str], Held] = {}
        self._live: deque[tuple[str, str]] = deque()
        self._active: dict[tuple[str, str], Held] = {}
        self._outbox = Outbox()
        self.unweighed = Unweighed()
        self._serial = self._generation = 0
        self._looked = self._spoke = now.monotonic
        self._reporting: deque[Report] = deque()
        self._must_speak = False

    # Calls

    def take(self, claims: Sequence[Claim], needs: Needs, now: Moment) -> Reservation | Refusal | Pending:
        """Take what a call needs from what is held, or from none of it; a `Pending` has to be asked for."""
        found = [self._of(claim.rule, claim.owner, now) for claim in claims]
        enough = True
        for held in found:
            if held.available(now.monotonic) < units_of(held.rule, needs):
                enough = False
                break
        if enough:
            leased = [held.take(units_of(held.rule, needs), now.monotonic) for held in found]
            return self._reserve(claims, needs, found, leased, [], now)
        if self.contact.phase == "lost":
            return self._alone(claims, needs, found, now)
        refusal = self._refused_just_now(claims, needs, found, now)
        return refusal if refusal is not None else self._pending(claims, needs, found, now)

    def granted(self, pending: Pending, answer: Answer, asked: float, now: Moment) -> Reservation | None:
        """Take what a call was granted; `asked` is when, in monotonic seconds, it was asked for.

        None if it came too late to be used: it is given back, and the call has to begin again.
        """
        expires = asked + LEASE
        lots = [list(in_hand) for in_hand in pending.in_hand]
        self._heard_of(pending)
        for number, want in enumerate(pending.wants):
            units, mark, used = answer.grants[number]
            held = pending.found[pending.positions[number]]
            held.seen, held.seen_at = used, now.monotonic
            lots[pending.positions[number]].append(Lot(want.need, mark, expires))
            if units > want.need:
                self._put(held, [Lot(units - want.need, mark, expires)])
        if pending.generation != self._generation or not _all_good(lots, now.monotonic):
            pending.in_hand = lots
            self._put_back(pending)
            return None
        over = [pending.claims[pending.positions[number]] for number in answer.over]
        return self._reserve(pending.claims, pending.needs, pending.found, lots, over, now)

    def refused(self, pending: Pending, answer: Answer, now: Moment) -> Refusal:
        """Return why a call was refused: by the rule that makes it wait longest."""
        self.unanswered(pending)
        worst, longest, in_use = pending.claims[0], -1.0, 0
        over: list[Claim] = []
        for number, microseconds, used in answer.refusals:
            position = pending.positions[number]
            claim, held = pending.claims[position], pending.found[position]
            wait = microseconds / MICROSECONDS
            if microseconds == NEVER:
                wait = inf
            elif microseconds == NEXT_PERIOD:
                wait = period_left(self.own.counter(claim.rule, held.owner, now), now)
            held.refuse(claim.rule.limit, units_of(claim.rule, pending.needs), wait, used, now.monotonic)
            over.append(claim)
            if wait > longest:
                worst, longest, in_use = claim, wait, used
        return Refusal(worst, longest, in_use, units_of(worst.rule, pending.needs), over)

    def unanswered(self, pending: Pending) -> None:
        """Hold again what a call had in hand that got no grant."""
        self._heard_of(pending)
        self._put_back(pending)

    def settle(self, reservation: Reservation, used: Needs, now: Moment) -> None:
        """End a reservation with what the call has used; a second end changes nothing."""
        if not reservation.ended:
            self.own.settle(reservation, used, now)
            self._correct(reservation, used, now)
            if used.money > 0:
                self.unweighed.note(reservation)

    def release(self, reservation: Reservation, now: Moment) -> None:
        """Undo a reservation whose call never began; a second end changes nothing."""
        if not reservation.ended:
            self.own.release(reservation, now)
            self._correct(reservation, None, now)

    def charge(self, claim: Claim, units: int, now: Moment) -> None:
        """Count what was used without having been asked for."""
        self.own.counter(claim.rule, claim.owner, now).take(units, now)
        self._charge(self._of(claim.rule, claim.owner, now), units, now)

    def standing(self, claims: Sequence[Claim], measure: Measure, now: Moment) -> Standing | None:
        """Return how the call's owner stands who has least left, as far as this member knows; None without a limit."""
        least: Standing | None = None
        for claim in claims:
            rule = claim.rule
            if rule.measure != measure or not rule.blocks:
                continue
            counter = self.own.counter(rule, claim.owner, now)
            used = counter.used(now)
            held = self._held.get((rule.id, claim.owner))
            if held is not None and now.monotonic - held.seen_at < max(held.span, 1):
                used = max(used, held.seen - held.available(now.monotonic))
            left = max(0, rule.limit - used)
            if least is None or left < least.left:
                least = Standing(claim, left, counter.reset(now))
        return least

    # Talking with the authority

    def ask(self, pending: Pending, now: Moment) -> Ask:
        """Return what to ask for a call."""
        for number, want in enumerate(pending.wants):
            if want.extra > 0:
                pending.found[pending.positions[number]].asked += 1
        return self._say(now, tuple(pending.wants), None)

    def speak(self, now: Moment) -> Ask | None:
        """Return what is to be said of one's own accord, None for nothing: a report, corrections, a sign of life.

        While the authority is lost, ask whether it is there, as often as this is called.
        """
        if self.contact.phase == "lost":
            return self._say(now, (), None)
        if self.contact.phase == "reporting":
            return self._say(now, (), self._reporting.popleft()) if self._reporting else None
        silent = now.monotonic - self._spoke
        if self._must_speak or not self._outbox.empty or silent >= HEARTBEAT or not self.contact.admitted:
            return self._say(now, (), None)
        return self._say(now, (), None) if self.unweighed.due(now) else None

    def hear(self, answer: Answer, asked: float, now: Moment) -> bool:
        """Take what an answer says of the authority; returns whether there is something to say at once."""
        contact = self.contact
        before, roster, epoch = contact.phase, contact.roster, contact.epoch
        contact.take(answer, asked, now)
        if answer.verdict == "report":
            if before != "reporting" or contact.epoch != epoch:
                self._begin_report(now, anew=contact.epoch != epoch)
            return bool(self._reporting)
        if answer.verdict == "late" and contact.phase == "reporting" and not self._reporting:
            self._begin_report(now, anew=False)
        if before == "reporting" and contact.phase == "in_touch":
            self._forget_shares()
        self._must_speak = answer.verdict == "late" or contact.roster != roster
        # One that was late may be so again: it has time until the next look.
        return self._must_speak and answer.verdict != "late"

    def weighed(self, answer: Answer) -> list[Crossing]:
        """Return the thresholds of budgets that an answer says are to be told."""
        return self.unweighed.hear(answer.serial, answer.crossed)

    def lose(self, now: Moment, unheard: Sequence[Ask]) -> None:
        """Do without the authority from now on; what is held is spent until its leases end.

        What was used beyond a grant and said in one of the `unheard` is said again: counted twice is better than never.
        """
        self.contact.lose(now)
        self.unweighed.lose()
        self._reporting.clear()
        for held in self._active.values():
            if held.span == SLOTS:
                held.lots = []
        for ask in unheard:
            self._outbox.say_again(ask.corrections)

    def leave(self) -> Ask:
        """Give everything back and say goodbye: nothing may be taken any more."""
        for held in list(self._active.values()):
            for lot in held.ending(inf):
                self._give_back(held, lot.mark, lot.units)
        self._serial += 1
        contact = self.contact
        return Ask(
            serial=self._serial,
            member=self._name,
            session=contact.session,
            epoch=contact.epoch,
            corrections=self._outbox.take(),
            leaves=True,
        )

    def look(self, now: Moment) -> None:
        """Give back what will not be used, and let go of what is idle; to be called every `LOOK_EVERY` seconds."""
        seconds = now.monotonic - self._looked
        if seconds <= 0.0:
            return
        self._looked = now.monotonic
        for name, held in list(self._active.items()):
            for lot in held.ending(now.monotonic + LOOK_EVERY):
                self._give_back(held, lot.mark, lot.units)
            if not held.look(seconds):
                del self._active[name]
        self.own.sweep(now, SWEEP)
        for _ in range(min(SWEEP, len(self._live))):
            name = self._live.popleft()
            held = self._held[name]
            if held.waiting or name in self._active or self.own.find(*name) is not None:
                self._live.append(name)
            else:
                del self._held[name]

    @property
    def urgent(self) -> bool:
        """Whether others may wait for what is to be given back."""
        return self._outbox.urgent

    # Taking

    def _of(self, rule: Rule, owner: str, now: Moment) -> Held:
        self.own.counter(rule, owner, now)
        if rule.scope == "user" and self.own.find(rule.id, owner) is None:
            owner = OTHERS
        held = self._held.get((rule.id, owner))
        if held is None:
            held = self._held[rule.id, owner] = Held(rule, owner)
            self._live.append((rule.id, owner))
        held.rule = rule
        return held

    def _reserve(
        self,
        claims: Sequence[Claim],
        needs: Needs,
        found: list[Held],
        lots: list[list[Lot]] | None,
        over: list[Claim],
        now: Moment,
    ) -> Reservation:
        counters: list[Counter] = []
        reservation = Reservation(claims, counters, needs, over)
        for held in found:
            units = units_of(held.rule, needs)
            counter = self.own.counter(held.rule, held.owner, now)
            counter.holders += 1
            counters.append(counter)
            reservation.marks.append(counter.take(units, now))
            held.taken += units
            self._active[held.rule.id, held.owner] = held
        if lots is not None:
            reservation.leased = [[(lot.mark, lot.units) for lot in parts] for parts in lots]
        return reservation

    def _pending(self, claims: Sequence[Claim], needs: Needs, found: list[Held], now: Moment) -> Pending:
        """Take in hand what there is, and ask for the rest."""
        pending = Pending(claims, needs, found, self._generation)
        for position, held in enumerate(found):
            held.waiting += 1
            rule, units = held.rule, units_of(held.rule, needs)
            # What would end while it waits for the others is no help.
            in_hand = held.take(units, now.monotonic + LOOK_EVERY * 2)
            missing = units - sum([lot.units for lot in in_hand])
            pending.in_hand.append(in_hand)
            if missing <= 0:
                continue
            extra = 0
            if held.asked == 0 and rule.ahead and rule.limit >= FEW * self.contact.members * units:
                extra = max(0, held.expected() - missing)
            mark = self.own.counter(rule, held.owner, now).take(0, now) if held.span == ACCOUNT else 0
            pending.positions.append(position)
            pending.wants.append(Want(rule.id, held.owner, held.span, rule.limit, missing, extra, mark, rule.blocks))
        return pending

    def _refused_just_now(
        self, claims: Sequence[Claim], needs: Needs, found: list[Held], now: Moment
    ) -> Refusal | None:
        worst, longest = -1, 0.0
        over: list[Claim] = []
        for position, held in enumerate(found):
            if now.monotonic < held.refused_until and held.rule.blocks:
                units = units_of(held.rule, needs)
                known = units >= held.refused_units and held.rule.limit <= held.refused_limit
                if known and held.available(now.monotonic) < units:
                    over.append(claims[position])
                    if held.wait_ends - now.monotonic > longest:
                        worst, longest = position, held.wait_ends - now.monotonic
        if worst < 0:
            return None
        claim = claims[worst]
        return Refusal(claim, longest, found[worst].seen, units_of(claim.rule, needs), over)

    def _alone(self, claims: Sequence[Claim], needs: Needs, found: list[Held], now: Moment) -> Reservation | Refusal:
        """Decide without the authority: by the share of every limit, once nobody else may use it any more."""
        worst, longest = claims[0], -1.0
        refusing: list[Claim] = []
        over: list[Claim] = []
        for position, claim in enumerate(claims):
            held = found[position]
            counter = self.own.counter(claim.rule, held.owner, now)
            wait = wait_alone(counter, held, units_of(claim.rule, needs), self.contact, now)
            if wait <= 0.0:
                continue
            if not claim.rule.blocks:
                over.append(claim)
                continue
            refusing.append(claim)
            if wait > longest:
                worst, longest = claim, wait
        if refusing:
            used = self.own.counter(worst.rule, worst.owner, now).used(now)
            return Refusal(worst, longest, used, units_of(worst.rule, needs), refusing)
        for held in found:
            held.shared = True
        return self._reserve(claims, needs, found, None, over, now)

    # Giving back

    def _put(self, held: Held, lots: list[Lot]) -> None:
        if lots:
            held.put(lots)
            self._active[held.rule.id, held.owner] = held

    def _put_back(self, pending: Pending) -> None:
        if pending.generation == self._generation:
            for position, held in enumerate(pending.found):
                self._put(held, pending.in_hand[position])
        pending.in_hand = [[] for _ in pending.found]

    def _heard_of(self, pending: Pending) -> None:
        for held in pending.found:
            held.waiting -= 1
        for number, want in enumerate(pending.wants):
            if want.extra > 0:
                pending.found[pending.positions[number]].asked -= 1

    def _correct(self, reservation: Reservation, used: Needs | None, now: Moment) -> None:
        """Give back what a call did not use, and own up to what it used beyond its reservation."""
        leased = reservation.leased
        for position, claim in enumerate(reservation.claims):
            rule, measure = claim.rule, claim.rule.measure
            reserved = units_of(rule, reservation.needs)
            spent = units_of(rule, used) if used is not None and measure != "concurrent" else 0
            if spent == reserved:
                continue
            held = self._of(claim.rule, claim.owner, now)
            if measure == "concurrent":
                self._free(held, reserved, now)
            elif spent > reserved:
                self._charge(held, spent - reserved, now)
            elif leased is not None:
                unused = reserved - spent
                for mark, units in leased[position]:
                    part = min(units, unused)
                    if part > 0:
                        self._give_back(held, mark, part)
                        unused -= part

    def _free(self, held: Held, slots: int, now: Moment) -> None:
        """Keep a slot for a moment where there are many, else give it back."""
        if self.contact.phase == "in_touch" and held.rule.limit >= FEW * self.contact.members:
            self._put(held, [Lot(slots, 0, now.monotonic + LEASE)])
        else:
            self._give_back(held, 0, slots)

    def _charge(self, held: Held, units: int, now: Moment) -> None:
        mark = self.own.counter(held.rule, held.owner, now).take(0, now) if held.span == ACCOUNT else 0
        self._outbox.add(Correction(held.rule.id, held.owner, held.span, mark, units))

    def _give_back(self, held: Held, mark: int, units: int) -> None:
        self._outbox.add(Correction(held.rule.id, held.owner, held.span, mark, -units))

    # Reporting

    def _begin_report(self, now: Moment, *, anew: bool) -> None:
        """Say what has been used; what is held, and what was not said yet, is in it or given up."""
        self._generation += 1
        for held in self._active.values():
            held.lots = []
        self._outbox.report_begins(anew=anew)
        shared = {name for name, held in self._held.items() if held.shared}
        self._reporting = report(self.own, shared, self.contact, now)

    def _forget_shares(self) -> None:
        for held in self._held.values():
            held.shared = False

    def _say(self, now: Moment, wants: tuple[Want, ...], report: Report | None) -> Ask:
        self._serial += 1
        contact = self.contact
        corrections: tuple[Correction, ...] = ()
        # A word that may come too late to be heard takes nothing along; what is lost is kept for later.
        if contact.phase != "lost":
            self._spoke, self._must_speak = now.monotonic, False
            corrections = self._outbox.take()
        weigh = self.contact.phase == "in_touch" and not wants and self.unweighed.due(now)
        return Ask(
            serial=self._serial,
            member=self._name,
            session=contact.session,
            epoch=contact.epoch,
            by=contact.by(now) if report is None or report.last else 0,
            roster=contact.roster,
            divisor=contact.divisor,
            wants=wants,
            corrections=corrections,
            report=report,
            spent=self.unweighed.say(self._serial, now) if weigh else (),
        )


def _all_good(lots: list[list[Lot]], now: float) -> bool:
    """Return whether no lease has ended yet."""
    for parts in lots:
        for lot in parts:
            if lot.expires <= now:
                return False
    return True
