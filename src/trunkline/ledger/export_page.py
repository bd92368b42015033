"""An export as a page that a person reads and prints: one file, without scripts and without anything from elsewhere."""

from collections.abc import Iterator
from typing import Any, Final

from trunkline.ledger.archive import Stored
from trunkline.ledger.evidence_answers import Missing
from trunkline.ledger.export_conversation import conversation
from trunkline.ledger.export_entries import Entry, Export
from trunkline.ledger.export_style import STYLE
from trunkline.ledger.markup import facts, table, text
from trunkline.ledger.story import timeline
from trunkline.ledger.wording import asked_for, counted, moment_of

Json = dict[str, Any]

# Not even a part of it that somebody else wrote could load or send anything.
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
FINDING: Final = ("policy", "rule", "stage", "action", "where", "characters", "at", "why")
RECORD: Final = ("record", "at", "log", "index", "id", "leaf hash")
BODY: Final = ("body", "stored", "bytes", "parts")


class Page:
    """The page, entry by entry."""

    def __init__(self, about: Export) -> None:
        self._about = about

    def head(self) -> bytes:
        """Return what comes before the first entry: what this is, of what, by whom."""
        about = self._about
        words = {name.capitalize(): value for name, value in asked_for(about.asked).items()}
        within = f"{counted(about.calls, about.refusals)}, oldest first"
        rows = {**words, "Made at": moment_of(about.made_at), "Made by": about.who, "In it": within}
        rows |= _missing(about.missing)
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>Calls on record</title>\n<style>{STYLE}</style></head><body>\n"
            f"<header><h1>Calls on record</h1>\n{facts(rows)}"
            "<p>Times are UTC. Texts are as the record log has them; what would steer a screen is written as an escape."
            " Marked is what a guardrail found.</p></header>\n"
        ).encode()

    def entry(self, entry: Entry) -> bytes:
        """Return an entry's section."""
        section = "".join(_refused(entry) if entry.opened is None and entry.ended is None else _call(entry))
        return f"<section>\n{section}</section>\n".encode()

    @staticmethod
    def foot() -> bytes:
        """Return what comes after the last entry: a page without it is not whole."""
        return b"<footer>End of the export.</footer>\n</body></html>\n"


def _missing(missing: Missing) -> dict[str, str]:
    """Return what is not in an export, as far as there is something."""
    rows = {
        "Not in it": (missing.running, "calls of that time that had not ended"),
        "Unreadable": (missing.unreadable, "records of the logs; which calls are theirs nobody knows"),
        "Damaged": (missing.damaged, "logs, which cannot be read to their end; what stands behind that is not in it"),
    }
    return {name: f"{count:,} {what}" for name, (count, what) in rows.items() if count}


def _call(entry: Entry) -> Iterator[str]:
    opened: Json = entry.opened.members if entry.opened is not None else {}
    ended: Json = entry.ended.members if entry.ended is not None else {}
    yield _heading(opened.get("at") or ended.get("at"), ended.get("outcome"), f"call {entry.call}")
    if entry.lost is not None:
        yield f'<p class="lost">Not all of this call is here: {text(entry.lost)}.</p>\n'
    yield facts(_who(opened) | _what(opened, ended))
    yield from conversation(ended, entry.bodies)
    yield from _guardrails(opened, ended)
    if entry.lost is None:
        yield "<h3>Timeline</h3>\n" + table(
            ("ms", "event", ""), ((moment.ms, moment.event, moment.detail) for moment in timeline(opened, ended))
        )
    yield from _records(entry)


def _heading(at: object, outcome: object, name: str) -> str:
    said = text(outcome or "unknown")
    return (
        f'<h2><time>{text(at)}</time> <span class="outcome {said}">{said}</span></h2>\n<p class="id">{text(name)}</p>\n'
    )


