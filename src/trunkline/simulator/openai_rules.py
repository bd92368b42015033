"""What OpenAI's chat completions refuse, in the words they refuse it with.

Written from the API reference and from error bodies that users have reported; nothing here knows Trunkline's dialects.
"""

import re
from typing import Any

from trunkline.simulator.answer import Rejection

# Request fields of the API reference (POST /v1/chat/completions).
_FIELDS = frozenset(
    {
        "messages", "model", "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs",
        "max_completion_tokens", "max_tokens", "metadata", "modalities", "moderation", "n", "parallel_tool_calls",
        "prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention",
        "reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop", "store", "stream",
        "stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity",
        "web_search_options",
    }
)  # fmt: skip
_RANGES: tuple[tuple[str, float, float], ...] = (
    ("temperature", 0, 2),
    ("top_p", 0, 1),
    ("presence_penalty", -2, 2),
    ("frequency_penalty", -2, 2),
    ("n", 1, 128),
    ("top_logprobs", 0, 20),
)
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
# Reasoning models take `max_completion_tokens` only.
_REASONING_MODEL = re.compile(r"o\d|gpt-[5-9]")


def check(body: dict[str, Any]) -> None:
    """Raise `Rejection` with what OpenAI would answer; return where it would answer the request."""
    _check_fields(body)
    for name, low, high in _RANGES:
        _check_range(body, name, low, high)
    _check_options(body)
    if body.get("tools") is not None:
        _check_tools(body["tools"])
    elif body.get("tool_choice") not in (None, "none", "auto"):
        raise _invalid(
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.", "tool_choice"
        )
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise _invalid("Invalid type for 'messages': expected an array of objects.", "messages", "invalid_type")
    if not messages:
        raise _empty("messages")
    for index, message in enumerate(messages):
        _check_message(index, message)
    _check_pairing(messages)


def _invalid(message: str, param: str | None, code: str | None = None, status: int = 400) -> Rejection:
    return Rejection(status, message, type="invalid_request_error", code=code, param=param)


def _empty(path: str) -> Rejection:
    words = f"Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array instead."
    return _invalid(words, path, "empty_array")


def _check_fields(body: dict[str, Any]) -> None:
    unknown = [name for name in body if name not in _FIELDS]
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        raise _invalid(f"Unrecognized request argument{plural} supplied: {', '.join(unknown)}", None)
    model = body.get("model")
    if model is None or model == "":
        raise _invalid("you must provide a model parameter", None)
    if not isinstance(model, str):
        raise _invalid("Invalid type for 'model': expected a string.", "model", "invalid_type")
    if "messages" not in body:
        raise _invalid("Missing required parameter: 'messages'.", "messages", "missing_required_parameter")


def _check_range(body: dict[str, Any], name: str, low: float, high: float) -> None:
    value = body.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _invalid(
            f"Invalid type for '{name}': expected a decimal, but got something else instead.", name, "invalid_type"
        )
    kind = "integer" if isinstance(value, int) else "decimal"
    if value < low:
        words = f"Invalid '{name}': {kind} below minimum value. Expected a value >= {low:g}, but got {value} instead."
        raise _invalid(words, name, f"{kind}_below_min_value")
    if value > high:
        words = f"Invalid '{name}': {kind} above maximum value. Expected a value <= {high:g}, but got {value} instead."
        raise _invalid(words, name, f"{kind}_above_max_value")


