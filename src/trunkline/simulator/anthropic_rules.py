"""What Anthropic's Messages API refuses, in the words it refuses it with.

Written from the API reference, its versioning and migration pages, and error bodies that users have reported; nothing
here knows Trunkline's dialects. `anthropic_messages` has the rules of the conversation.
"""

import re
from typing import Any

from trunkline.simulator import claude_models
from trunkline.simulator.answer import Rejection
from trunkline.simulator.anthropic_messages import check_messages

WITHOUT_SAMPLING = "2026-10-21"
VERSIONS = ("2023-01-01", "2023-06-01", WITHOUT_SAMPLING)

_SAMPLING = ("temperature", "top_p", "top_k")
_FIELDS = frozenset(
    {
        "model", "messages", "max_tokens", "cache_control", "container", "diagnostics", "inference_geo", "metadata",
        "output_config", "service_tier", "speed", "stop_sequences", "stream", "system", "thinking", "tool_choice",
        "tools", "user_profile_id", "workspace_id",
    }
)  # fmt: skip
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_TOOL_FIELDS = frozenset(
    {
        "name", "input_schema", "description", "cache_control", "strict", "type", "allowed_callers", "defer_loading",
        "eager_input_streaming", "input_examples",
    }
)  # fmt: skip
_CHOICE_FIELDS = {
    "auto": {"type", "disable_parallel_tool_use"},
    "any": {"type", "disable_parallel_tool_use"},
    "tool": {"type", "name", "disable_parallel_tool_use"},
    "none": {"type"},
}
# What a field's value must be, where it is not null: Python type and the API's words.
_TYPES: tuple[tuple[str, type, str], ...] = (
    ("stream", bool, "Input should be a valid boolean"),
    ("metadata", dict, "Input should be a valid dictionary"),
    ("output_config", dict, "Input should be a valid dictionary"),
    ("tools", list, "Input should be a valid list"),
    ("tool_choice", dict, "Input should be a valid dictionary"),
    ("thinking", dict, "Input should be a valid dictionary"),
    ("top_k", int, "Input should be a valid integer"),
)
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_LEAST_THINKING = 1024


def check(body: dict[str, Any], api_version: str) -> None:
    """Raise `Rejection` with what Anthropic would answer; return where it would answer the request."""
    model = body.get("model")
    known = _FIELDS if api_version == WITHOUT_SAMPLING else _FIELDS | set(_SAMPLING)
    for name in body:
        if name not in known:
            raise refused(f"{name}: Extra inputs are not permitted")
    for name in ("model", "max_tokens", "messages"):
        if name not in body:
            raise refused(f"{name}: Field required")
    if not isinstance(model, str) or not model:
        raise refused("model: String should have at least 1 character")
    for name, kind, words in _TYPES:
        if body.get(name) is not None and not isinstance(body[name], kind):
            raise refused(f"{name}: {words}")
    _check_max_tokens(body["max_tokens"])
    _check_sampling(body, claude_models.version(model))
    _check_stops(body.get("stop_sequences"))
    _check_thinking(body)
    _check_output(body.get("output_config") or {})
    _check_system(body.get("system"))
    _check_tools(body)
    check_messages(body["messages"], claude_models.version(model))


def refused(message: str) -> Rejection:
    """Return the error of an invalid request."""
    return Rejection(400, message, type="invalid_request_error")


