"""Who makes a call, and what for."""

from typing import Literal

import msgspec

Purpose = Literal["production", "eval", "judge", "drill", "replay", "probe"]
UserSource = Literal["header", "safety_identifier", "body"]


class Identity(msgspec.Struct, frozen=True, gc=False):
    """Tenant and key come from the key alone; the rest is asserted by the tenant's application.

    Team and cost centre are the user's of that day by the tenant's directory; else the team is the key's.

    `subject` is the person the call is about and defaults to the user; `user_source` says where the user was named.
    """

    tenant: str
    key_id: str
    team: str | None = None
    cost_center: str | None = None
    user: str | None = None
    user_source: UserSource | None = None
    subject: str | None = None
    session: str | None = None
    purpose: Purpose = "production"
    tags: dict[str, str] = {}
