"""A capacity divided over many workers: the same three rules as a `Pool`'s, as claims on counters of all of them.

One counter has all that the account is sent, one what each tenant sends, one what each user sends, for requests and for
tokens. A call first claims its place **in the open**: as long as a fifth of the capacity is left, and its user is below
the cap. Where less is left, it claims one **of the reserve**: as long as there is room, and user and tenant are below
their fair share. The counters are the same, the limits are not.
"""

from collections.abc import Generator
from math import inf
from typing import Final, final

from trunkline.policy.fairness.party import WINDOW
from trunkline.policy.fairness.pool import Asking, Pool, Refused
from trunkline.policy.fairness.told import RESERVE
from trunkline.policy.limits.limiter import Refusal, Reservation
from trunkline.policy.limits.rules import Claim, Measure, Quota, Rule, Scope
from trunkline.policy.limits.window import Window

# Whose a counter is. Users and tenants may have any name, so that no name tells it.
OF_ALL: Final = "all"
OF_TENANT: Final = "tenant"
OF_USER: Final = "user"
ACCOUNT: Final = ""  # the owner of what is of all
MOST_RULES: Final = 4096  # that are kept made; a limit moves with the number of those who ask
_NO_TENANT: Final = ""  # these rules are no tenant's: no name of a tenant is empty


def _window() -> Window:
    return Window(WINDOW)


@final
class DivisionRules:
    """The rules of one capacity, by what they count and their limit. `name` is the capacity's, among all."""

    __slots__ = ("_made", "_name")

    def __init__(self, name: str) -> None:
        self._name = name
        self._made: dict[tuple[str, str, str, int, bool, bool], Rule] = {}

    def claim(
        self, kind: str, tenant: str, owner: str, measure: Measure, limit: int, *, blocks: bool, ahead: bool
    ) -> Claim:
        """Return a claim on the counter of an owner: the account, one of its tenants, or a user of a tenant's."""
        key = kind, tenant, measure, limit, blocks, ahead
        rule = self._made.get(key)
        if rule is None:
            if len(self._made) >= MOST_RULES:
                self._made.clear()
            scope: Scope = "user" if kind == OF_USER else "tenant"
            name = f"fair_share/{kind}/{measure}/{tenant}/{self._name}"
            quota = Quota(measure, limit, "minute")
            rule = self._made[key] = Rule(_NO_TENANT, name, scope, quota, _window, blocks=blocks, ahead=ahead)
        return Claim(rule, owner)

    def of_all(self, measure: Measure, limit: int, *, ahead: bool) -> Claim:
        """Return a claim on the counter of all that the account is sent."""
        return self.claim(OF_ALL, "", ACCOUNT, measure, limit, blocks=True, ahead=ahead)


def _is_of_all(claim: Claim) -> bool:
    return claim.rule.name.split("/", 2)[1] == OF_ALL


@final
class Division:
    """One call that asks for its place: the claims to make, in the open and of the reserve, and what a refusal means.

    `capacity` is requests and tokens a minute, 0 where there is none; `units` the call's tokens. `little_left` is the
    seconds for which the provider says that less than a fifth is left.
    """

    __slots__ = ("_little_left", "_rules", "_waited", "asking", "pool", "requests", "tokens", "units")

    def __init__(
        self,
        pool: Pool,
        rules: DivisionRules,
        asking: Asking,
        capacity: tuple[int, int],
        units: int,
        little_left: float,
    ) -> None:
        self.pool, self._rules, self.asking, self.units = pool, rules, asking, units
        self.requests, self.tokens = capacity
        self._little_left = self._waited = little_left

    def ask(self) -> Generator[list[Claim], Reservation | Refusal | None, Reservation | Refused]:
        """Yield the claims to reserve, take what came of them, and return what the call gets."""
        claims = self._in_the_open()
        if claims is not None:
            found = yield claims
            if isinstance(found, Reservation):
                return found
            if isinstance(found, Refusal):
                self._waited = found.wait
                refused = self._above_the_cap(found)
                if refused is not None:
                    return refused
        found = yield self._of_the_reserve()
        if isinstance(found, Reservation):
            return found
        if found is None:
            raise ValueError("claims are reserved or refused")
        return self._above_the_share(found)

    def _in_the_open(self) -> list[Claim] | None:
        """Return the claims of a party below its cap; None where there is nothing in the open."""
        if self._little_left > 0.0 or self.asking.observed:
            return None
        found: list[Claim] = []
        for measure, capacity, units in self._measures():
            cap = self.asking.cap(capacity)
            found += self._claims(measure, units, capacity - capacity // RESERVE, cap, capacity, ahead=True)
        return found

    def _of_the_reserve(self) -> list[Claim]:
        """Return the claims of a party that is to be below its share."""
        found: list[Claim] = []
        asking = self.asking
        for measure, capacity, units in self._measures():
            share = min(asking.cap(capacity), asking.user_share(capacity))
            found += self._claims(measure, units, capacity, share, asking.tenant_share(capacity), ahead=False)
        return found

    def _above_the_cap(self, refusal: Refusal) -> Refused | None:
        """Return what a refusal in the open says of the user's cap; None where only the reserve is left."""
        for claim in refusal.over:
            if claim.rule.scope == "user":
                return self._refused(claim, refusal.wait, self.asking.cap(self._capacity(claim)), over_share=True)
        return None

    def _above_the_share(self, refusal: Refusal) -> Refused:
        """Return what a refusal of the reserve says: over the share of user or tenant, or no room."""
        no_room = any(_is_of_all(claim) for claim in refusal.over)
        for claim in refusal.over:
            if not _is_of_all(claim):
                # What is in the open again before the party is below its share is as good.
                wait = refusal.wait if no_room or self._waited <= 0.0 else min(self._waited, refusal.wait)
                return self._refused(claim, wait, claim.rule.limit, over_share=True)
        claim = refusal.claim
        return self._refused(claim, refusal.wait, self._capacity(claim), over_share=False)

    def _measures(self) -> list[tuple[Measure, int, int]]:
        measures: list[tuple[Measure, int, int]] = [("requests", self.requests, 1), ("tokens", self.tokens, self.units)]
        return [measure for measure in measures if measure[1] > 0]

    def _claims(
        self, measure: Measure, units: int, of_all: int, of_user: int, of_tenant: int, *, ahead: bool
    ) -> list[Claim]:
        """Return the claims on one measure. What alone is above a limit fits where nothing else is held."""
        asking, rules = self.asking, self._rules
        tenant, shared = asking.tenant_name, not asking.observed
        only = asking.weights <= asking.weight  # the only tenant's share is all there is
        return [
            rules.of_all(measure, max(of_all, units), ahead=ahead),
            rules.claim(OF_TENANT, "", tenant, measure, max(of_tenant, units), blocks=shared and not only, ahead=ahead),
            rules.claim(OF_USER, tenant, asking.user_name, measure, max(of_user, units), blocks=shared, ahead=ahead),
        ]

    def _capacity(self, claim: Claim) -> int:
        return self.requests if claim.rule.measure == "requests" else self.tokens

    def _refused(self, claim: Claim, wait: float, limit: int, *, over_share: bool) -> Refused:
        return Refused(
            over_share=over_share,
            wait=float(WINDOW) if wait == inf else wait,
            limit=limit,
            capacity=self._capacity(claim),
            measure=claim.rule.measure,
            of_tenant=over_share and claim.rule.scope == "tenant",
        )
