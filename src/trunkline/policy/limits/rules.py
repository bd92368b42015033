"""Rules: what each owner may use, and which of them a call falls under."""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple, final

from trunkline.policy.limits.counter import Counter

Scope = Literal["tenant", "team", "user", "key", "route", "tag"]
Measure = Literal["requests", "tokens", "concurrent", "money"]
# What `Rule.needs` says that a call takes: one unit, its tokens, or its money.
ONE: Final = 0
TOKENS: Final = 1
MONEY: Final = 2
NOBODY: Final = "(none)"  # the owner of what calls without a user or a team use: they share it
OF_USERS: Final = ("user_limits.", "user_budget")  # the names of rules whose owners are users begin so
OTHERS: Final = "(others)"  # the owner of what users beyond the bound on new ones use


class Quota(NamedTuple):
    """So many units of what is measured in each `period`: minute, hour, day, week, month, total; empty for slots."""

    measure: Measure
    limit: int
    period: str


@final
class Rule:
    """One limit of a tenant's, for each owner in its scope.

    `name` is its path in the tenant's configuration (`user_limits.requests_per_minute`). A rule that does not block is
    counted and told, and refuses nothing. `new_counter` makes the counter of one owner. `needs` says what a call takes.
    Where one is not `ahead`, a worker among many holds nothing of it that no call has asked for.
    """

    __slots__ = (
        "ahead",
        "blocks",
        "id",
        "limit",
        "measure",
        "name",
        "needs",
        "new_counter",
        "period",
        "scope",
        "tenant",
    )

    def __init__(
        self,
        tenant: str,
        name: str,
        scope: Scope,
        quota: Quota,
        new_counter: Callable[[], Counter],
        *,
        blocks: bool = True,
        ahead: bool = True,
    ) -> None:
        self.tenant, self.name, self.scope = tenant, name, scope
        self.measure, self.limit, self.period = quota
        self.needs = TOKENS if self.measure == "tokens" else MONEY if self.measure == "money" else ONE
        self.new_counter, self.blocks, self.ahead = new_counter, blocks, ahead
        # A budget by the day is no budget by the month: what was used under one says nothing of the other.
        self.id = f"{tenant}/{name}/{quota.period}"


@final
class Claim:
    """A rule that a call falls under, and whose units it uses."""

    __slots__ = ("owner", "rule")

    def __init__(self, rule: Rule, owner: str) -> None:
        self.rule, self.owner = rule, owner


@final
class Needs:
    """What a call will need, or has used: tokens, and nano-USD."""

    __slots__ = ("money", "tokens")

    def __init__(self, tokens: int, money: int) -> None:
        self.tokens, self.money = tokens, money


def is_of_users(name: str) -> bool:
    """Return whether a rule of this name, or id, is one whose owners are users."""
    return (name.partition("/")[2] or name).startswith(OF_USERS)


def units_of(rule: Rule, needs: Needs) -> int:
    """Return the units that a call with these needs takes under a rule."""
    if rule.needs == ONE:
        return 1
    return needs.tokens if rule.needs == TOKENS else needs.money
