"""Who belongs to which team, and when: the directory of a tenant's users."""

from typing import NamedTuple

import msgspec


class Place(NamedTuple):
    """What a user's call counts for."""

    team: str
    cost_center: str | None


class Membership(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, rename={"first": "from", "last": "to"}):
    """A row: what a user is from one day to another, both included; None is open. Days are as in `2026-06-30`."""

    team: str
    name: str | None = None
    cost_center: str | None = None
    first: str | None = None
    last: str | None = None


class Member(msgspec.Struct, frozen=True, gc=False):
    """A user with the rows that name it, in the order of their days; no two of them have a day in common."""

    user: str
    memberships: tuple[Membership, ...]
