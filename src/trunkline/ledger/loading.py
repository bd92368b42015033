"""How a row of a table comes from the lines that a batch of records was written as. Pure: text only.

A batch goes to DuckDB as lines of JSON in memory, one file for each table, in the shape that the records have; what a
column of the table is made of stands here. Measured with rows of 46 columns, a row took 12 us this way, as long with
Arrow and 40 MB more of memory, 27 us as JSON in a parameter, and 1,100 us row by row.
"""

from collections.abc import Mapping

from trunkline.ledger.schema import ID, MONEY, NUMBER, TABLES, TEXT, TIME, WHOLE, Columns, quoted, struct_of

# The parts of two records, each at most 60 KiB unless it was spilled.
LONGEST_LINE = 16 << 20

_STANDS = {"log": "INTEGER", "segment": WHOLE, "offset": WHOLE}
_OPENED = struct_of(
    {
        "id": ID,
        "at": TIME,
        "tenant": TEXT,
        "team": TEXT,
        "cost_center": TEXT,
        "user": TEXT,
        "subject": TEXT,
        "key_id": TEXT,
        "session": TEXT,
        "purpose": TEXT,
        "endpoint": TEXT,
        "route": TEXT,
        "stream": "BOOLEAN",
        "prompt_fingerprint": TEXT,
        "tags": TABLES["calls"]["tags"],
        "snapshot": TEXT,
        "traceparent": TEXT,
        "judged_call": ID,
    }
)
_ENDED = struct_of(
    {
        "at": TIME,
        "outcome": TEXT,
        "status": "SMALLINT",
        "finish_reason": TEXT,
        "error": struct_of({"code": TEXT, "source": TEXT, "rule": TEXT, "owner": TEXT}),
        "attempts": TABLES["calls"]["tried"],
        "provider": TEXT,
        "model": TEXT,
        "usage": struct_of(
            dict.fromkeys(
                (
                    "input",
                    "cached_input",
                    "cache_write",
                    "cache_write_1h",
                    "audio_input",
                    "cached_audio_input",
                    "output",
                    "reasoning",
                    "audio_output",
                ),
                WHOLE,
            )
        ),
        "cost": struct_of({"amount": MONEY, "estimated": "BOOLEAN", "price_version": TEXT}),
        "timings": struct_of(dict.fromkeys(("first_token_ms", "total_ms", "overhead_ms", "hold_ms"), NUMBER)),
        "tool_calls": "VARCHAR[]",
        "findings": TABLES["calls"]["found"],
        "to_judge": "VARCHAR[]",
    }
)


def _members(table: str) -> str:
    """Return the type of a record whose members are columns of this table, beside where it stands."""
    return struct_of({name: kind for name, kind in TABLES[table].items() if name not in _STANDS})


# The members of a line, for each table; `o` and `e` are of the records that opened and ended a call.
LINES: Mapping[str, Columns] = {
    "calls": {
        "o": _OPENED,
        **_STANDS,
        "e": _ENDED,
        "asked": "SMALLINT",
        "paid": TABLES["calls"]["paid"],
        "end_segment": WHOLE,
        "end_offset": WHOLE,
    },
    "judgements": {
        "j": struct_of(
            {
                "call": ID,
                "at": TIME,
                "policies": TABLES["judgements"]["said"],
                "findings": TABLES["judgements"]["found"],
            }
        ),
        **_STANDS,
    },
    "refusals": {
        "r": struct_of(
            {
                "first_call": ID,
                "at": TIME,
                "tenant": TEXT,
                "key_id": TEXT,
                "user": TEXT,
                "route": TEXT,
                "outcome": TEXT,
                "status": "SMALLINT",
                "code": TEXT,
                "source": TEXT,
                "rule": TEXT,
                "owner": TEXT,
                "message": TEXT,
                "count": WHOLE,
                "snapshot": TEXT,
            }
        ),
        **_STANDS,
    },
    "imports": {
        "c": struct_of(
            {
                "at": TIME,
                "kind": TEXT,
                "amount": MONEY,
                "session": TEXT,
                "user": TEXT,
                "note": TEXT,
                "team": TEXT,
                "cost_center": TEXT,
            }
        ),
        "tenant": TEXT,
        "n": "INTEGER",
        **_STANDS,
    },
    "reads": {"r": _members("reads"), **_STANDS},
    "samples": {"s": _members("samples"), **_STANDS},
    "chosen": TABLES["chosen"],
    "decisions": {"d": _members("decisions"), **_STANDS},
    "running": TABLES["running"],
    "unreadable": TABLES["unreadable"],
}


