"""What records say of persons: names become what the log writes for them, in the members that can have one."""

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from trunkline.model.identity import Identity
from trunkline.model.records import CallClosed, CallRefused
from trunkline.policy.limits.rules import NOBODY, OTHERS, is_of_users

FAIR_SHARE: Final = "fair_share"

# From a tenant and a user's name to what stands in records.
Write = Callable[[str, str], str]


class Persons(NamedTuple):
    """User and subject of a call as they are written."""

    user: str | None
    subject: str | None


def persons_of(identity: Identity, user: Write, subject: Write) -> Persons:
    """Return who a call is for, as it is written; a subject that is the user is written like the user."""
    tenant, about = identity.tenant, identity.subject
    written = user(tenant, identity.user) if identity.user is not None else None
    if about is None or about == identity.user:
        return Persons(written, written if about is not None else None)
    return Persons(written, subject(tenant, about))


def owner_written(tenant: str, rule: str, owner: str, user: Write) -> str:
    """Return the owner of what a rule counts as it is written: where that is a user, not by name."""
    if owner in (NOBODY, OTHERS) or not (is_of_users(rule) or (rule == FAIR_SHARE and owner != tenant)):
        return owner
    return user(tenant, owner)


def refused_written(record: CallRefused, user: Write) -> CallRefused:
    """Return the record of refused calls as it is written."""
    tenant = record.tenant
    if tenant is None:
        return record
    named = user(tenant, record.user) if record.user is not None else None
    owner, message = _told(tenant, record.rule, record.owner, record.message or "", user)
    return msgspec.structs.replace(
        record, user=named, owner=owner, message=message if record.message is not None else None
    )


def closed_written(record: CallClosed, tenant: str, user: Write) -> CallClosed:
    """Return the record that closes a call as it is written: an error may say whose limit was used up."""
    error = record.error
    if error is None or error.owner is None:
        return record
    owner, message = _told(tenant, error.rule, error.owner, error.message, user)
    return msgspec.structs.replace(record, error=msgspec.structs.replace(error, owner=owner, message=message))


def _told(tenant: str, rule: str | None, owner: str | None, message: str, user: Write) -> tuple[str | None, str]:
    """Return an owner, and a message of ours that names it, as they are written."""
    if rule is None or owner is None:
        return owner, message
    written = owner_written(tenant, rule, owner, user)
    return written, message if written == owner else message.replace(f"`{owner}`", f"`{written}`")
