"""Times, filters and counts in words. Pure."""

from datetime import UTC, datetime

from trunkline.ledger.evidence_answers import ExportQuestion


def asked_for(asked: ExportQuestion) -> dict[str, str]:
    """Return what was asked for as words, as a record or a page says it."""
    words: dict[str, str | None] = {
        "since": moment_of(asked.period.since),
        "until": moment_of(asked.period.until),
        "tenant": asked.tenant,
        "user": asked.user,
        "subject": asked.subject,
        "session": asked.session,
        "finding": asked.finding,
        "outcome": asked.outcome,
    }
    return {name: word for name, word in words.items() if word is not None}


def moment_of(second: float | None) -> str | None:
    """Return a Unix second as RFC 3339 in UTC, None for none."""
    if second is None:
        return None
    return datetime.fromtimestamp(second, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def counted(calls: int, refusals: int) -> str:
    """Return how many calls, and rows of refusals, something has."""
    rows = f" and {refusals:,} row{'' if refusals == 1 else 's'} of refused ones" if refusals else ""
    return f"{calls:,} call{'' if calls == 1 else 's'}{rows}"
