"""Which queries of a user's own are let through, by their syntax tree. Pure.

Behind this gate stand others: the index is opened read-only, without files, network, extensions or settings, in a
process that may write nothing. What the gate adds is that only the views are seen, not what lies behind them.
"""

from collections.abc import Iterator
from typing import Any

from trunkline.ledger.schema import VIEWS

# What DuckDB's own tables begin with: a `WITH` of such a name would let the real one through where it does not hold.
CATALOG = ("duckdb_", "sqlite_", "pragma_", "pg_")
TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest"})
# They tell about the process, or write to its log.
REFUSED_FUNCTIONS = frozenset({"current_setting", "getenv", "getvariable", "write_log", "nextval", "currval", "query"})


def refusal(tree: dict[str, Any]) -> str | None:
    """Return why a query may not run, None if it may; the tree is what DuckDB's json_serialize_sql says."""
    if tree.get("error"):
        if tree.get("error_type") == "not implemented":
            return "only a SELECT is answered"
        return str(tree.get("error_message", "it cannot be read"))
    statements = tree.get("statements", [])
    if len(statements) != 1:
        return "it has to be one SELECT"
    named = {str(name).lower() for name in _names_of_ctes(tree)}
    for name in named:
        if name.startswith(CATALOG):
            return f"`{name}` is no name for a part of a query"
    for node in _nodes(tree):
        found = _refused(node, named)
        if found is not None:
            return found
    return None


def _refused(node: dict[str, Any], named: set[str]) -> str | None:
    match node.get("type"):
        case "BASE_TABLE":
            table, schema = str(node.get("table_name", "")), str(node.get("schema_name", ""))
            known = table.lower() in VIEWS or (table.lower() in named and not schema)
            if not known or schema not in ("", "main") or node.get("catalog_name"):
                return f"there is no view `{schema + '.' if schema else ''}{table}`; there are {', '.join(VIEWS)}"
        case "TABLE_FUNCTION":
            function = str(node.get("function", {}).get("function_name", "")).lower()
            if function not in TABLE_FUNCTIONS:
                return f"`{function}` may not be read from"
        case "SHOW_REF":
            return "only a SELECT is answered"
    if node.get("class") == "FUNCTION" and str(node.get("function_name", "")).lower() in REFUSED_FUNCTIONS:
        return f"`{node['function_name']}` may not be called"
    return None


def _names_of_ctes(tree: dict[str, Any]) -> Iterator[Any]:
    for node in _nodes(tree):
        mapped = node.get("cte_map")
        if isinstance(mapped, dict):
            yield from (entry.get("key") for entry in mapped.get("map", []))
        if node.get("type") in ("CTE_NODE", "RECURSIVE_CTE_NODE"):
            yield node.get("cte_name", "")


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of the tree, without recursion: a query may be nested as deep as its parser takes it."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
