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
NO_TENANT: Final = "/"  # how the identities of rules begin that are no tenant's
MINUTE: Final = 60
# Claims whose counters are kept looked up; then all are looked up anew.
MOST_LOOKED_UP: Final = 2_000


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
class LookedUp:
    """The counters of claims, in the same order, and their rules. `told` are places of blocking rules by measure."""

    __slots__ = ("claims", "counters", "rules", "told")

    def __init__(self, claims: Sequence[Claim], counters: list[Counter]) -> None:
        self.claims, self.counters = claims, counters
        self.rules: list[Rule] = [claim.rule for claim in claims]
        self.told: dict[str, list[int]] = {}
        for place, rule in enumerate(self.rules):
            if rule.blocks:
                self.told.setdefault(rule.measure, []).append(place)

    def standing(self, measure: Measure, now: Moment) -> Standing | None:
        """Return how the call's owner stands who has least left of what is measured so; None if nothing limits it."""
        least, fewest = -1, 0
        for place in self.told.get(measure, []):
            left = self.rules[place].limit - self.counters[place].used(now)
            if least < 0 or left < fewest:
                least, fewest = place, left
        return None if least < 0 else Standing(self.claims[least], max(0, fewest), self.counters[least].reset(now))


@final
class Reservation:
    """The units that a running call holds. `over` are the rules that it exceeds and that do not block.

    `looked_up` are the counters where all of them are the limiter's own. `leased` says of each claim whose units were
    granted by an authority by which marks they are given back to it.
    """

    __slots__ = ("claims", "counters", "ended", "leased", "looked_up", "marks", "needs", "over")

    def __init__(self, claims: Sequence[Claim], counters: list[Counter], needs: Needs, over: list[Claim]) -> None:
        self.claims, self.counters, self.needs, self.over = claims, counters, needs, over
        self.marks: list[int] = []
        self.looked_up: LookedUp | None = None
        self.leased: list[list[tuple[int, int]]] | None = None
        self.ended = False


@final
class Limiter:
    """All counters of one process, by rule and owner; those that are idle are swept away."""

    __slots__ = ("_live", "_looked_up", "_meters", "_newcomers")

    def __init__(self) -> None:
        self._meters: dict[str, dict[str, Counter]] = {}
        self._live: deque[tuple[str, str]] = deque()  # every counter once, for the sweep
        self._newcomers: dict[str, Window] = {}
        # By identity of the claims, which are held here; emptied whenever a counter is thrown away.
        self._looked_up: dict[int, LookedUp] = {}

    def reserve(self, claims: Sequence[Claim], needs: Needs, now: Moment) -> Reservation | Refusal:
        """Take what the call needs from every counter that it falls under, or from none."""
        found = self._look_up(claims, now)
        counters = found.counters
        over: list[Claim] = []
        blocking: list[Claim] = []
        for place, rule in enumerate(found.rules):
            if not counters[place].fits(units_of(rule, needs), rule.limit, now):
                (blocking if rule.blocks else over).append(claims[place])
        if blocking:
            return self._refusal(blocking, needs, now)
        reservation = Reservation(claims, counters, needs, over)
        reservation.looked_up = found
        marks = reservation.marks
        for place, rule in enumerate(found.rules):
            counter = counters[place]
            counter.holders += 1
            marks.append(counter.take(units_of(rule, needs), now))
        return reservation

    def settle(self, reservation: Reservation, used: Needs, now: Moment) -> None:
        """End a reservation with what the call has used; a second end changes nothing."""
        if reservation.ended:
            return
        reservation.ended = True
        needs = reservation.needs
        for place, counter in enumerate(reservation.counters):
            rule = reservation.claims[place].rule
            counter.holders -= 1
            counter.settle(reservation.marks[place], units_of(rule, needs), units_of(rule, used), now)

    def release(self, reservation: Reservation, now: Moment) -> None:
        """Undo a reservation whose call never began; a second end changes nothing."""
        if reservation.ended:
            return
        reservation.ended = True
        for place, counter in enumerate(reservation.counters):
            counter.holders -= 1
            reserved = units_of(reservation.claims[place].rule, reservation.needs)
            counter.release(reservation.marks[place], reserved, now)

    def standing(self, claims: Sequence[Claim], measure: Measure, now: Moment) -> Standing | None:
        """Return how the call's owner stands who has least left of what is measured so; None if nothing limits it."""
        return self._look_up(claims, now).standing(measure, now)

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
        live = len(self._live)
        for _ in range(min(most, len(self._live))):
            rule_id, owner = self._live.popleft()
            owners = self._meters[rule_id]
            counter = owners[owner]
            if counter.holders == 0 and counter.idle(now):
                del owners[owner]
            else:
                self._live.append((rule_id, owner))
        if len(self._live) < live:
            self._looked_up = {}

    def places(self) -> list[tuple[str, str]]:
        """Return the rule and the owner of every counter."""
        return list(self._live)

    def keep(self, rules: Sequence[Rule]) -> None:
        """Go on with these rules, after a reload; the counters of all others of tenants are thrown away."""
        known = {rule.id: rule for rule in rules}
        self._looked_up = {}
        gone = {rule_id for rule_id in self._meters if rule_id not in known and not rule_id.startswith(NO_TENANT)}
        self._live = deque([place for place in self._live if place[0] not in gone])
        self._meters = {rule_id: owners for rule_id, owners in self._meters.items() if rule_id not in gone}
        self._newcomers = {rule_id: window for rule_id, window in self._newcomers.items() if rule_id not in gone}
        for rule_id, owners in self._meters.items():
            if rule_id not in known:
                continue
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

    def _look_up(self, claims: Sequence[Claim], now: Moment) -> LookedUp:
        """Return the counters of claims; those that are a tuple, and cannot change, are looked up once.

        Not where one counts as one of the others: it may have a counter of its own the next time.
        """
        found = self._looked_up.get(id(claims))
        if found is not None and found.claims is claims:
            return found
        found = LookedUp(claims, [self.counter(claim.rule, claim.owner, now) for claim in claims])
        if not isinstance(claims, tuple):
            return found
        for place, claim in enumerate(claims):
            if self.find(claim.rule.id, claim.owner) is not found.counters[place]:
                return found
        if len(self._looked_up) >= MOST_LOOKED_UP:
            self._looked_up = {}
        self._looked_up[id(claims)] = found
        return found

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
            units = units_of(claim.rule, needs)
            wait = self.counter(claim.rule, claim.owner, now).wait(units, claim.rule.limit, now)
            if wait > longest:
                last, longest = claim, wait
        if self.find(last.rule.id, last.owner) is None:  # there were too many new ones, and it counts as one of them
            last = Claim(last.rule, OTHERS)
        units = units_of(last.rule, needs)
        return Refusal(last, longest, self.counter(last.rule, last.owner, now).used(now), units, blocking)
