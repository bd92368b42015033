"""Looks at what was asked and answered: each is in control's log before anybody sees anything."""

from collections.abc import Callable
from typing import Any, Final, Literal, TypeVar

import msgspec

from trunkline.ledger.evidence_answers import ExportFormat, ExportQuestion
from trunkline.ledger.place_answers import PlacesQuestion
from trunkline.ledger.wording import asked_for, moment_of
from trunkline.model.names import PersonKind

Record = TypeVar("Record", bound=msgspec.Struct)
PERSON_KINDS: Final[tuple[PersonKind, ...]] = ("user", "subject")
Action = Literal["bodies", "session", "replay", "export", "scan", "review", "notes"]


class AuditRead(msgspec.Struct, frozen=True, tag_field="type", tag="audit.read", omit_defaults=True, kw_only=True):
    """Somebody was shown what was asked or answered in so many `calls`; the record's `at` says when.

    `action` is `bodies` (one `call`), `session` (a `session` of a `tenant`), `replay` (one `call`), `export` (those
    that a `filter` chose, written as `format`), `scan` (those that a `filter` chose, looked at by policies), `review`
    (one `call`, shown to who is to decide about it) or `notes` (what was noted about one `call`).
    """

    who: str
    action: Action
    calls: int
    call: str | None = None
    session: str | None = None
    tenant: str | None = None
    filter: dict[str, str] = {}
    format: ExportFormat | None = None


def read_by_export(asked: ExportQuestion, calls: int) -> dict[str, Any]:
    """Return what the record of an export says of it, beside who has made it."""
    return {"action": "export", "calls": calls, "filter": asked_for(asked), "format": asked.format}


def read_by_scan(asked: PlacesQuestion, calls: int) -> dict[str, Any]:
    """Return what the record of a scan says of it, beside who makes it."""
    words = {
        "since": moment_of(asked.since),
        "until": moment_of(asked.until),
        "tenant": asked.tenant,
        "route": asked.route,
    }
    return {
        "action": "scan",
        "calls": calls,
        "filter": {name: word for name, word in words.items() if word is not None},
    }


def as_written(record: Record, written: Callable[[str, PersonKind, str], str]) -> Record:
    """Return a record as it is written: whom its `filter` names stands there as in the records of calls.

    A question about all tenants has no tenant to name a person of: the pseudonym is of this question alone.
    """
    chosen: dict[str, str] = dict(getattr(record, "filter", {}))
    if not any(kind in chosen for kind in PERSON_KINDS):
        return record
    for kind in PERSON_KINDS:
        if kind in chosen:
            chosen[kind] = written(chosen.get("tenant", ""), kind, chosen[kind])
    return msgspec.structs.replace(record, filter=chosen)
