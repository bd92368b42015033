"""JSON schemas that decide on hostile values: nothing is fetched, no expression backtracks, nothing is left unread.

The keywords of draft 7 are taken, and those of later drafts that mean the same; a schema with any other is refused, for
what is not looked at would count as fitting. `pattern` is an expression of RE2.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, final

import fastjsonschema
import re2
from fastjsonschema import JsonSchemaDefinitionException, JsonSchemaValueException

DEEPEST: Final = 64  # levels of a schema
MOST_NODES: Final = 10_000  # objects in it
_BY_NAME: Final = frozenset(("properties", "$defs", "definitions", "dependencies"))  # whose keys are names
_BELOW: Final = frozenset(
    ("items", "additionalItems", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else")
)
_LISTS: Final = frozenset(("allOf", "anyOf", "oneOf"))
_PLAIN: Final = frozenset(
    (
        "type", "enum", "const", "required", "format", "pattern", "minLength", "maxLength", "minimum", "maximum",
        "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems", "minProperties",
        "maxProperties", "$ref", "$schema", "$comment", "title", "description", "default", "examples", "readOnly",
        "writeOnly", "deprecated",
    )
)  # fmt: skip
# Those that the library decides on in linear time, whatever the value.
_FORMATS: Final = frozenset(("date", "time", "date-time", "ipv4", "ipv6"))
_OWN_FORMAT: Final = "expression-"


class BadSchema(ValueError):
    """A schema that cannot be relied upon; says where and why."""


@final
class JsonSchema:
    """A schema, made ready. Raises BadSchema."""

    __slots__ = ("_names", "_validate")

    def __init__(self, schema: Any) -> None:
        reader = _Reader()
        own = reader.read(schema, "schema", 0)
        self._names = frozenset(reader.names)
        try:
            self._validate = fastjsonschema.compile(own, formats=reader.formats, use_default=False)
        except (JsonSchemaDefinitionException, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise BadSchema(f"it is no JSON schema: {error}") from None

    def fault(self, value: Any) -> str | None:
        """Return where a decoded value does not fit and by which keyword, None if it fits; nothing of its contents."""
        try:
            self._validate(value)
        except JsonSchemaValueException as error:
            return f"{''.join(self._steps(error.path))}: {error.rule}"
        return None

    def _steps(self, path: list[str]) -> Iterator[str]:
        """Name the steps that the schema names; what the value alone calls so is left out."""
        yield "the value"
        for step in path[1:]:
            yield f".{step}" if step in self._names else f"[{step}]" if step.isdigit() else ".*"


@final
class _Reader:
    """Reads a schema, and writes it as it is compiled."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.formats: dict[str, Callable[[Any], bool]] = {}
        self._nodes = 0

    def read(self, schema: Any, where: str, depth: int) -> Any:
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            raise BadSchema(f"{where} is neither an object nor a boolean")
        self._nodes += 1
        if depth > DEEPEST or self._nodes > MOST_NODES:
            raise BadSchema(f"{where} is too deep, or one too many")
        own: dict[str, Any] = {}
        for keyword, value in schema.items():
            own[keyword] = self._keyword(keyword, value, f"{where}.{keyword}", depth)
        pattern = own.pop("pattern", None)
        if pattern is not None:
            # What has both a pattern and a format has to fit both.
            own.setdefault("allOf", [])
            own["allOf"] = [*own["allOf"], {"format": pattern}]
        return own

    def _keyword(self, keyword: str, value: Any, where: str, depth: int) -> Any:
        if keyword in _BY_NAME and isinstance(value, dict):
            self.names.update(value)
            return {
                name: below if isinstance(below, list) else self.read(below, f"{where}.{name}", depth + 1)
                for name, below in value.items()
            }
        if keyword in _LISTS or (keyword == "items" and isinstance(value, list)):
            if not isinstance(value, list):
                raise BadSchema(f"{where} is no list")
            return [self.read(below, f"{where}[{place}]", depth + 1) for place, below in enumerate(value)]
        if keyword in _BELOW:
            return self.read(value, where, depth + 1)
        if keyword not in _PLAIN:
            raise BadSchema(f"{where}: there is no such keyword in what is taken (draft 7, without patternProperties)")
        if keyword == "$ref" and not (isinstance(value, str) and value.startswith("#")):
            raise BadSchema(f"{where} must begin with #: nothing is fetched")
        if keyword == "format" and (not isinstance(value, str) or value not in _FORMATS):
            raise BadSchema(f"{where} must be one of {', '.join(sorted(_FORMATS))}; write a `pattern` for others")
        return self._expression(value, where) if keyword == "pattern" else value

    def _expression(self, pattern: Any, where: str) -> str:
        try:
            compiled = re2.compile(pattern)
        except (re2.error, TypeError) as error:
            raise BadSchema(f"{where} is no expression of RE2: {error}") from None
        name = f"{_OWN_FORMAT}{len(self.formats)}"

        def fits(value: Any) -> bool:
            return not isinstance(value, str) or compiled.search(value) is not None

        self.formats[name] = fits
        return name
