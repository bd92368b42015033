"""A call that waits for the authority."""

from collections.abc import Sequence
from typing import final

from trunkline.policy.leases.held import Held, Lot
from trunkline.policy.leases.messages import Want
from trunkline.policy.limits.rules import Claim, Needs


@final
class Pending:
    """What a call has in hand of what was held, and what it asks for.

    `found` and `in_hand` are by claim; `positions` says of each want which claim's it is.
    """

    __slots__ = ("claims", "found", "generation", "in_hand", "needs", "positions", "wants")

    def __init__(self, claims: Sequence[Claim], needs: Needs, found: list[Held], generation: int) -> None:
        self.claims, self.needs, self.found, self.generation = claims, needs, found, generation
        self.in_hand: list[list[Lot]] = []
        self.wants: list[Want] = []
        self.positions: list[int] = []
