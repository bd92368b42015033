"""Dividing one capacity: whoever asks is served while there is room, within a share that leaves room for the others.

Three rules, for requests and for tokens alike:

1. **Room.** What is sent in any window is at most the capacity, and at most what the provider says is left.
2. **Cap.** No user holds more than the larger of half the capacity and their fair share. There is always one more user
   in the count of shares than have asked lately: a newcomer has to find room.
3. **Reserve.** The last fifth of the capacity is for those below their fair share, user and tenant.

Tenants have shares by weight and no cap: a tenant's own users may use all that nobody else wants. Calls that name no
user are one party; it has no cap where it is its tenant's only one, for it stands for all of the tenant's people.
"""

from typing import Final, final

from trunkline.policy.fairness.party import REQUESTS, TOKENS, WINDOW, Party, part_of
from trunkline.policy.fairness.told import RESERVE, Told
from trunkline.policy.limits.moment import Moment
from trunkline.policy.limits.window import Window

ACTIVE: Final = 15  # minutes: who has asked within them counts in the shares
MOST_USERS: Final = 10_000  # of one tenant; more of them are counted as calls without a user
_MINUTE: Final = 60
_NOBODY: Final = ""  # no user is called so


@final
class Terms:
    """What is configured of one tenant at one provider: its weight, and how many tenants may come there.

    `requests` and `tokens` are the account's capacity a minute, 0 where none is configured. A tenant that is only
    observed takes its part in the shares, and is never told that it is over its own.
    """

    __slots__ = ("observed", "requests", "tenant", "tenants", "tokens", "weight")

    def __init__(
        self,
        tenant: str,
        weight: int = 1,
        tenants: int = 1,
        requests: int = 0,
        tokens: int = 0,
        *,
        observed: bool = False,
    ) -> None:
        self.tenant, self.weight, self.tenants, self.observed = tenant, weight, tenants, observed
        self.requests, self.tokens = requests, tokens


@final
class Refused:
    """Why a call may not go there now: over the share of its party, or because there is no room.

    `wait` is the seconds until it could; `limit` is what the user, or with `of_tenant` all of the tenant, may hold of
    `capacity`, of `measure` a minute. `uncounted`: there may be room, but nobody can be asked who counts.
    """

    __slots__ = ("capacity", "limit", "measure", "of_tenant", "over_share", "uncounted", "wait")

    def __init__(
        self,
        *,
        over_share: bool,
        wait: float,
        limit: int,
        capacity: int,
        measure: str,
        of_tenant: bool = False,
        uncounted: bool = False,
    ) -> None:
        self.over_share, self.wait, self.of_tenant, self.uncounted = over_share, wait, of_tenant, uncounted
        self.limit, self.capacity, self.measure = limit, capacity, measure

    @property
    def reason(self) -> str:
        """The reason in one word, as the record of an attempt says it."""
        if self.uncounted:
            return "limits_authority"
        return "over_share" if self.over_share else "predicted_limit"


@final
class Tenant:
    """A tenant's use, and its users who have asked lately."""

    __slots__ = ("all", "users", "weight")

    def __init__(self, minute: int) -> None:
        self.weight = 0
        self.all = Party(minute)
        self.users: dict[str, Party] = {}

    def note(self, name: str, minute: int) -> str:
        """Note that a user has asked; return the name that they are counted by."""
        known = self.users.get(name)
        if known is None:
            if len(self.users) >= MOST_USERS:
                name = _NOBODY
            known = self.users.setdefault(name, Party(minute))
        known.seen = minute
        return name


