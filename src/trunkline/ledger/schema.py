"""The tables of the index, and the views over them that users and other packages read. Pure: text only.

The views have the names and columns of docs/ledger.md. The tables behind them are in the schema `facts` and may change
with SCHEMA_VERSION: an index of another version is made again from the logs.
"""

from collections.abc import Mapping

SCHEMA_VERSION = 8
FACTS = "facts"
# A database in memory, with the name of each pseudonym: `name` by `written`. What is on the disk has none.
PEOPLE = "people"
PERSONS = frozenset({"user_id", "subject", "owner"})  # columns of views that name persons

# Exact for every price list that is known: a token's price has at most twelve decimals.
MONEY = "DECIMAL(38,18)"
TEXT, WHOLE, NUMBER, ID, TIME = "VARCHAR", "BIGINT", "DOUBLE", "UUID", "TIMESTAMPTZ"

Columns = Mapping[str, str]

# Where a record stands: the number of its log (`facts.logs`), the first index of its segment, and its offset in that.
_STANDS = {"log": "INTEGER", "segment": WHOLE, "offset": WHOLE}

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
    "cost_center": TEXT,
    "rule": TEXT,
    "owner": TEXT,
    "judged_call": ID,
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

JUDGEMENTS: Columns = {
    "call_id": ID,
    "policy": TEXT,
    "policy_version": TEXT,
    "verdict": TEXT,
    "at": TIME,
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
    "owner": TEXT,
    "message": TEXT,
    "count": WHOLE,
    "snapshot": TEXT,
}

IMPORTS: Columns = {
    "at": TIME,
    "tenant": TEXT,
    "team": TEXT,
    "user_id": TEXT,
    "session": TEXT,
    "kind": TEXT,
    "amount": MONEY,
    "note": TEXT,
    "cost_center": TEXT,
}

REVIEWS: Columns = {
    "call_id": ID,
    "sample_id": ID,
    "sampled_at": TIME,
    "why": TEXT,
    "verdict": TEXT,
    "reviewer": TEXT,
    "decided_at": TIME,
    "decisions": WHOLE,
}

# What is in force for users and other packages: view -> its columns, in their order.
VIEWS: Mapping[str, Columns] = {
    "calls": CALLS,
    "attempts": ATTEMPTS,
    "findings": FINDINGS,
    "judgements": JUDGEMENTS,
    "costs": COSTS,
    "sessions": SESSIONS,
    "scores": SCORES,
    "refusals": REFUSALS,
    "imports": IMPORTS,
    "reviews": REVIEWS,
}

_TRIED = {name: kind for name, kind in ATTEMPTS.items() if name not in {"call_id", "started_at"}} | {
    "started_ms": NUMBER
}
_FOUND = {name: kind for name, kind in FINDINGS.items() if name != "call_id"}
_SAID = {"policy": TEXT, "policy_version": TEXT, "verdict": TEXT}
_PAID = {name: kind for name, kind in COSTS.items() if name != "call_id"}


def struct_of(columns: Columns) -> str:
    """Return the type of a structure with these members."""
    return f"STRUCT({', '.join(f'{quoted(name)} {kind}' for name, kind in columns.items())})"


def named(column: str) -> str:
    """Return the name of the person in a column, or what is there if it is a name, or one whose name is not known."""
    return f"coalesce((SELECT n.name FROM {PEOPLE}.names n WHERE n.written = {column}), {column})"


def people(path: str) -> list[str]:
    """Return what makes the database of names, from the lines in a file of ours."""
    return [
        f"ATTACH ':memory:' AS {PEOPLE}",
        f"CREATE TABLE {PEOPLE}.names (written {TEXT}, name {TEXT})",
        more_people(path),
    ]


def more_people(path: str) -> str:
    """Return what adds names from the lines in a file of ours."""
    members = f"{{'written': '{TEXT}', 'name': '{TEXT}'}}"
    return (
        f"INSERT INTO {PEOPLE}.names"
        f" SELECT written, name FROM read_json('{path}', format = 'newline_delimited', columns = {members})"
    )


def quoted(name: str) -> str:
    """Return a name as SQL takes it, whatever words the language has for itself (`at`, `end`)."""
    return f'"{name}"'


