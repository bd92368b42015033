"""What is asked of the ledger about money, and what it answers. Light, like `answers`."""

from typing import Annotated

import msgspec

# What costs can be told apart by, and `tag:NAME`.
DIMENSIONS = (
    "tenant", "team", "cost_center", "user", "subject", "session", "key", "route", "provider", "model", "prompt",
    "purpose", "day", "month",
)  # fmt: skip
TAG = "tag:"
PRODUCTION = "production"


Dimension = Annotated[str, msgspec.Meta(max_length=80)]


class Span(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From one Unix second on until before another."""

    start: float
    end: float


class CostsQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which costs, told apart by what. `purpose` None means all; `time_zone` is where days and months begin."""

    by: tuple[Dimension, ...]
    span: Span
    before: Span | None = None
    time_zone: str = "UTC"
    purpose: str | None = PRODUCTION
    tenant: str | None = None
    team: str | None = None
    user: str | None = None


class CostRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one group of calls has cost. Amounts are USD, exact; shares and cost per conversation are rounded.

    `group` has a value for each dimension, None where a call has none. `cost` is what models took, `imported` what
    `trunkline costs import` has added, `total` both. `estimated_share` is of the cost, the other shares of the calls.
    """

    group: tuple[str | None, ...]
    calls: int
    conversations: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: str
    imported: str
    total: str
    cost_per_conversation: str | None
    estimated_share: str | None
    cancelled_share: str | None
    failed_share: str | None
    total_before: str | None = None
    change: str | None = None


class CostReport(msgspec.Struct, frozen=True):
    """The rows, the most expensive first, and all of them together. `behind` is as in `answers.Table`."""

    by: tuple[str, ...]
    rows: tuple[CostRow, ...]
    total: CostRow
    behind: int = 0


class PaidQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was paid to providers, by day in UTC, model and class of tokens; `by` are more to tell apart by."""

    span: Span
    by: tuple[Dimension, ...] = ()
    purpose: str | None = None
    tenant: str | None = None


class PaidRow(msgspec.Struct, frozen=True, kw_only=True):
    """What was paid for one class of tokens on one day (`2026-06-30`). Amounts are USD, exact."""

    group: tuple[str | None, ...]
    day: str
    tenant: str
    provider: str
    model: str
    token_class: str
    unit_price: str | None
    price_version: str
    tokens: int
    calls: int
    amount: str
    estimated: str


class OtherRow(msgspec.Struct, frozen=True, kw_only=True):
    """What of one kind was imported for one day, costs and what takes costs back apart. The amount is USD, exact."""

    group: tuple[str | None, ...]
    day: str
    tenant: str
    kind: str
    charges: int
    amount: str


class PaidReport(msgspec.Struct, frozen=True):
    """The rows, by day; `others` are what models do not cost."""

    by: tuple[str, ...]
    rows: tuple[PaidRow, ...]
    behind: int = 0
    others: tuple[OtherRow, ...] = ()
