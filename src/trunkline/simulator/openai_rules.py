"""What OpenAI's chat completions refuse, in the words they refuse it with.

Written from the API reference and from error bodies that users have reported; nothing here knows Trunkline's dialects.
`openai_messages` has the rules of the conversation.
"""

import re
from typing import Any

from trunkline.simulator.openai_errors import empty, invalid, missing
from trunkline.simulator.openai_messages import check_messages

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
_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "n": (1, 128),
    "top_logprobs": (0, 20),
}
# What a field's value must be, where it is not null: Python types and the API's word for them.
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "stream": ((bool,), "a boolean"),
    "logprobs": ((bool,), "a boolean"),
    "store": ((bool,), "a boolean"),
    "parallel_tool_calls": ((bool,), "a boolean"),
    "max_tokens": ((int,), "an integer"),
    "max_completion_tokens": ((int,), "an integer"),
    "n": ((int,), "an integer"),
    "top_logprobs": ((int,), "an integer"),
    "seed": ((int,), "an integer"),
    "stop": ((str, list), "one of a string or array of strings"),
    "stream_options": ((dict,), "an object"),
    "response_format": ((dict,), "an object"),
    "metadata": ((dict,), "an object"),
    "logit_bias": ((dict,), "an object"),
    "tools": ((list,), "an array of objects"),
    "tool_choice": ((str, dict), "one of a string or object"),
    "user": ((str,), "a string"),
    "messages": ((list,), "an array of objects"),
}
_CHOICES = ("none", "auto", "required")
_FORMATS = ("text", "json_object", "json_schema")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
# Reasoning models take `max_completion_tokens` only.
_REASONING_MODEL = re.compile(r"o\d|gpt-[5-9]")


def check(body: dict[str, Any]) -> None:
    """Raise `Rejection` with what OpenAI would answer; return where it would answer the request."""
    _check_fields(body)
    for name, value in body.items():
        if value is not None or name == "messages":
            _check_type(name, value)
            _check_range(name, value)
    _check_options(body)
    if body.get("tools") is not None:
        _check_tools(body["tools"])
    if body.get("tool_choice") is not None:
        _check_choice(body["tool_choice"], body.get("tools") or ())
    if body.get("response_format") is not None:
        _check_format(body["response_format"])
    messages = body["messages"]
    if not messages:
        raise empty("messages")
    check_messages(messages)


def _check_fields(body: dict[str, Any]) -> None:
    unknown = [name for name in body if name not in _FIELDS]
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        raise invalid(f"Unrecognized request argument{plural} supplied: {', '.join(unknown)}", None)
    model = body.get("model")
    if model is None or model == "":
        raise invalid("you must provide a model parameter", None)
    if not isinstance(model, str):
        raise invalid("Invalid type for 'model': expected a string.", "model", "invalid_type")
    if "messages" not in body:
        raise missing("messages")


def _check_type(name: str, value: Any) -> None:
    if name not in _TYPES:
        return
    types, word = _TYPES[name]
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise invalid(f"Invalid type for '{name}': expected {word}.", name, "invalid_type")


def _check_range(name: str, value: Any) -> None:
    if name not in _RANGES:
        return
    low, high = _RANGES[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(f"Invalid type for '{name}': expected a decimal.", name, "invalid_type")
    kind = "integer" if isinstance(value, int) else "decimal"
    if value < low:
        words = f"Invalid '{name}': {kind} below minimum value. Expected a value >= {low:g}, but got {value} instead."
        raise invalid(words, name, f"{kind}_below_min_value")
    if value > high:
        words = f"Invalid '{name}': {kind} above maximum value. Expected a value <= {high:g}, but got {value} instead."
        raise invalid(words, name, f"{kind}_above_max_value")


def _check_options(body: dict[str, Any]) -> None:
    if body.get("stream_options") is not None and not body.get("stream"):
        raise invalid("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        raise invalid("'top_logprobs' is only allowed when 'logprobs' is enabled.", "top_logprobs")
    stop = body.get("stop")
    if isinstance(stop, list) and not all(isinstance(word, str) for word in stop):
        raise invalid("Invalid type for 'stop': expected a string.", "stop", "invalid_type")
    if isinstance(stop, list) and len(stop) > 4:
        words = (
            "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length "
            f"{len(stop)} instead."
        )
        raise invalid(words, "stop", "array_above_max_length")
    if "max_tokens" in body and body["max_tokens"] is not None and _REASONING_MODEL.match(body["model"]):
        words = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        raise invalid(words, "max_tokens", "unsupported_parameter")


def _check_tools(tools: Any) -> None:
    if not tools:
        raise empty("tools")
    for index, tool in enumerate(tools):
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind == "custom":
            continue
        if kind != "function" or not isinstance(tool.get("function"), dict):
            path = f"tools[{index}].{'type' if kind != 'function' else 'function'}"
            raise missing(path)
        name = tool["function"].get("name")
        if not isinstance(name, str) or not _TOOL_NAME.fullmatch(name):
            path = f"tools[{index}].function.name"
            words = (
                f"Invalid '{path}': string does not match pattern. Expected a string that matches the pattern "
                "'^[a-zA-Z0-9_-]+$'."
            )
            raise invalid(words, path, "invalid_value")

        _check_function(index, tool["function"])


def _check_function(index: int, function: dict[str, Any]) -> None:
    for name, kind, word in (("description", str, "a string"), ("parameters", dict, "an object")):
        if function.get(name) is not None and not isinstance(function[name], kind):
            path = f"tools[{index}].function.{name}"
            raise invalid(f"Invalid type for '{path}': expected {word}.", path, "invalid_type")


def _check_choice(choice: str | dict[str, Any], tools: Any) -> None:
    if not tools and choice not in ("none", "auto"):
        words = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified."
        raise invalid(words, "tool_choice")
    if isinstance(choice, str):
        if choice not in _CHOICES:
            supported = ", ".join(f"'{name}'" for name in _CHOICES)
            words = f"Invalid value: '{choice}'. Supported values are: {supported}."
            raise invalid(words, "tool_choice", "invalid_value")
        return
    if choice.get("type") not in ("function", "custom", "allowed_tools"):
        raise missing("tool_choice.type")
    if choice["type"] != "function":
        return
    function = choice.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str):
        path = "tool_choice.function.name"
        raise missing(path)
    if not any(tool.get("type") == "function" and tool["function"]["name"] == name for tool in tools):
        raise invalid(f"Tool choice '{name}' not found in 'tools' parameter.", "tool_choice")


def _check_format(response_format: dict[str, Any]) -> None:
    kind = response_format.get("type")
    if kind not in _FORMATS:
        supported = ", ".join(f"'{name}'" for name in _FORMATS)
        words = f"Invalid value: '{kind}'. Supported values are: {supported}."
        raise invalid(words, "response_format.type", "invalid_value")
    if kind != "json_schema":
        return
    described = response_format.get("json_schema")
    if not isinstance(described, dict) or not isinstance(described.get("name"), str):
        path = "response_format.json_schema.name"
        raise missing(path)
    if described.get("schema") is not None and not isinstance(described["schema"], dict):
        path = "response_format.json_schema.schema"
        raise invalid(f"Invalid type for '{path}': expected an object.", path, "invalid_type")
