"""JSON schemas in the subset that Anthropic can hold a model to, for structured outputs and strict tools.

Every object must be closed; recursion, free-form objects and external references cannot be expressed. Constraints
outside of the subset (`minimum`, `maxLength`, ...) go into the description, where the model reads them.
Source: Anthropic, "Structured outputs", section "JSON Schema limitations".
"""

from typing import Any

import msgspec

DEEPEST = 60  # levels of a schema; real ones stay below 30
MOST_DEFINITIONS = 300  # of one schema; the search for circles is quadratic in them

_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"})
_TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
_PLAIN = (str, int, float, bool, type(None))
_DEFINITIONS = ("$defs", "definitions")
_MEANINGLESS = frozenset({"$schema", "$id", "$comment", "strict"})
_ANNOTATIONS = frozenset({"description", "title", "default", "examples", "deprecated", "readOnly", "writeOnly"})
_OPENING = (
    "patternProperties", "propertyNames", "unevaluatedProperties", "dependentSchemas", "if", "not", "prefixItems",
)  # fmt: skip


class Inexpressible(Exception):
    """A schema that the subset cannot express; the message says what and where."""


class Closed:
    """A schema within the subset, and what it holds: for the limits of a request with several."""

    __slots__ = ("described", "optional", "properties", "schema", "unions")

    def __init__(self) -> None:
        self.schema: dict[str, Any] = {}
        self.described: list[str] = []
        self.properties = self.optional = self.unions = 0


def close(schema: dict[str, Any]) -> Closed:
    """Return this schema in the subset; `described` are the constraints that are no longer enforced.

    Raises Inexpressible where what the subset allows is not what the schema means.
    """
    found = Closed()
    _refuse_recursion(schema)
    found.schema = _node(schema, "$", found, 0)
    return found


def _node(node: Any, path: str, found: Closed, depth: int) -> dict[str, Any]:
    _refuse_open(node, path, depth)
    rest = {key: value for key, value in node.items() if key not in _MEANINGLESS}
    closed: dict[str, Any] = {
        group: _named(rest.pop(group), f"{path}.{group}", found, depth) for group in _DEFINITIONS if group in rest
    }
    if "$ref" in rest:
        return closed | _reference(rest, path)
    types = _take_types(rest, path)
    _take_values(rest, closed, path)
    _take_alternatives(rest, closed, path, found, depth)
    if not types and closed.keys().isdisjoint({"enum", "const", "anyOf", "allOf"}):
        raise Inexpressible(f"{path} allows anything")
    if types:
        closed["type"] = types if len(types) > 1 else types[0]
        found.unions += len(types) > 1
    if "object" in types:
        _take_object(rest, closed, path, found, depth)
    if "array" in types:
        _take_array(rest, closed, path, found, depth)
    if isinstance(rest.get("format"), str) and rest["format"] in _FORMATS:
        closed["format"] = rest.pop("format")
    _describe(rest, closed, path, found)
    return closed


def _refuse_open(node: Any, path: str, depth: int) -> None:
    if not isinstance(node, dict):
        raise Inexpressible(f"{path} allows anything")
    if depth > DEEPEST:
        raise Inexpressible(f"{path} is nested too deep")
    for keyword in _OPENING:
        if keyword in node:
            raise Inexpressible(f"{path} has `{keyword}`")
    if depth and any(group in node for group in _DEFINITIONS):
        raise Inexpressible(f"{path} has definitions of its own")


def _named(schemas: Any, path: str, found: Closed, depth: int) -> dict[str, Any]:
    if not isinstance(schemas, dict):
        raise Inexpressible(f"{path} is no object")
    return {name: _node(schema, f"{path}.{name}", found, depth + 1) for name, schema in schemas.items()}


def _reference(rest: dict[str, Any], path: str) -> dict[str, Any]:
    reference = rest.pop("$ref")
    if not isinstance(reference, str) or not reference.startswith(("#/$defs/", "#/definitions/")):
        raise Inexpressible(f"{path} refers to a schema elsewhere")
    if not rest.keys() <= _ANNOTATIONS:
        raise Inexpressible(f"{path} narrows the schema that it refers to")
    return {"$ref": reference}


