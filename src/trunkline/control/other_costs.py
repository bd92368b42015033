"""Importing what no provider of models charges: read, attributed to teams, recorded once."""

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec

from trunkline.config.canonical import decode_directory
from trunkline.config.other_costs import read_other_costs
from trunkline.control.answers import NewCosts, Refused
from trunkline.control.state import CostsImported, State
from trunkline.model.directory import Membership
from trunkline.model.money import plain
from trunkline.model.other_costs import OtherCost
from trunkline.model.snapshot import Tenant

PART = "costs"


def prepared(
    asked: NewCosts, tenant: Tenant, read: Callable[[str], bytes | None], state: State, who: str
) -> tuple[CostsImported, bytes, frozenset[str]]:
    """Return the record of an import, its body, and the users that are in there.

    Raises ConfigInvalid, or Refused for what was imported already.

    `read` finds the bytes of a directory by its digest.
    """
    rows = read_other_costs(asked.text, asked.file, tenant.time_zone)
    if not rows:
        raise Refused(f"{asked.file} has no rows but its first line")
    body = msgspec.json.Encoder().encode_lines(_with_teams(rows, tenant, read))
    digest = hashlib.sha256(tenant.name.encode() + b"\n" + body).hexdigest()
    if digest in state.costs:
        raise Refused(
            f"the same rows were imported at {state.costs[digest][:19]}Z; nothing was changed. If they are due twice,"
            " tell them apart by a note"
        )
    amount = sum((row.amount for row in rows), Decimal(0))
    users = frozenset(row.user for row in rows if row.user is not None)
    return CostsImported(tenant.name, digest, len(rows), plain(amount), who), body, users


def _with_teams(rows: Iterable[OtherCost], tenant: Tenant, read: Callable[[str], bytes | None]) -> Iterable[OtherCost]:
    data = read(tenant.directory.digest) if tenant.directory is not None else None
    users = {row.user for row in rows if row.user is not None}
    if not data or not users:
        return rows
    known = {member.user: member.memberships for member in decode_directory(data) if member.user in users}
    zone = ZoneInfo(tenant.time_zone)
    return [_placed(row, known.get(row.user or "", ()), zone) for row in rows]


def _placed(row: OtherCost, memberships: Iterable[Membership], zone: ZoneInfo) -> OtherCost:
    day = datetime.fromisoformat(row.at).astimezone(zone).date().isoformat()
    for place in memberships:
        if (place.first or "") <= day <= (place.last or "~"):
            return msgspec.structs.replace(row, team=place.team, cost_center=place.cost_center)
    return row
