"""Reserving: all of a call's rules are checked, then all its units are taken, or none."""

from collections import deque
from collections.abc import Sequence
from typing import Final, final

from trunkline.policy.limits.counter import Counter
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.rules import OTHERS, Claim, Measure, Needs, Rule, units_of
from trunkline.policy.limits.window import Window

# Users are named by a tenant's application. One that makes up a name for each call may not fill the memory with
# counters, nor escape its users' limits: beyond so many new ones a minute they share one counter.
NEW_USERS_PER_MINUTE: Final = 10_000
MOST_OWNERS: Final = 100_000  # of one rule; under a budget of a month, say, nobody is idle before its end
MADE_UP: Final = ("user", "tag")  # scopes whose owners are named by the application, and may be without number
MINUTE: Final = 60


@final
class Refusal:
    """Why a call does not fit: the rule whose owner has to wait longest, how long, and what is in use.

    `wait` is in seconds, infinity where the call alone needs more than the limit. `over` are all rules that refuse.
    """

    __slots__ = ("claim", "over", "units", "used", "wait")

    def __init__(self, claim: Claim, wait: float, used: int, units: int, over: list[Claim]) -> None:
        self.claim, self.wait, self.used, self.units, self.over = claim, wait, used, units, over


@final
class Standing:
    """How an owner stands under a rule: units left, and the seconds until all are there again."""

    __slots__ = ("claim", "left", "reset")

    def __init__(self, claim: Claim, left: int, reset: float) -> None:
        self.claim, self.left, self.reset = claim, left, reset


@final
class Reservation:
    """The units that a running call holds. `over` are the rules that it exceeds and that do not block.

    `leased` says of each claim whose units were granted by an authority by which marks they are given back to it.
    """

    __slots__ = ("claims", "counters", "ended", "leased", "marks", "needs", "over")

    def __init__(self, claims: Sequence[Claim], counters: list[Counter], needs: Needs, over: list[Claim]) -> None:
        self.claims, self.counters, self.needs, self.over = claims, counters, needs, over
        self.marks: list[int] = []
        self.leased: list[list[tuple[int, int]]] | None = None
        self.ended = False


