"""Reports of cost: sums of the index as rows that add up, exactly."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple

from trunkline.ledger import cost_queries
from trunkline.ledger.answers import Misunderstood
from trunkline.ledger.cost_answers import (
    CostReport,
    CostRow,
    CostsQuestion,
    OtherRow,
    PaidQuestion,
    PaidReport,
    PaidRow,
    Span,
)
from trunkline.ledger.index import Index
from trunkline.model.money import plain

# What is divided is rounded; what is added never is.
SHARE = Decimal("0.0001")
PER_CONVERSATION = Decimal("0.000001")
ZERO = Decimal(0)


class _Sums(NamedTuple):
    """The sums of one group, in the order in which the query has them."""

    calls: int
    conversations: int
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    cost: Decimal
    of_conversations: Decimal
    estimated: Decimal
    imported: Decimal
    imported_of_conversations: Decimal
    cancelled: int
    failed: int

    @property
    def total(self) -> Decimal:
        """What models and all else cost."""
        return self.cost + self.imported


class _Paid(NamedTuple):
    """What was paid for one class of tokens, in the order in which the query has it."""

    day: str
    tenant: str
    provider: str
    model: str
    token_class: str
    unit_price: Decimal | None
    price_version: str
    tokens: int
    calls: int
    amount: Decimal
    estimated: Decimal


Group = tuple[str | None, ...]
NOTHING = _Sums(0, 0, 0, 0, 0, ZERO, ZERO, ZERO, ZERO, ZERO, 0, 0)


def report(index: Index, asked: CostsQuestion) -> CostReport:
    """Return what calls have cost. Raises Misunderstood."""
    groups, total = _summed(index, asked, asked.span)
    before, total_before = _summed(index, asked, asked.before) if asked.before is not None else ({}, NOTHING)
    names = dict.fromkeys([*groups, *before])
    rows = [
        _row(group, groups.get(group, NOTHING), before.get(group, NOTHING) if asked.before is not None else None)
        for group in names
    ]
    rows.sort(key=_order)
    together = _row((), total, total_before if asked.before is not None else None)
    return CostReport(asked.by, tuple(rows), together)


def paid(index: Index, asked: PaidQuestion) -> PaidReport:
    """Return what was paid to providers, by day in UTC. Raises Misunderstood."""
    count = len(asked.by)
    rows = [_paid_row(row[:count], _Paid(*row[count:])) for row in _bounded(index.ask(*cost_queries.paid(asked)))]
    ((imports,),) = index.ask(*cost_queries.imported(asked.span))
    found = _bounded(index.ask(*cost_queries.others(asked))) if imports else []
    return PaidReport(asked.by, tuple(rows), others=tuple(_other_row(row[:count], *row[count:]) for row in found))


def _summed(index: Index, asked: CostsQuestion, span: Span) -> tuple[dict[Group, _Sums], _Sums]:
    groups: dict[Group, _Sums] = {}
    total, count = NOTHING, len(asked.by)
    ((imports,),) = index.ask(*cost_queries.imported(span))
    for whole, *row in _bounded(index.ask(*cost_queries.costs(asked, span, imports=imports))):
        if whole:
            total = _Sums(*row[count:])
        else:
            groups[tuple(row[:count])] = _Sums(*row[count:])
    return groups, total


def _bounded(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    if len(rows) > cost_queries.MOST_ROWS:
        raise Misunderstood(
            f"the report would have more than {cost_queries.MOST_ROWS:,} rows; tell costs apart by less, or choose a"
            " tenant, a team or a shorter time"
        )
    return rows


def _row(group: Group, sums: _Sums, before: _Sums | None) -> CostRow:
    total = sums.total
    of_conversations = sums.of_conversations + sums.imported_of_conversations
    return CostRow(
        group=group,
        calls=sums.calls,
        conversations=sums.conversations,
        prompt_tokens=sums.prompt_tokens or 0,
        cached_tokens=sums.cached_tokens or 0,
        completion_tokens=sums.completion_tokens or 0,
        cost=_exact(sums.cost),
        imported=_exact(sums.imported),
        total=_exact(total),
        cost_per_conversation=_rounded(of_conversations, Decimal(sums.conversations), PER_CONVERSATION),
        estimated_share=_rounded(sums.estimated, sums.cost, SHARE),
        cancelled_share=_rounded(Decimal(sums.cancelled), Decimal(sums.calls), SHARE),
        failed_share=_rounded(Decimal(sums.failed), Decimal(sums.calls), SHARE),
        total_before=_exact(before.total) if before is not None else None,
        change=_exact(total - before.total) if before is not None else None,
    )


def _order(row: CostRow) -> tuple[Decimal, Decimal, list[str]]:
    return -Decimal(row.total), -Decimal(row.total_before or 0), [value or "" for value in row.group]


def _exact(amount: Decimal) -> str:
    """Return all digits that say something."""
    return plain(amount.normalize()) if amount else "0"


def _rounded(amount: Decimal, by: Decimal, to: Decimal) -> str | None:
    """Return a quotient, None where there is nothing to divide by."""
    return plain((amount / by).quantize(to, ROUND_HALF_EVEN)) if by else None


def _other_row(group: Group, day: str, tenant: str, kind: str, charges: int, amount: Decimal) -> OtherRow:
    return OtherRow(group=group, day=day, tenant=tenant, kind=kind, charges=charges, amount=_exact(amount))


def _paid_row(group: Group, found: _Paid) -> PaidRow:
    return PaidRow(
        group=group,
        day=found.day,
        tenant=found.tenant,
        provider=found.provider,
        model=found.model,
        token_class=found.token_class,
        unit_price=_exact(found.unit_price) if found.unit_price is not None else None,
        price_version=found.price_version,
        tokens=found.tokens,
        calls=found.calls,
        amount=_exact(found.amount),
        estimated=_exact(found.estimated),
    )