def _check_max_tokens(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise refused("max_tokens: Input should be a valid integer")
    if value < 0:
        raise refused("max_tokens: must be greater than or equal to 0")


def _check_sampling(body: dict[str, Any], version: tuple[int, int]) -> None:
    for name in ("temperature", "top_p"):
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise refused(f"{name}: Input should be a valid number")
        if not 0 <= value <= 1:
            raise refused(f"{name}: range: 0..1")
    if version < claude_models.SAMPLING_UNTIL:
        return
    for name in _SAMPLING:
        # The default value alone is accepted with the older API version.
        if body.get(name) is not None and not (name == "temperature" and body[name] == 1):
            raise refused(f"`{name}` is deprecated for this model.")


def _check_stops(stops: Any) -> None:
    if stops is None:
        return
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise refused("stop_sequences: Input should be a valid list")
    if any(not stop.strip() for stop in stops):
        raise refused("stop_sequences: each stop sequence must contain non-whitespace")


def _check_thinking(body: dict[str, Any]) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type")
    if kind not in ("enabled", "disabled", "adaptive", "between_tools"):
        raise refused(f"thinking: Input tag '{kind}' found using 'type' does not match any of the expected tags")
    if kind != "enabled":
        return
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int):
        raise refused("thinking.enabled.budget_tokens: Field required")
    if budget < _LEAST_THINKING:
        raise refused("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
    if budget >= body["max_tokens"]:
        raise refused("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if body.get("temperature") not in (None, 1):
        raise refused("`temperature` may only be set to 1 when thinking is enabled.")
    if (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        raise refused("Thinking may not be enabled when tool_choice forces tool use.")


def _check_output(config: dict[str, Any]) -> None:
    for name in config:
        if name not in ("effort", "format"):
            raise refused(f"output_config.{name}: Extra inputs are not permitted")
    if config.get("effort") is not None and config["effort"] not in _EFFORTS:
        raise refused(f"output_config.effort: Input should be {', '.join(_EFFORTS)}")
    form = config.get("format")
    if form is None:
        return
    if not isinstance(form, dict) or form.get("type") != "json_schema":
        raise refused("output_config.format.type: Input should be 'json_schema'")
    if not isinstance(form.get("schema"), dict):
        raise refused("output_config.format.schema: Field required")


def _check_system(system: Any) -> None:
    if system is None or isinstance(system, str):
        return
    if not isinstance(system, list):
        raise refused("system: Input should be a valid list")
    for index, block in enumerate(system):
        if not isinstance(block, dict) or block.get("type") != "text" or not isinstance(block.get("text"), str):
            raise refused(f"system.{index}: Input should be a text block")
        if not block["text"].strip():
            raise refused("system: text content blocks must be non-empty")
        for name in block:
            if name not in ("type", "text", "cache_control", "citations"):
                raise refused(f"system.{index}.{name}: Extra inputs are not permitted")


def _check_tools(body: dict[str, Any]) -> None:
    tools = body.get("tools") or []
    names: set[str] = set()
    for index, tool in enumerate(tools):
        _check_tool(index, tool)
        if tool["name"] in names:
            raise refused("tools: Tool names must be unique.")
        names.add(tool["name"])
    choice = body.get("tool_choice")
    if choice is not None:
        _check_choice(choice, names)


def _check_tool(index: int, tool: Any) -> None:
    if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
        raise refused(f"tools.{index}.custom.name: Field required")
    if tool.get("type", "custom") not in ("custom", None):
        return
    if not _TOOL_NAME.fullmatch(tool["name"]):
        raise refused(f"tools.{index}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    for name in tool:
        if name not in _TOOL_FIELDS:
            raise refused(f"tools.{index}.custom.{name}: Extra inputs are not permitted")
    if tool.get("description") is not None and not isinstance(tool["description"], str):
        raise refused(f"tools.{index}.custom.description: Input should be a valid string")
    schema = tool.get("input_schema")
    if not isinstance(schema, dict):
        raise refused(f"tools.{index}.custom.input_schema: Field required")
    if schema.get("type") != "object":
        raise refused(f"tools.{index}.custom.input_schema.type: Field required")


def _check_choice(choice: Any, names: set[str]) -> None:
    kind = choice.get("type")
    if not isinstance(kind, str) or kind not in _CHOICE_FIELDS:
        raise refused(f"tool_choice: Input tag '{kind}' found using 'type' does not match any of the expected tags")
    for name in choice:
        if name not in _CHOICE_FIELDS[kind]:
            raise refused(f"tool_choice.{kind}.{name}: Extra inputs are not permitted")
    if not names and kind != "none":
        raise refused("tool_choice may only be specified while providing tools")
    if kind == "tool" and str(choice.get("name")) not in names:
        raise refused(f"Tool '{choice.get('name')}' not found in provided tools")
