"""Tools and the choice of them in Anthropic's terms."""

import re
from typing import Any

from trunkline.dialects.anthropic_messages import TOOL_NAME, Notes
from trunkline.dialects.anthropic_models import Model
from trunkline.dialects.anthropic_schemas import Closed, Inexpressible, close
from trunkline.dialects.provider import CannotTake
from trunkline.model.chat import ChatRequest, Function, Tool

# All strict tools of a request are compiled into one grammar. 24 optional parameters and 16 unions are documented;
# the size at which "the compiled grammar is too large" is not, and a 400 loses the call where a looser tool does not.
MOST_STRICT_TOOLS = 8
MOST_STRICT_PROPERTIES = 64
MOST_OPTIONAL = 24
MOST_UNIONS = 16

_TOP_LEVEL_ALTERNATIVES = frozenset({"anyOf", "oneOf", "allOf"})
_PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_NO_PARAMETERS = {"type": "object", "properties": {}}


def encode_tools(request: ChatRequest, model: Model, called: list[str], notes: Notes) -> dict[str, Any]:
    """Return `tools` and `tool_choice`, where there are any; raises CannotTake.

    `called` are the tools that the conversation mentions: a request that has calls but no tools is given their names.
    """
    tools = _distinct(request.tools or [], notes)
    if not tools:
        return _none_to_call(request, called, notes)
    choice, tools = _choose(request, tools, model, notes)
    strict = _strict(tools, model, notes)
    body: dict[str, Any] = {"tools": [_encode(tool.function, strict.get(tool.function.name)) for tool in tools]}
    if request.parallel_tool_calls is False and choice.get("type") != "none":
        choice = {"type": "auto", **choice, "disable_parallel_tool_use": True}
    if choice:
        body["tool_choice"] = choice
    return body


def _distinct(tools: list[Tool], notes: Notes) -> list[Tool]:
    by_name: dict[str, Tool] = {}
    for tool in tools:
        name = tool.function.name
        if not TOOL_NAME.fullmatch(name):
            raise CannotTake("anthropic takes tool names of 1 to 128 letters, digits, _ and -", param="tools")
        if name not in by_name:
            by_name[name] = tool
        elif by_name[name] == tool:
            notes.mend(f"tool_given_twice:{name[:64]}")
        else:
            raise CannotTake(f"anthropic takes no two tools of one name: {name[:64]}", param="tools")
    return list(by_name.values())


def _none_to_call(request: ChatRequest, called: list[str], notes: Notes) -> dict[str, Any]:
    if isinstance(request.tool_choice, dict) or request.tool_choice not in {None, "none", "auto"}:
        raise CannotTake("a tool is demanded and none is given", param="tool_choice")
    for name in ("tool_choice", "parallel_tool_calls"):
        if getattr(request, name) is not None:
            notes.drop(name)
    if not called:
        return {}
    notes.mend("tools_named_from_history")
    return {
        "tools": [{"name": name, "input_schema": {"type": "object"}} for name in called],
        "tool_choice": {"type": "none"},
    }


def _choose(request: ChatRequest, tools: list[Tool], model: Model, notes: Notes) -> tuple[dict[str, Any], list[Tool]]:
    """Return the tool choice, empty for Anthropic's default, and the tools that it leaves."""
    wanted = request.tool_choice
    if isinstance(wanted, dict) and wanted.get("type") == "allowed_tools":
        wanted, tools = _allowed(wanted, tools)
        notes.mend("tools_cut_to_allowed")
    match wanted:
        case None | "auto":
            return {}, tools
        case "none":
            return {"type": "none"}, tools
        case "required":
            choice: dict[str, Any] = {"type": "any"}
        case {"type": "function", "function": {"name": str(name)}} if any(t.function.name == name for t in tools):
            choice = {"type": "tool", "name": name}
        case _:
            raise CannotTake("anthropic has no such tool choice", param="tool_choice")
    if not model.forced_tools:
        raise CannotTake("this model takes no tool choice that demands a call", param="tool_choice")
    return choice, tools


def _allowed(wanted: dict[str, Any], tools: list[Tool]) -> tuple[Any, list[Tool]]:
    match wanted.get("allowed_tools"):
        case {"mode": "auto" | "required" as mode, "tools": list(listed)}:
            names = [one["function"].get("name") for one in listed if _names_function(one)]
            left = [tool for tool in tools if tool.function.name in names]
            if left and len(names) == len(listed):
                return mode, left
    raise CannotTake("the allowed tools are not among the tools", param="tool_choice")


def _names_function(one: Any) -> bool:
    return isinstance(one, dict) and one.get("type") == "function" and isinstance(one.get("function"), dict)


def _strict(tools: list[Tool], model: Model, notes: Notes) -> dict[str, Closed]:
    """Return the schemas of the tools that can be strict, by name; those that cannot are named in the repairs."""
    closed: dict[str, Closed] = {}
    wanted = [tool.function for tool in tools if tool.function.strict]
    for function in wanted:
        try:
            closed[function.name] = close(function.parameters or _NO_PARAMETERS)
        except Inexpressible:
            continue
    if not model.structured or not _within_limits(list(closed.values())):
        closed = {}
    for function in wanted:
        if function.name not in closed:
            notes.mend(f"strict_not_enforced:{function.name[:64]}")
        elif closed[function.name].described:
            notes.mend(f"constraints_described:{function.name[:64]}")
    return closed


def _within_limits(schemas: list[Closed]) -> bool:
    return (
        len(schemas) <= MOST_STRICT_TOOLS
        and sum(schema.properties for schema in schemas) <= MOST_STRICT_PROPERTIES
        and sum(schema.optional for schema in schemas) <= MOST_OPTIONAL
        and sum(schema.unions for schema in schemas) <= MOST_UNIONS
    )


def _encode(function: Function, strict: Closed | None) -> dict[str, Any]:
    encoded: dict[str, Any] = {"name": function.name}
    if function.description:
        encoded["description"] = function.description
    schema = _as_object(function)
    if strict is not None:
        return encoded | {"input_schema": strict.schema, "strict": True}
    return encoded | {"input_schema": schema}


def _as_object(function: Function) -> dict[str, Any]:
    """Return the parameters with the `type: object` that Anthropic demands and OpenAI does not.

    Raises CannotTake for what Anthropic refuses at the top of a tool's schema.
    """
    parameters = function.parameters
    if not parameters:
        return _NO_PARAMETERS
    if parameters.get("type", "object") != "object" or not _TOP_LEVEL_ALTERNATIVES.isdisjoint(parameters):
        raise CannotTake(f"the parameters of {function.name[:64]} are no plain object", param="tools")
    properties = parameters.get("properties")
    if isinstance(properties, dict) and not all(map(_PROPERTY.fullmatch, properties)):
        raise CannotTake(f"a parameter of {function.name[:64]} has a name that anthropic does not take", param="tools")
    return parameters if "type" in parameters else {"type": "object", **parameters}