def _who(opened: Json) -> dict[str, object]:
    source = f" (named by {opened['user_source']})" if opened.get("user_source") else ""
    return {
        "Tenant": opened.get("tenant"),
        "Team": opened.get("team"),
        "Cost centre": opened.get("cost_center"),
        "User": f"{opened['user']}{source}" if opened.get("user") else None,
        "About": opened.get("subject"),
        "Session": opened.get("session"),
        "Purpose": opened.get("purpose"),
        "Tags": ", ".join(f"{name}={value}" for name, value in opened.get("tags", {}).items()),
        "Key": opened.get("key_id"),
        "Judges": opened.get("judged_call"),
    }


def _what(opened: Json, ended: Json) -> dict[str, object]:
    model = f"{ended['provider']}/{ended['model']}" if ended.get("provider") else "nobody answered"
    cost, usage = ended.get("cost"), ended.get("usage") or {}
    tokens = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in usage.items() if count)
    error = ended.get("error")
    return {
        "Asked for": f"{opened.get('model_asked')}, route {opened.get('route')}" if opened else None,
        "Answered by": model,
        "Prompt": f"fingerprint {opened['prompt_fingerprint']}" if opened.get("prompt_fingerprint") else None,
        "Tools offered": ", ".join(opened.get("tools", ())),
        "Tokens": f"{tokens} (estimated)" if ended.get("usage_estimated") else tokens,
        "Cost": f"{cost['amount']} USD{' (estimated)' if cost['estimated'] else ''}, prices {cost['price_version']}"
        if cost
        else None,
        "Status": ended.get("status"),
        "Finished": ended.get("finish_reason"),
        "Error": f"{error.get('code')} ({error['source']}): {error['message']}" if error else None,
    }


def _guardrails(opened: Json, ended: Json) -> Iterator[str]:
    in_force, found = opened.get("guardrails", ()), ended.get("findings", ())
    if not in_force and not found:
        return
    yield "<h3>Guardrails</h3>\n"
    stopped = f" The answer was stopped or replaced by {text(ended['guardrail'])}." if ended.get("guardrail") else ""
    yield f"<p>In force: {text(', '.join(in_force))}.{stopped}</p>\n"
    if found:
        yield table(
            FINDING,
            (
                (
                    f"{one['policy']}@{one['policy_version']}",
                    one["rule"],
                    one["stage"],
                    one["action"],
                    one["where"],
                    f"{one['start']} to {one['end']}",
                    f"{one['ms']:g} ms",
                    one.get("why"),
                )
                for one in found
            ),
        )
    if ended.get("findings_left_out"):
        yield f"<p>And {ended['findings_left_out']:,} findings more, which the record does not list.</p>\n"


def _records(entry: Entry) -> Iterator[str]:
    records = entry.records()
    yield "<h3>Records</h3>\n"
    yield table(RECORD, (_record(name, record) for name, record in records.items()))
    named = [reference for record in records.values() for reference in record.references]
    if named:
        yield table(BODY, ((one.digest, one.codec, one.size, ", ".join(one.parts)) for one in named))


def _record(name: str, record: Stored) -> tuple[object, ...]:
    members = record.members
    return (name, members["at"], members["log"], members["index"], members["id"], record.leaf)


def _refused(entry: Entry) -> Iterator[str]:
    refused: Json = entry.refused.members if entry.refused is not None else {}
    first = f"refused, the first one call {entry.call}" if entry.call else "refused"
    yield _heading(refused.get("at"), refused.get("outcome"), first)
    if entry.lost is not None:
        yield f'<p class="lost">This is not here: {text(entry.lost)}.</p>\n'
    yield facts(
        {
            "Tenant": refused.get("tenant"),
            "User": refused.get("user"),
            "Key": refused.get("key_id"),
            "Route": refused.get("route"),
            "Calls": refused.get("count"),
            "Status": refused.get("status"),
            "Error": f"{refused.get('code')} ({refused.get('source')})" if refused else None,
            "Rule": refused.get("rule"),
            "Owner": refused.get("owner"),
            "Told": refused.get("message"),
        }
    )
    yield from _records(entry)
