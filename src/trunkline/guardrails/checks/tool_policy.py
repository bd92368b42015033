"""The check `tool_policy`: which tools a model may call, and with which arguments."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, final

import msgspec

from trunkline.guardrails.check import BadSettings, CheckKind, Found
from trunkline.guardrails.expressions import BadExpression, expression
from trunkline.guardrails.folding import fold
from trunkline.guardrails.json_schemas import BadSchema, JsonSchema
from trunkline.guardrails.patterns import Rule

Names = Annotated[list[str], msgspec.Meta(min_length=1, max_length=1000)]


class ArgumentRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one argument of a tool may be; `tool` may be `*`. One that is not there breaks no rule unless `required`.

    `one_of` lists its values; `matches` is an expression that all of it must match, whatever its case; `least` and
    `most` bound a number.
    """

    tool: str
    argument: str
    one_of: Annotated[list[Any], msgspec.Meta(min_length=1, max_length=1000)] | None = None
    matches: str | None = None
    least: float | None = None
    most: float | None = None
    required: bool = False


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`allow` names the tools that may be called, `deny` those that may not; `arguments` has rules for arguments.

    `schemas` are JSON schemas by tool, which all of a call's arguments must fit.
    """

    allow: Names | None = None
    deny: Names | None = None
    arguments: Annotated[list[ArgumentRule], msgspec.Meta(max_length=1000)] = []
    schemas: Annotated[dict[str, dict[str, Any]], msgspec.Meta(max_length=1000)] = {}


@final
class ToolPolicy:
    """Judges tool calls by their names and arguments."""

    def __init__(self, settings: Settings) -> None:
        if settings.allow is None and settings.deny is None and not settings.arguments and not settings.schemas:
            reason = "it says nothing: name tools in `allow` or `deny`, or rules in `arguments` or `schemas`"
            raise BadSettings("allow", reason)
        self.version = "1"
        self._allow = frozenset(settings.allow) if settings.allow is not None else None
        self._deny = frozenset(settings.deny or ())
        self._rules = [(rule, _matcher(rule, place)) for place, rule in enumerate(settings.arguments)]
        self._schemas = {tool: _schema(tool, schema) for tool, schema in settings.schemas.items()}

    def examine(self, name: str, arguments: Any) -> Sequence[Found]:
        """Return what is wrong with a call; offsets are of the whole of it."""
        if name in self._deny or (self._allow is not None and name not in self._allow):
            return [_found("forbidden_tool", f"the tool {name[:64]} may not be called")]
        rules = [pair for pair in self._rules if pair[0].tool in {name, "*"}]
        if rules and not isinstance(arguments, dict):
            return [_found("unreadable_arguments", "the arguments are no JSON object")]
        schema = self._schemas.get(name)
        fault = schema.fault(arguments) if schema is not None else None
        if fault is not None:
            return [_found("wrong_form", f"the arguments do not fit their schema: {fault}")]
        return [
            _found("forbidden_argument", f"the argument {rule.argument[:64]} is not as it must be")
            for rule, matcher in rules
            if not _fits(rule, matcher, arguments)
        ]


def _found(rule: str, why: str) -> Found:
    return Found(rule, 0, 1, 1.0, why)


def _schema(tool: str, schema: dict[str, Any]) -> JsonSchema:
    try:
        return JsonSchema(schema)
    except BadSchema as error:
        raise BadSettings("schemas", f"that of `{tool}`: {error}") from None


def _matcher(rule: ArgumentRule, place: int) -> Rule | None:
    if rule.one_of is None and rule.matches is None and rule.least is None and rule.most is None and not rule.required:
        raise BadSettings("arguments", f"rule {place + 1} says nothing of `{rule.argument}`")
    if rule.matches is None:
        return None
    try:
        return Rule("matches", expression(rule.matches))
    except BadExpression as error:
        raise BadSettings("arguments", f"rule {place + 1}: `matches`: {error}") from None


def _fits(rule: ArgumentRule, matcher: Rule | None, arguments: dict[str, Any]) -> bool:
    if rule.argument not in arguments:
        return not rule.required
    value = arguments[rule.argument]
    if rule.one_of is not None and not any(value == one and type(value) is type(one) for one in rule.one_of):
        return False
    if matcher is not None and not (isinstance(value, str) and matcher.matches.fullmatch(fold(value).text)):
        return False
    if rule.least is None and rule.most is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (rule.least is None or value >= rule.least) and (rule.most is None or value <= rule.most)


KIND: Final = CheckKind(Settings, ToolPolicy, stages=("tool_arguments",), actions=("block", "replace", "flag"))
