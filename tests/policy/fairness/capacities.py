"""A capacity as tests ask for it, beside a list of every moment at which something was taken."""

from dataclasses import dataclass, field

from trunkline.policy.fairness.account import Account, Ticket
from trunkline.policy.fairness.division import Division
from trunkline.policy.fairness.pool import ACTIVE, Refused, Terms
from trunkline.policy.limits.limiter import Limiter, Reservation
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.rules import Needs

START = 100_000.0
WINDOW = 60.0
LATE_PARTY = WINDOW / 10  # how long a party's units may count too long
LATE_ALL = WINDOW / 40


def at(now: float) -> Moment:
    return Moment(now, 0.0)


@dataclass
class Asked:
    """One question and its answer; the terms are those of the moment, by the list."""

    now: float
    tenant: str
    user: str | None
    units: int
    verdict: Ticket | Refused

    @property
    def served(self) -> bool:
        return isinstance(self.verdict, Ticket)


@dataclass
class Granted:
    """What a limiter has reserved."""

    limiter: Limiter
    reservation: Reservation

    def settle(self, used: int, now: Moment) -> None:
        self.limiter.settle(self.reservation, Needs(used, 0), now)

    def give_back(self, now: Moment) -> None:
        self.limiter.release(self.reservation, now)


@dataclass
class Shared:
    """An account with a configured capacity of requests, or of tokens, and all that was asked of it."""

    weights: dict[str, int]
    requests: int = 0
    tokens: int = 0
    divided: bool = False  # among workers that count together, here in one limiter
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.share = Account("p").of("model")
        self.limiter = Limiter()
        self.terms = {
            tenant: Terms(tenant, weight, len(self.weights), self.requests, self.tokens)
            for tenant, weight in self.weights.items()
        }

    @property
    def capacity(self) -> int:
        return self.requests or self.tokens

    def ask(self, now: float, tenant: str, user: str | None, units: int = 1) -> Asked:
        terms, tokens = self.terms[tenant], 0 if self.requests else units
        if self.divided:
            verdict = self._ask_all(terms, user, tokens, at(now))
        else:
            verdict = self.share.ask(terms, user, tokens, 0, at(now))
        self.asked.append(Asked(now, tenant, user, units, verdict))
        return self.asked[-1]

    def _ask_all(self, terms: Terms, user: str | None, tokens: int, now: Moment) -> Ticket | Refused:
        division = self.share.divide(terms, user, tokens, 0, now)
        if not isinstance(division, Division):
            return division
        asking, found = division.ask(), None
        while True:
            try:
                claims = asking.send(found)
            except StopIteration as done:
                found = done.value
                break
            found = self.limiter.reserve(claims, Needs(tokens, 0), now)
        if isinstance(found, Refused):
            return found
        return self.share.granted(division, tokens, 0, Granted(self.limiter, found), now)

    def held(self, now: float, late: float = 0.0, tenant: str | None = None, user: object = ...) -> int:
        """Return what was taken within a window before this moment, by everybody, a tenant or a user."""
        return sum(
            one.units
            for one in self.asked
            if one.served
            and now - WINDOW - late < one.now <= now
            and tenant in (None, one.tenant)
            and user in (..., one.user)
        )

    def shares(self, now: float, tenant: str, user: str | None) -> tuple[int, int, int]:
        """Return the fair share of a tenant and of its user, and the user's cap, once they have asked."""
        active = {
            (one.tenant, one.user) for one in self.asked if one.now // 60 >= now // 60 - ACTIVE and one.now <= now
        } | {(tenant, user)}
        tenants = {name for name, _ in active}
        weights = sum(self.weights[name] for name in tenants) + (len(tenants) < len(self.weights))
        of_tenant = max(1, self.capacity * self.weights[tenant] // weights)
        users = {name for of, name in active if of == tenant}
        if users == {None}:
            return of_tenant, of_tenant, self.capacity
        of_user = max(1, of_tenant // (len(users) + 1))
        return of_tenant, of_user, max(1, self.capacity // 2, of_user)


def within(held: int, units: int, limit: int) -> bool:
    """Whether so many more are within a share: what is larger than the share is, where nothing else is held."""
    return held == 0 or held + units <= limit
