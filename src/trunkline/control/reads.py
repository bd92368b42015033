"""Looks at what was asked and answered: each is in control's log before anybody sees anything."""

from typing import Any, Literal

import msgspec

from trunkline.ledger.evidence_answers import ExportFormat, ExportQuestion
from trunkline.ledger.wording import asked_for

Action = Literal["bodies", "session", "replay", "export"]


class AuditRead(msgspec.Struct, frozen=True, tag_field="type", tag="audit.read", omit_defaults=True, kw_only=True):
    """Somebody was shown what was asked or answered in so many `calls`; the record's `at` says when.

    `action` is `bodies` (one `call`), `session` (a `session` of a `tenant`), `replay` (one `call`) or `export` (those
    that a `filter` chose, written as `format`).
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
