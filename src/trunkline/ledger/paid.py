"""What a call paid for, as lines that add up to its cost, each with who is paid. Pure."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from trunkline.ledger.records import AttemptPart, CostPart, EndedPart
from trunkline.model.money import plain
from trunkline.model.records import CostLine

REQUEST = "request"
ESTIMATE = "estimate"


class PaidLine(msgspec.Struct, gc=False, omit_defaults=True):
    """A line of a cost; provider, model and price list where they are not those of the call."""

    token_class: str
    tokens: int
    amount: str
    unit_price: str | None = None
    provider: str | None = None
    model: str | None = None
    price_version: str | None = None


def paid_by(ended: EndedPart) -> tuple[CostLine | PaidLine, ...]:
    """Return the lines of a call's cost; their amounts add up to it exactly."""
    cost = ended.cost
    if cost is None:
        return ()
    if not ended.attempts and not cost.lines:  # its worker died: there is nothing but the estimate
        return (PaidLine(ESTIMATE, 0, cost.amount),)
    before = [attempt for attempt in ended.attempts if attempt.cost is not None]
    if not before:
        return _with_request(cost.lines, Decimal(cost.amount))
    lines = [line for attempt in before for line in _of_attempt(attempt)]
    # The lines of attempts that failed and were paid all the same stand first in the call's own.
    own = cost.lines[sum(len(attempt.cost.lines) for attempt in before if attempt.cost is not None) :]
    return (*lines, *_with_request(own, _less(Decimal(cost.amount), lines)))


def _of_attempt(attempt: AttemptPart) -> list[PaidLine]:
    cost = attempt.cost or CostPart("0", estimated=False, price_version="")
    return [
        PaidLine(
            line.token_class,
            line.tokens,
            line.amount,
            line.unit_price,
            attempt.provider,
            attempt.model,
            cost.price_version,
        )
        for line in _with_request(cost.lines, Decimal(cost.amount))
    ]


def _with_request(lines: tuple[CostLine, ...], amount: Decimal) -> tuple[CostLine | PaidLine, ...]:
    """Return the lines with one more for what is not tokens: a price per request."""
    rest = _less(amount, lines)
    return (*lines, PaidLine(REQUEST, 0, plain(rest))) if rest else lines


def _less(amount: Decimal, lines: Iterable[CostLine | PaidLine]) -> Decimal:
    for line in lines:
        amount -= Decimal(line.amount)
    return amount
