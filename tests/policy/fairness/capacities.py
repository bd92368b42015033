"""A capacity as tests ask for it, beside a list of every moment at which something was taken."""

from dataclasses import dataclass, field

from trunkline.policy.fairness.account import Account, Ticket
from trunkline.policy.fairness.pool import ACTIVE, Refused, Terms
from trunkline.policy.limits.moment import Moment

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
class Shared:
    """An account with a configured capacity of requests, or of tokens, and all that was asked of it."""

    weights: dict[str, int]
    requests: int = 0
    tokens: int = 0
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.share = Account().of("model")
        self.terms = {
            tenant: Terms(tenant, weight, len(self.weights), self.requests, self.tokens)
            for tenant, weight in self.weights.items()
        }

    @property
    def capacity(self) -> int:
        return self.requests or self.tokens

    def ask(self, now: float, tenant: str, user: str | None, units: int = 1) -> Asked:
        verdict = self.share.ask(self.terms[tenant], user, 0 if self.requests else units, 0, at(now))
        self.asked.append(Asked(now, tenant, user, units, verdict))
        return self.asked[-1]

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