def _record(table: str, member: str) -> dict[str, str]:
    """Return what the columns of a table are made of that are members of a record."""
    return {name: f"{member}.{quoted(name)}" for name in TABLES[table] if name not in _STANDS}


def _sum(*classes: str) -> str:
    """Return the sum of these classes of tokens: nothing where nothing was counted, for a part left out is 0."""
    return f"CASE WHEN e.usage IS NOT NULL THEN {' + '.join(f'coalesce(e.usage.{name}, 0)' for name in classes)} END"


# What a column is made of, where it is not the member of the line with its name.
_FROM_OPENED = (
    "id",
    "at",
    "tenant",
    "team",
    "cost_center",
    "key_id",
    "session",
    "purpose",
    "endpoint",
    "route",
    "prompt_fingerprint",
    "stream",
    "snapshot",
    "judged_call",
)
_FROM_ENDED = ("outcome", "status", "finish_reason", "provider", "model", "tool_calls")
_FROM_TIMINGS = ("first_token_ms", "total_ms", "overhead_ms")
EXPRESSIONS: Mapping[str, Mapping[str, str]] = {
    "calls": {
        **{name: f"o.{quoted(name)}" for name in _FROM_OPENED},
        **{name: f"e.{name}" for name in _FROM_ENDED},
        **{name: f"e.timings.{name}" for name in _FROM_TIMINGS},
        "user_id": "o.user",
        "subject": "coalesce(o.subject, o.user)",
        "prompt_name": "NULL",
        "prompt_version": "NULL",
        "error_code": "e.error.code",
        "error_source": "e.error.source",
        "rule": "e.error.rule",
        "owner": "e.error.owner",
        "attempts": "asked",
        "prompt_tokens": _sum(
            "input", "cached_input", "cache_write", "cache_write_1h", "audio_input", "cached_audio_input"
        ),
        "cached_tokens": _sum("cached_input", "cached_audio_input"),
        "completion_tokens": _sum("output", "reasoning", "audio_output"),
        "reasoning_tokens": _sum("reasoning"),
        "cost": "e.cost.amount",
        "estimated": "coalesce(e.cost.estimated, false)",
        "hold_ms": "CASE WHEN e.timings IS NOT NULL THEN coalesce(e.timings.hold_ms, 0) END",
        "tags": "coalesce(o.tags, MAP {})",
        "trace_id": "nullif(split_part(o.traceparent, '-', 2), '')",
        "ended_at": 'e."at"',
        "tool_calls": "coalesce(e.tool_calls, [])",
        "price_version": "e.cost.price_version",
        "tried": "coalesce(e.attempts, [])",
        "paid": "coalesce(paid, [])",
        "found": "coalesce(e.findings, [])",
        "to_judge": "coalesce(e.to_judge, [])",
    },
    "judgements": {
        "call": "j.call",
        "at": 'j."at"',
        "said": "j.policies",
        "found": "coalesce(j.findings, [])",
    },
    "refusals": {
        **{
            name: f"r.{quoted(name)}"
            for name in (
                "first_call",
                "at",
                "tenant",
                "key_id",
                "route",
                "outcome",
                "status",
                "rule",
                "owner",
                "message",
                "count",
                "snapshot",
            )
        },
        "user_id": "r.user",
        "error_code": "r.code",
        "error_source": "r.source",
    },
    "reads": {**_record("reads", "r"), "filter": "coalesce(r.filter, MAP {})"},
    "samples": {
        **_record("samples", "s"),
        "filter": "coalesce(s.filter, MAP {})",
        "all_flagged": "coalesce(s.all_flagged, false)",
        "again": "coalesce(s.again, false)",
    },
    "decisions": _record("decisions", "d"),
    "imports": {
        **{name: f"c.{quoted(name)}" for name in ("at", "team", "session", "kind", "amount", "note", "cost_center")},
        "user_id": "c.user",
    },
}


def rows_of(table: str, path: str) -> str:
    """Return the query that makes rows of a table from the lines in a file of ours."""
    made_of = EXPRESSIONS.get(table, {})
    values = ", ".join(made_of.get(column, quoted(column)) for column in TABLES[table])
    members = ", ".join(f"'{name}': '{kind}'" for name, kind in LINES[table].items())
    return (
        f"SELECT {values} FROM read_json('{path}', format = 'newline_delimited', columns = {{{members}}},"
        f" maximum_object_size = {LONGEST_LINE})"
    )