# table -> its columns. Attempts, costs and findings are lists in the row of their call: nothing is joined but what was
# said of calls after their end.
TABLES: Mapping[str, Columns] = {
    "calls": {
        **CALLS,
        "ended_at": TIME,
        "tool_calls": "VARCHAR[]",
        "price_version": TEXT,
        "tried": f"{struct_of(_TRIED)}[]",
        "paid": f"{struct_of(_PAID)}[]",
        "found": f"{struct_of(_FOUND)}[]",
        "to_judge": "VARCHAR[]",
        **_STANDS,
        "end_segment": WHOLE,
        "end_offset": WHOLE,
    },
    # What was said of an answer that had left: later than its call's row, which is written once.
    "judgements": {
        "call": ID,
        "at": TIME,
        "said": f"{struct_of(_SAID)}[]",
        "found": f"{struct_of(_FOUND)}[]",
        **_STANDS,
    },
    "scores": SCORES,
    "refusals": {**REFUSALS, **_STANDS},
    "imports": {**IMPORTS, "n": "INTEGER", **_STANDS},
    # Looks at conversations, samples for review, the calls that these chose, what was decided: all from control's log.
    "reads": {
        "id": ID,
        "at": TIME,
        "who": TEXT,
        "action": TEXT,
        "calls": WHOLE,
        "call": ID,
        "session": TEXT,
        "tenant": TEXT,
        "filter": "MAP(VARCHAR, VARCHAR)",
        "format": TEXT,
        **_STANDS,
    },
    "samples": {
        "id": ID,
        "at": TIME,
        "who": TEXT,
        "since": TIME,
        "until": TIME,
        "filter": "MAP(VARCHAR, VARCHAR)",
        "all_flagged": "BOOLEAN",
        "percent": TEXT,
        "seed": TEXT,
        "population": WHOLE,
        "population_sha256": TEXT,
        "flagged": WHOLE,
        "rest": WHOLE,
        "drawn": WHOLE,
        "queued": WHOLE,
        "known": WHOLE,
        "again": "BOOLEAN",
        **_STANDS,
    },
    "chosen": {"call": ID, "sample": ID, "at": TIME, "why": TEXT, "n": "INTEGER", **_STANDS},
    "decisions": {
        "id": ID,
        "at": TIME,
        "who": TEXT,
        "call": ID,
        "sample": ID,
        "verdict": TEXT,
        "supersedes": ID,
        **_STANDS,
    },
    # Calls that have been opened and have not ended, with the part of the record that their row will need.
    "running": {"id": ID, **_STANDS, "opened": TEXT},
    # Records that could not be understood: kept count of, never skipped in silence.
    "unreadable": {**_STANDS, "reason": TEXT},
    # How far each log has been read: the place of its first batch that has not.
    "logs": {"log": "INTEGER", "directory": TEXT, "segment": WHOLE, "offset": WHOLE},
    "meta": {"version": "INTEGER", "made_at": TIME},
}

_SOURCES = {
    "attempts": f"""
        SELECT id AS call_id, one.n AS n, one.provider AS provider, one.model AS model,
               "at" + to_microseconds(CAST(round(one.started_ms * 1000) AS BIGINT)) AS started_at, one.status AS status,
               one.outcome AS outcome, one.reason AS reason, one.first_token_ms AS first_token_ms,
               one.total_ms AS total_ms
        FROM (SELECT id, "at", unnest(tried) AS one FROM {FACTS}.calls)
    """,
    "findings": f"""
        SELECT id AS call_id, {", ".join(f"one.{quoted(name)} AS {quoted(name)}" for name in _FOUND)}
        FROM (SELECT id, unnest(found) AS one FROM {FACTS}.calls
              UNION ALL SELECT call, unnest(found) FROM {FACTS}.judgements)
    """,
    # What is due stands in the call's row, as `policy@version`, whether or not anything was said.
    "judgements": f"""
        SELECT due.id AS call_id, split_part(due.one, '@', 1) AS policy, split_part(due.one, '@', 2) AS policy_version,
               said.one.verdict AS verdict, said."at" AS "at"
        FROM (SELECT log, id, unnest(to_judge) AS one FROM {FACTS}.calls) due
             LEFT JOIN (SELECT log, call, "at", unnest(said) AS one FROM {FACTS}.judgements) said
             ON said.log = due.log AND said.call = due.id
                AND said.one.policy || '@' || said.one.policy_version = due.one
    """,
    "costs": f"""
        SELECT id AS call_id, coalesce(one.provider, provider) AS provider, coalesce(one.model, model) AS model,
               one.token_class AS token_class, one.tokens AS tokens, one.unit_price AS unit_price,
               one.amount AS amount, coalesce(one.price_version, price_version) AS price_version
        FROM (SELECT id, provider, model, price_version, unnest(paid) AS one FROM {FACTS}.calls)
    """,
    # The last decision of a call that was chosen is the one that holds.
    "reviews": f"""
        SELECT one.call AS call_id, one.sample AS sample_id, one."at" AS sampled_at, one.why AS why,
               said.verdict AS verdict, said.who AS reviewer, said."at" AS decided_at,
               coalesce(said.decisions, 0) AS decisions
        FROM {FACTS}.chosen one
             LEFT JOIN (SELECT call, sample, arg_max(verdict, "at") AS verdict, arg_max(who, "at") AS who,
                               max("at") AS "at", count(*) AS decisions
                        FROM {FACTS}.decisions GROUP BY call, sample) said
             ON said.call = one.call AND said.sample = one.sample
    """,
    "sessions": f"""
        SELECT session, tenant, arg_min(user_id, id) AS user_id, arg_min(subject, id) AS subject,
               min("at") AS first_at, max("at") AS last_at, count(*) FILTER (judged_call IS NULL) AS calls,
               CAST(sum(cost) AS {MONEY}) AS cost
        FROM {FACTS}.calls WHERE session IS NOT NULL GROUP BY tenant, session
    """,
}


def statements() -> list[str]:
    """Return what makes an empty index."""
    made = [f"CREATE SCHEMA {FACTS}"]
    for name, columns in TABLES.items():
        made.append(f"CREATE TABLE {FACTS}.{name} ({', '.join(f'{quoted(c)} {t}' for c, t in columns.items())})")
    for name, columns in VIEWS.items():
        names = ", ".join(f"{named(one)} AS {one}" if one in PERSONS else quoted(one) for one in columns)
        source = f"({_SOURCES[name]})" if name in _SOURCES else f"{FACTS}.{name}"
        made.append(f"CREATE VIEW {name} AS SELECT {names} FROM {source}")
    made.append(f"INSERT INTO {FACTS}.meta VALUES ({SCHEMA_VERSION}, now())")
    return made