def _take_types(rest: dict[str, Any], path: str) -> list[str]:
    given = rest.pop("type", [])
    types = given if isinstance(given, list) else [given]
    if any(not isinstance(one, str) or one not in _TYPES for one in types):
        raise Inexpressible(f"{path}.type is no type of JSON schema")
    return types


def _take_values(rest: dict[str, Any], closed: dict[str, Any], path: str) -> None:
    if "enum" in rest:
        values = rest.pop("enum")
        if not isinstance(values, list) or not values or not all(isinstance(value, _PLAIN) for value in values):
            raise Inexpressible(f"{path}.enum is no list of plain values")
        closed["enum"] = values
    if "const" in rest:
        closed["const"] = rest.pop("const")
        if not isinstance(closed["const"], _PLAIN):
            raise Inexpressible(f"{path}.const is no plain value")


def _take_alternatives(rest: dict[str, Any], closed: dict[str, Any], path: str, found: Closed, depth: int) -> None:
    for name, sent in (("anyOf", "anyOf"), ("oneOf", "anyOf"), ("allOf", "allOf")):
        if name not in rest:
            continue
        variants = rest.pop(name)
        if not isinstance(variants, list) or not variants or sent in closed:
            raise Inexpressible(f"{path}.{name} is no list of schemas, or one of several")
        closed[sent] = [_node(one, f"{path}.{name}[{at}]", found, depth + 1) for at, one in enumerate(variants)]
        found.unions += sent == "anyOf"


def _take_object(rest: dict[str, Any], closed: dict[str, Any], path: str, found: Closed, depth: int) -> None:
    additional = rest.pop("additionalProperties", None)
    if additional or isinstance(additional, dict):
        raise Inexpressible(f"{path} allows additional properties")
    if "properties" not in rest and additional is None:
        raise Inexpressible(f"{path} allows any properties")
    closed["properties"] = _named(rest.pop("properties", {}), path, found, depth)
    closed["additionalProperties"] = False
    required = rest.pop("required", None)
    if required is not None:
        names = closed["properties"]
        if not isinstance(required, list) or not all(isinstance(one, str) and one in names for one in required):
            raise Inexpressible(f"{path}.required names what is no property")
        closed["required"] = required
    found.properties += len(closed["properties"])
    found.optional += len(closed["properties"]) - len(set(required or ()))


def _take_array(rest: dict[str, Any], closed: dict[str, Any], path: str, found: Closed, depth: int) -> None:
    closed["items"] = _node(rest.pop("items", True), f"{path}[]", found, depth + 1)
    if rest.get("minItems") in (0, 1):
        closed["minItems"] = rest.pop("minItems")


def _describe(rest: dict[str, Any], closed: dict[str, Any], path: str, found: Closed) -> None:
    """Write what is left into the description."""
    description = rest.pop("description", None)
    title = rest.pop("title", None)
    if isinstance(title, str):
        closed["title"] = title
    said = description if isinstance(description, str) else ""
    if rest:
        told = ", ".join(f"{key}: {msgspec.json.encode(value).decode()}" for key, value in rest.items())
        said = f"{said}\n\n({told})" if said else f"({told})"
        found.described += [f"{path}.{key}" for key in rest if key not in _ANNOTATIONS]
    if said:
        closed["description"] = said


def _refuse_recursion(schema: dict[str, Any]) -> None:
    """Raise Inexpressible where a definition leads back to itself."""
    definitions = {
        f"#/{group}/{name}": list(_references(inner))
        for group in _DEFINITIONS
        if isinstance(schema.get(group), dict)
        for name, inner in schema[group].items()
    }
    if len(definitions) > MOST_DEFINITIONS:
        raise Inexpressible(f"$ has more than {MOST_DEFINITIONS} definitions")
    # Take away, again and again, what refers to nothing that is left; what then remains is in a circle or leads to one.
    while True:
        done = [name for name, targets in definitions.items() if not any(one in definitions for one in targets)]
        if not done:
            break
        for name in done:
            del definitions[name]
    if definitions:
        raise Inexpressible(f"{next(iter(definitions))} is recursive")


def _references(root: Any) -> list[str]:
    found: list[str] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                found.append(node["$ref"])
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
    return found