def _check_options(body: dict[str, Any]) -> None:
    if body.get("stream_options") is not None and not body.get("stream"):
        raise _invalid("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        raise _invalid("'top_logprobs' is only allowed when 'logprobs' is enabled.", "top_logprobs")
    stop = body.get("stop")
    if isinstance(stop, list) and len(stop) > 4:
        words = (
            "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length "
            f"{len(stop)} instead."
        )
        raise _invalid(words, "stop", "array_above_max_length")
    if "max_tokens" in body and body["max_tokens"] is not None and _REASONING_MODEL.match(body["model"]):
        words = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        raise _invalid(words, "max_tokens", "unsupported_parameter")
    if body.get("metadata") is not None and not isinstance(body["metadata"], dict):
        raise _invalid("Invalid type for 'metadata': expected an object.", "metadata", "invalid_type")


def _check_tools(tools: Any) -> None:
    if not isinstance(tools, list):
        raise _invalid("Invalid type for 'tools': expected an array of objects.", "tools", "invalid_type")
    if not tools:
        raise _empty("tools")
    for index, tool in enumerate(tools):
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind == "custom":
            continue
        if kind != "function" or not isinstance(tool.get("function"), dict):
            path = f"tools[{index}].{'type' if kind != 'function' else 'function'}"
            raise _invalid(f"Missing required parameter: '{path}'.", path, "missing_required_parameter")
        name = tool["function"].get("name")
        if not isinstance(name, str) or not _TOOL_NAME.fullmatch(name):
            path = f"tools[{index}].function.name"
            words = (
                f"Invalid '{path}': string does not match pattern. Expected a string that matches the pattern "
                "'^[a-zA-Z0-9_-]+$'."
            )
            raise _invalid(words, path, "invalid_value")


def _check_message(index: int, message: Any) -> None:
    if not isinstance(message, dict):
        raise _invalid(
            f"Invalid type for 'messages[{index}]': expected an object.", f"messages[{index}]", "invalid_type"
        )
    role = message.get("role")
    if role not in _ROLES:
        supported = ", ".join(f"'{name}'" for name in _ROLES)
        raise _invalid(
            f"Invalid value: '{role}'. Supported values are: {supported}.", f"messages[{index}].role", "invalid_value"
        )
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        path = f"messages[{index}].tool_call_id"
        raise _invalid(f"Missing required parameter: '{path}'.", path, "missing_required_parameter")
    content = message.get("content")
    if content is None:
        said = (
            message.get("tool_calls") or message.get("function_call") or message.get("refusal") or message.get("audio")
        )
        if role != "assistant" or not said:
            path = f"messages[{index}].content"
            words = f"Invalid value for 'content': expected a string, got null. ({path})"
            raise _invalid(words, path, "invalid_type")
    elif not isinstance(content, str | list):
        path = f"messages[{index}].content"
        raise _invalid(
            f"Invalid type for '{path}': expected one of a string or array of objects.", path, "invalid_type"
        )
    calls = message.get("tool_calls")
    if calls is not None:
        _check_calls(index, calls)


def _check_calls(index: int, calls: Any) -> None:
    path = f"messages[{index}].tool_calls"
    if not isinstance(calls, list) or not calls:
        words = (
            f"Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array instead."
        )
        raise _invalid(words, path, "empty_array")
    for position, call in enumerate(calls):
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(call, dict) and call.get("type") == "custom":
            continue
        if not isinstance(function, dict) or not isinstance(call.get("id"), str):
            where = f"{path}[{position}]"
            raise _invalid(f"Missing required parameter: '{where}.function'.", where, "missing_required_parameter")
        if not isinstance(function.get("arguments"), str):
            where = f"{path}[{position}].function.arguments"
            raise _invalid(f"Invalid type for '{where}': expected a string.", where, "invalid_type")


def _check_pairing(messages: list[dict[str, Any]]) -> None:
    """Every tool call needs its tool message before anybody else speaks, every tool message its call."""
    waiting: list[str] = []
    asked_at = 0
    answerable: set[str] = set()
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in answerable:
                words = (
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
                    "'tool_calls'."
                )
                raise _invalid(words, f"messages.[{index}].role")
            waiting = [call for call in waiting if call != message["tool_call_id"]]
            continue
        _check_all_answered(waiting, asked_at)
        waiting = [call["id"] for call in message.get("tool_calls") or ()]
        answerable, asked_at = set(waiting), index
    _check_all_answered(waiting, asked_at)


def _check_all_answered(waiting: list[str], asked_at: int) -> None:
    if waiting:
        words = (
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(waiting)}"
        )
        raise _invalid(words, f"messages.[{asked_at + 1}].role")
