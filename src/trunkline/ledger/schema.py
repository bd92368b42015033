"""The tables of the index, and the views over them that users and other packages read. Pure: text only.

The views have the names and columns of docs/ledger.md. The tables behind them are in the schema `facts` and may change
with SCHEMA_VERSION: an index of another version is made again from the logs.
"""

from collections.abc import Mapping

SCHEMA_VERSION = 1
FACTS = "facts"

# Exact for every price list that is known: a token's price has at most twelve decimals.
MONEY = "DECIMAL(38,18)"
TEXT, WHOLE, NUMBER, ID, TIME = "VARCHAR", "BIGINT", "DOUBLE", "UUID", "TIMESTAMPTZ"

Columns = Mapping[str, str]

# Where a record stands: the number of its log (facts.logs), the first index of its segment, and its offset in that.
_OPENED_AT = {"log": "INTEGER", "segment": WHOLE, "offset": WHOLE}

CALLS: Columns = {
    "id": ID,
    "at": TIME,
    "tenant": TEXT,
    "team": TEXT,
    "user_id": TEXT,
    "subject": TEXT,
    "key_id": TEXT,
    "session": TEXT,
    "purpose": TEXT,
    "endpoint": TEXT,
    "route": TEXT,
    "provider": TEXT,
    "model": TEXT,
    "prompt_name": TEXT,
    "prompt_version": TEXT,
    "prompt_fingerprint": TEXT,
    "stream": "BOOLEAN",
    "outcome": TEXT,
    "status": "SMALLINT",
    "error_code": TEXT,
    "error_source": TEXT,
    "finish_reason": TEXT,
    "attempts": "SMALLINT",
    "prompt_tokens": WHOLE,
    "cached_tokens": WHOLE,
    "completion_tokens": WHOLE,
    "reasoning_tokens": WHOLE,
    "cost": MONEY,
    "estimated": "BOOLEAN",
    "first_token_ms": NUMBER,
    "total_ms": NUMBER,
    "overhead_ms": NUMBER,
    "hold_ms": NUMBER,
    "tags": "MAP(VARCHAR, VARCHAR)",
    "snapshot": TEXT,
    "trace_id": TEXT,
}

ATTEMPTS: Columns = {
    "call_id": ID,
    "n": "SMALLINT",
    "provider": TEXT,
    "model": TEXT,
    "started_at": TIME,
    "status": "SMALLINT",
    "outcome": TEXT,
    "reason": TEXT,
    "first_token_ms": NUMBER,
    "total_ms": NUMBER,
}

FINDINGS: Columns = {
    "call_id": ID,
    "policy": TEXT,
    "policy_version": TEXT,
    "rule": TEXT,
    "stage": TEXT,
    "action": TEXT,
    "start": WHOLE,
    "end": WHOLE,
    "ms": NUMBER,
}

COSTS: Columns = {
    "call_id": ID,
    "provider": TEXT,
    "model": TEXT,
    "token_class": TEXT,
    "tokens": WHOLE,
    "unit_price": MONEY,
    "amount": MONEY,
    "price_version": TEXT,
}

SESSIONS: Columns = {
    "session": TEXT,
    "tenant": TEXT,
    "user_id": TEXT,
    "subject": TEXT,
    "first_at": TIME,
    "last_at": TIME,
    "calls": WHOLE,
    "cost": MONEY,
}

SCORES: Columns = {
    "call_id": ID,
    "name": TEXT,
    "value": NUMBER,
    "label": TEXT,
    "source": TEXT,
    "at": TIME,
}

REFUSALS: Columns = {
    "first_call": ID,
    "at": TIME,
    "tenant": TEXT,
    "key_id": TEXT,
    "user_id": TEXT,
    "route": TEXT,
    "outcome": TEXT,
    "status": "SMALLINT",
    "error_code": TEXT,
    "error_source": TEXT,
    "rule": TEXT,
    "message": TEXT,
    "count": WHOLE,
    "snapshot": TEXT,
}

# What is in force for users and other packages: view -> its columns, in their order.
VIEWS: Mapping[str, Columns] = {
    "calls": CALLS,
    "attempts": ATTEMPTS,
    "findings": FINDINGS,
    "costs": COSTS,
    "sessions": SESSIONS,
    "scores": SCORES,
    "refusals": REFUSALS,
}

# table -> its columns. Of a call: when it ended, the tools that it asked for, and where its two records stand.
TABLES: Mapping[str, Columns] = {
    "calls": {
        **CALLS,
        "ended_at": TIME,
        "tool_calls": "VARCHAR[]",
        **_OPENED_AT,
        "end_segment": WHOLE,
        "end_offset": WHOLE,
    },
    "attempts": ATTEMPTS,
    "findings": FINDINGS,
    "costs": COSTS,
    "scores": SCORES,
    "refusals": {**REFUSALS, **_OPENED_AT},
    # Calls that have been opened and have not ended, with their record.
    "running": {"id": ID, **_OPENED_AT, "record": TEXT},
    # Records that could not be understood: counted, never skipped in silence.
    "unreadable": {**_OPENED_AT, "reason": TEXT},
    # How far each log has been read: the place of its first batch that has not.
    "logs": {
        "log": "INTEGER",
        "origin": TEXT,
        "directory": TEXT,
        "segment": WHOLE,
        "offset": WHOLE,
        "next_index": WHOLE,
    },
    "meta": {"version": "INTEGER", "made_at": TIME},
}

_SESSIONS = f"""
SELECT session, tenant, arg_min(user_id, id) AS user_id, arg_min(subject, id) AS subject, min("at") AS first_at,
       max("at") AS last_at, count(*) AS calls, CAST(sum(cost) AS {MONEY}) AS cost
FROM {FACTS}.calls WHERE session IS NOT NULL GROUP BY tenant, session
"""  # noqa: S608 - names of ours


def statements() -> list[str]:
    """Return what makes an empty index."""
    made = [f"CREATE SCHEMA {FACTS}"]
    for name, columns in TABLES.items():
        made.append(f"CREATE TABLE {FACTS}.{name} ({', '.join(f'{quoted(c)} {t}' for c, t in columns.items())})")
    for name, columns in VIEWS.items():
        names = ", ".join(map(quoted, columns))
        source = f"({_SESSIONS})" if name == "sessions" else f"{FACTS}.{name}"
        made.append(f"CREATE VIEW {name} AS SELECT {names} FROM {source}")  # noqa: S608 - names of ours
    made.append(f"INSERT INTO {FACTS}.meta VALUES ({SCHEMA_VERSION}, now())")  # noqa: S608
    return made


def quoted(name: str) -> str:
    """Return a name as SQL takes it, whatever words the language has for itself (`at`, `end`)."""
    return f'"{name}"'
