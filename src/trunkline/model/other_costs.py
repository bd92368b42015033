"""What a conversation costs besides its model: speech, telephony."""

from decimal import Decimal

import msgspec


class OtherCost(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A cost that was imported: when (RFC 3339, UTC), for what, and how much in USD; below 0 it takes one back.

    `team` and `cost_center` are the user's on that day by the tenant's directory, as it was when the row was imported.
    """

    at: str
    kind: str
    amount: Decimal
    session: str | None = None
    user: str | None = None
    note: str | None = None
    team: str | None = None
    cost_center: str | None = None