@final
class Asking:
    """Who asks, and among whom: the terms of every share."""

    __slots__ = ("alone", "observed", "tenant", "tenant_name", "user", "user_name", "users", "weight", "weights")

    def __init__(self, names: tuple[str, str], tenant: Tenant, weights: int, *, observed: bool) -> None:
        self.tenant_name, self.user_name = names
        self.tenant, self.user, self.observed = tenant.all, tenant.users[self.user_name], observed
        self.weight, self.weights = tenant.weight, weights
        self.users = len(tenant.users) + 1
        self.alone = self.users == 2 and _NOBODY in tenant.users  # calls without a user, and no others

    def tenant_share(self, capacity: int) -> int:
        """Return the tenant's fair share."""
        return max(1, capacity * self.weight // self.weights)

    def user_share(self, capacity: int) -> int:
        """Return the user's fair share."""
        share = self.tenant_share(capacity)
        return share if self.alone else max(1, share // self.users)

    def cap(self, capacity: int) -> int:
        """Return what the user may hold at most."""
        return capacity if self.alone else max(1, capacity // 2, self.user_share(capacity))


@final
class Measure:
    """Requests or tokens of one capacity: all that was sent in the last window, by whomever."""

    __slots__ = ("_place", "name", "sent")

    def __init__(self, place: int, name: str) -> None:
        self.sent = Window(WINDOW)
        self._place, self.name = place, name

    def refusal(self, units: int, capacity: int, told: Told, asking: Asking, now: Moment) -> Refused | None:
        """Return why so many units may not be sent for this party, or None if they may."""
        at, cap = now.monotonic, asking.cap(capacity)
        over_cap = asking.user.wait(self._place, units, cap, at)
        open_to_all = max(self._room(units, capacity - capacity // RESERVE, now), told.wait(units, at, reserve=True))
        if over_cap == 0.0 and open_to_all == 0.0:
            return None
        share = asking.user_share(capacity)
        above, of_tenant = asking.user.wait(self._place, units, share, at), False
        if asking.weights > asking.weight:  # the only tenant's share is all there is
            tenant_above = asking.tenant.wait(self._place, units, asking.tenant_share(capacity), at)
            if tenant_above > above:
                above, of_tenant, share = tenant_above, True, asking.tenant_share(capacity)
        no_room = max(self._room(units, capacity, now), told.wait(units, at))
        over_share = 0.0 if asking.observed else max(over_cap, min(open_to_all, above))
        if over_share == 0.0 and no_room == 0.0:
            return None
        return Refused(
            over_share=over_share > 0.0,
            wait=max(over_share, no_room),
            limit=cap if over_cap > 0.0 else share,
            capacity=capacity,
            measure=self.name,
            of_tenant=of_tenant and over_cap == 0.0,
        )

    def _room(self, units: int, capacity: int, now: Moment) -> float:
        return self.sent.wait(min(units, capacity), capacity, now)


@final
class Taken:
    """What one call has taken of a pool, and where it is counted."""

    __slots__ = ("_mark", "_part", "_pool", "_tenant", "_user", "tokens")

    def __init__(self, pool: "Pool", asking: Asking, tokens: int, now: Moment) -> None:
        self._pool, self._tenant, self._user, self.tokens = pool, asking.tenant, asking.user, tokens
        self._mark = pool.requests.sent.take(1, now)
        pool.tokens.sent.take(tokens, now)
        part = part_of(now.monotonic)
        self._part = asking.user.take(1, tokens, part)
        asking.tenant.take(1, tokens, part)

    def settle(self, used: int, now: Moment) -> None:
        """Count the tokens that were used instead of those that were expected; what is above them counts from now."""
        expected, self.tokens = self.tokens, used
        self._pool.tokens.sent.settle(self._mark, expected, used, now)
        for party in (self._user, self._tenant):
            if used < expected:
                party.give_back(0, expected - used, self._part)
            elif used > expected:
                party.take(0, used - expected, part_of(now.monotonic))

    def give_back(self, now: Moment) -> None:
        """Count nothing: the call has never left."""
        self._pool.requests.sent.release(self._mark, 1, now)
        self._pool.tokens.sent.release(self._mark, self.tokens, now)
        for party in (self._user, self._tenant):
            party.give_back(1, self.tokens, self._part)


@final
class Pool:
    """One capacity, and everybody who has asked for some of it lately."""

    __slots__ = ("_minute", "_tenants", "_weights", "requests", "tokens")

    def __init__(self) -> None:
        self.requests = Measure(REQUESTS, "requests")
        self.tokens = Measure(TOKENS, "tokens")
        self._tenants: dict[str, Tenant] = {}
        self._weights = 0  # of the tenants above
        self._minute = 0

    def asking(self, terms: Terms, user: str | None, now: Moment) -> Asking:
        """Note that a user of a tenant asks, and return the terms of their share."""
        name = self.note(terms.tenant, terms.weight, user or _NOBODY, now)
        newcomer = 1 if len(self._tenants) < terms.tenants else 0
        names, tenant = (terms.tenant, name), self._tenants[terms.tenant]
        return Asking(names, tenant, self._weights + newcomer, observed=terms.observed)

    def note(self, tenant_name: str, weight: int, user: str, now: Moment) -> str:
        """Note that a user of a tenant asks, here or at another worker; return the name that they are counted by."""
        minute = int(now.monotonic) // _MINUTE
        if minute != self._minute:
            self._forget(minute)
        tenant = self._tenants.get(tenant_name)
        if tenant is None:
            tenant = self._tenants[tenant_name] = Tenant(minute)
        if tenant.weight != weight:
            self._weights += weight - tenant.weight
            tenant.weight = weight
        tenant.all.seen = minute
        return tenant.note(user, minute)

    def knows(self, tenant_name: str, user: str | None, now: Moment) -> bool:
        """Whether a user of a tenant has been noted within this minute."""
        tenant = self._tenants.get(tenant_name)
        if tenant is None:
            return False
        party = tenant.users.get(user or _NOBODY)
        if party is None and len(tenant.users) >= MOST_USERS:
            party = tenant.users.get(_NOBODY)
        return party is not None and party.seen == int(now.monotonic) // _MINUTE

    def _forget(self, minute: int) -> None:
        """Once a minute, let go of who has not asked for long; of 10,000 users that takes about a millisecond."""
        self._minute = minute
        oldest = minute - ACTIVE
        for name, tenant in list(self._tenants.items()):
            if tenant.all.seen < oldest:
                self._weights -= tenant.weight
                del self._tenants[name]
            else:
                tenant.users = {user: party for user, party in tenant.users.items() if party.seen >= oldest}