@final
class Limiter:
    """All counters of one process, by rule and owner; those that are idle are swept away."""

    __slots__ = ("_live", "_meters", "_newcomers")

    def __init__(self) -> None:
        self._meters: dict[str, dict[str, Counter]] = {}
        self._live: deque[tuple[str, str]] = deque()  # every counter once, for the sweep
        self._newcomers: dict[str, Window] = {}

    def reserve(self, claims: Sequence[Claim], needs: Needs, now: Moment) -> Reservation | Refusal:
        """Take what the call needs from every counter that it falls under, or from none."""
        counters: list[Counter] = []
        over: list[Claim] = []
        blocking: list[Claim] = []
        for claim in claims:
            rule = claim.rule
            counter = self.counter(rule, claim.owner, now)
            counters.append(counter)
            if counter.wait(units_of(rule.measure, needs), rule.limit, now) > 0.0:
                (blocking if rule.blocks else over).append(claim)
        if blocking:
            return self._refusal(blocking, needs, now)
        reservation = Reservation(claims, counters, needs, over)
        marks = reservation.marks
        for position, claim in enumerate(claims):
            counter = counters[position]
            counter.holders += 1
            marks.append(counter.take(units_of(claim.rule.measure, needs), now))
        return reservation

    def settle(self, reservation: Reservation, used: Needs, now: Moment) -> None:
        """End a reservation with what the call has used; a second end changes nothing."""
        if reservation.ended:
            return
        reservation.ended = True
        for position, claim in enumerate(reservation.claims):
            measure = claim.rule.measure
            counter = reservation.counters[position]
            counter.holders -= 1
            reserved = units_of(measure, reservation.needs)
            counter.settle(reservation.marks[position], reserved, units_of(measure, used), now)

    def release(self, reservation: Reservation, now: Moment) -> None:
        """Undo a reservation whose call never began; a second end changes nothing."""
        if reservation.ended:
            return
        reservation.ended = True
        for position, claim in enumerate(reservation.claims):
            counter = reservation.counters[position]
            counter.holders -= 1
            reserved = units_of(claim.rule.measure, reservation.needs)
            counter.release(reservation.marks[position], reserved, now)

    def standing(
        self, claims: Sequence[Claim], measure: Measure, now: Moment, counters: Sequence[Counter] | None = None
    ) -> Standing | None:
        """Return how the call's owner stands who has least left of what is measured so; None if nothing limits it.

        `counters` are those of the claims, where they have been looked up.
        """
        least, fewest = -1, 0
        for position, claim in enumerate(claims):
            rule = claim.rule
            if rule.measure != measure or not rule.blocks:
                continue
            counter = self.counter(rule, claim.owner, now) if counters is None else counters[position]
            left = rule.limit - counter.used(now)
            if least < 0 or left < fewest:
                least, fewest = position, left
        if least < 0:
            return None
        claim = claims[least]
        counter = self.counter(claim.rule, claim.owner, now) if counters is None else counters[least]
        return Standing(claim, max(0, fewest), counter.reset(now))

    def counter(self, rule: Rule, owner: str, now: Moment, *, known: bool = False) -> Counter:
        """Return the counter of an owner under a rule; that of the others for one too many who is not `known`."""
        owners = self._meters.get(rule.id)
        if owners is None:
            owners = self._meters[rule.id] = {}
        counter = owners.get(owner)
        if counter is not None:
            return counter
        if not known and rule.scope in MADE_UP and self._too_many(rule.id, len(owners), now):
            owner = OTHERS
            counter = owners.get(owner)
            if counter is not None:
                return counter
        counter = owners[owner] = rule.new_counter()
        self._live.append((rule.id, owner))
        return counter

    def find(self, rule_id: str, owner: str) -> Counter | None:
        """Return the counter of an owner, if there is one."""
        owners = self._meters.get(rule_id)
        return owners.get(owner) if owners is not None else None

    def owners(self, rule_id: str) -> dict[str, Counter]:
        """Return the counters of a rule by owner, for reading."""
        return self._meters.get(rule_id, {})

    def sweep(self, now: Moment, most: int) -> None:
        """Look at so many counters, those first that were looked at longest ago, and throw away the idle ones."""
        for _ in range(min(most, len(self._live))):
            rule_id, owner = self._live.popleft()
            owners = self._meters[rule_id]
            counter = owners[owner]
            if counter.holders == 0 and counter.idle(now):
                del owners[owner]
            else:
                self._live.append((rule_id, owner))

    def places(self) -> list[tuple[str, str]]:
        """Return the rule and the owner of every counter."""
        return list(self._live)

    def keep(self, rules: Sequence[Rule]) -> None:
        """Go on with these rules, after a reload; the counters of all others are thrown away."""
        known = {rule.id: rule for rule in rules}
        self._live = deque([place for place in self._live if place[0] in known])
        self._meters = {rule_id: owners for rule_id, owners in self._meters.items() if rule_id in known}
        self._newcomers = {rule_id: window for rule_id, window in self._newcomers.items() if rule_id in known}
        for rule_id, owners in self._meters.items():
            fresh = known[rule_id].new_counter()
            for counter in owners.values():
                counter.follow(fresh)

    def restore(self, rule: Rule, owner: str, state: list[tuple[float, int]], now: Moment) -> None:
        """Count again what a state says of an owner."""
        counter = self.counter(rule, owner, now, known=True)
        for seconds, units in state:
            counter.restore(seconds, units, now)

    def __len__(self) -> int:
        """Return the number of counters."""
        return len(self._live)

    def _too_many(self, rule_id: str, owners: int, now: Moment) -> bool:
        if owners >= MOST_OWNERS:
            return True
        newcomers = self._newcomers.get(rule_id)
        if newcomers is None:
            newcomers = self._newcomers[rule_id] = Window(MINUTE)
        if newcomers.wait(1, NEW_USERS_PER_MINUTE, now) > 0.0:
            return True
        newcomers.take(1, now)
        return False

    def _refusal(self, blocking: list[Claim], needs: Needs, now: Moment) -> Refusal:
        """Say when all of the rules will let the call in, by the one that does so last."""
        last, longest = blocking[0], -1.0
        for claim in blocking:
            units = units_of(claim.rule.measure, needs)
            wait = self.counter(claim.rule, claim.owner, now).wait(units, claim.rule.limit, now)
            if wait > longest:
                last, longest = claim, wait
        if self.find(last.rule.id, last.owner) is None:  # there were too many new ones, and it counts as one of them
            last = Claim(last.rule, OTHERS)
        units = units_of(last.rule.measure, needs)
        return Refusal(last, longest, self.counter(last.rule, last.owner, now).used(now), units, blocking)
