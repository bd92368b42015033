"""What OpenAI's chat completions refuse although the types allow it; said before any provider is asked.

Source: OpenAI API reference, "Create chat completion", and its answers with status 400.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from trunkline.errors import InvalidRequest
from trunkline.model.chat import (
    AudioPart,
    ChatRequest,
    FilePart,
    ImagePart,
    Message,
    Part,
    RefusalPart,
    TextPart,
    Tool,
)

LARGEST_LIMIT = 2**31 - 1  # of tokens
LARGEST_SEED = 2**63 - 1

_RANGES: Final[dict[str, tuple[Any, Any]]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "n": (1, 128),
    "top_logprobs": (0, 20),
    "max_tokens": (1, LARGEST_LIMIT),
    "max_completion_tokens": (1, LARGEST_LIMIT),
    "seed": (-LARGEST_SEED - 1, LARGEST_SEED),
}
_PARTS: Final[dict[str, tuple[type, ...]]] = {
    "user": (TextPart, ImagePart, AudioPart, FilePart),
    "assistant": (TextPart, RefusalPart),
    "system": (TextPart,),
    "developer": (TextPart,),
    "tool": (TextPart,),
}
_SPEAKERS: Final = frozenset({"user", "assistant", "system", "developer"})
_FUNCTION_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_FORMATS: Final = {"text", "json_object", "json_schema"}
_TOOL_CHOICES: Final = {"none", "auto", "required"}
MOST_TOOLS: Final = 128
MOST_STOPS: Final = 4
MOST_METADATA, LONGEST_METADATA_KEY, LONGEST_METADATA_VALUE = 16, 64, 512


def check_request(request: ChatRequest, given: Iterable[str]) -> None:
    """Raise InvalidRequest, naming the field, for what OpenAI would refuse.

    `given` names the fields that the body has: most bodies have few, and only those are looked at.
    """
    if not request.model:
        raise _invalid("model", "must name a model")
    _check_messages(request.messages)
    for name in given:
        if name in _RANGES:
            _check_range(name, getattr(request, name))
        check = _CHECKS.get(name)
        if check is not None and getattr(request, name) is not None:
            check(request)


def _invalid(param: str, problem: str) -> InvalidRequest:
    return InvalidRequest(f"{param}: {problem}", param=param)


def _check_range(field: str, value: Any) -> None:
    # Any, because a compiled float would hold no seed of 64 bits exactly.
    low, high = _RANGES[field]
    if value is not None and not low <= value <= high:
        raise _invalid(field, f"must be between {low} and {high}")


def _check_messages(messages: list[Message]) -> None:
    if not messages:
        raise _invalid("messages", "must not be empty")
    for place, message in enumerate(messages):
        if (
            type(message.content) is not str
            or message.role not in _SPEAKERS
            or message.tool_calls is not None
            or message.function_call is not None
        ):  # not just a role and a text
            _check_message(message, place)


def _check_message(message: Message, place: int) -> None:
    role, content = message.role, message.content
    if role == "function" or message.function_call is not None:
        raise _deprecated(f"messages[{place}]", "function", "tool calls and messages with the role `tool`")
    # An interrupted assistant may have said nothing; that is repaired for the provider, not refused here.
    if content is None and role != "assistant":
        raise _invalid(f"messages[{place}].content", "must be a string or a list of parts")
    if role == "tool" and not message.tool_call_id:
        raise _invalid(f"messages[{place}].tool_call_id", "must name the call that this is the result of")
    if message.tool_calls and role != "assistant":
        raise _invalid(f"messages[{place}].tool_calls", "only an assistant message can have these")
    if type(content) is list:
        _check_parts(role, content, f"messages[{place}].content")


def _check_parts(role: str, parts: list[Part], path: str) -> None:
    allowed = _PARTS[role]
    if not parts:
        raise _invalid(path, "must not be an empty list")
    for place, part in enumerate(parts):
        if type(part) not in allowed:
            raise _invalid(f"{path}[{place}].type", f"this type cannot be in a message of the role `{role}`")


def _check_limits(request: ChatRequest) -> None:
    if request.max_tokens is not None:
        raise _invalid("max_tokens", "cannot be set together with `max_completion_tokens`")


def _check_tools(request: ChatRequest) -> None:
    tools: list[Tool] = request.tools or []
    if not 1 <= len(tools) <= MOST_TOOLS:
        raise _invalid("tools", f"must have between 1 and {MOST_TOOLS} tools")
    for place, tool in enumerate(tools):
        if not _FUNCTION_NAME.fullmatch(tool.function.name):
            raise _invalid(
                f"tools[{place}].function.name", "must be 1 to 64 letters, digits, underscores and dashes (ASCII)"
            )


def _check_tool_choice(request: ChatRequest) -> None:
    choice, tools = request.tool_choice, request.tools
    if not tools:
        raise _invalid("tool_choice", "is only allowed together with `tools`")
    if isinstance(choice, str):
        if choice not in _TOOL_CHOICES:
            raise _invalid("tool_choice", "must be `none`, `auto`, `required` or an object that names a function")
        return
    kind, named = (choice or {}).get("type"), (choice or {}).get("function")
    if kind == "function" and isinstance(named, dict) and isinstance(named.get("name"), str):
        if not any(tool.function.name == named["name"] for tool in tools):
            raise _invalid("tool_choice.function.name", "no tool of this name is in `tools`")
        return
    if kind != "allowed_tools" or not isinstance((choice or {}).get("allowed_tools"), dict):
        raise _invalid("tool_choice", 'must be `{"type": "function", "function": {"name": ...}}` or `allowed_tools`')


def _check_parallel(request: ChatRequest) -> None:
    if not request.tools:
        raise _invalid("parallel_tool_calls", "is only allowed together with `tools`")


def _check_stop(request: ChatRequest) -> None:
    if isinstance(request.stop, list) and len(request.stop) > MOST_STOPS:
        raise _invalid("stop", f"can have at most {MOST_STOPS} sequences")


def _check_response_format(request: ChatRequest) -> None:
    wanted = request.response_format or {}
    kind, schema = wanted.get("type"), wanted.get("json_schema")
    if not isinstance(kind, str) or kind not in _FORMATS:
        raise _invalid("response_format.type", "must be `text`, `json_object` or `json_schema`")
    if kind == "json_schema":
        if not isinstance(schema, dict) or not isinstance(schema.get("name"), str):
            raise _invalid("response_format.json_schema", "must be an object with a `name`")
        if not isinstance(schema.get("schema", {}), dict):
            raise _invalid("response_format.json_schema.schema", "must be a JSON schema")


def _check_top_logprobs(request: ChatRequest) -> None:
    if not request.logprobs:
        raise _invalid("top_logprobs", "is only allowed with `logprobs: true`")


def _check_stream_options(request: ChatRequest) -> None:
    if not request.stream:
        raise _invalid("stream_options", "is only allowed with `stream: true`")


def _check_logit_bias(request: ChatRequest) -> None:
    if any(not -100 <= bias <= 100 for bias in (request.logit_bias or {}).values()):
        raise _invalid("logit_bias", "every bias must be between -100 and 100")


def _check_metadata(request: ChatRequest) -> None:
    metadata = request.metadata or {}
    if len(metadata) > MOST_METADATA:
        raise _invalid("metadata", f"can have at most {MOST_METADATA} pairs")
    for key, value in metadata.items():
        if len(key) > LONGEST_METADATA_KEY or len(value) > LONGEST_METADATA_VALUE:
            raise _invalid(
                "metadata", f"keys: at most {LONGEST_METADATA_KEY} characters; values: {LONGEST_METADATA_VALUE}"
            )


def _refuse_functions(_request: ChatRequest) -> None:
    raise _deprecated("functions", "functions", "`tools`")


def _refuse_function_call(_request: ChatRequest) -> None:
    raise _deprecated("function_call", "function_call", "`tool_choice`")


def _deprecated(param: str, what: str, instead: str) -> InvalidRequest:
    # Mapping them would answer with `tool_calls` a client that looks for `function_call` and finds nothing.
    return _invalid(param, f"the deprecated `{what}` form is not supported; use {instead}")


_CHECKS: Final[dict[str, Callable[[ChatRequest], None]]] = {
    "functions": _refuse_functions,
    "function_call": _refuse_function_call,
    "tools": _check_tools,
    "tool_choice": _check_tool_choice,
    "parallel_tool_calls": _check_parallel,
    "max_completion_tokens": _check_limits,
    "stop": _check_stop,
    "response_format": _check_response_format,
    "top_logprobs": _check_top_logprobs,
    "stream_options": _check_stream_options,
    "logit_bias": _check_logit_bias,
    "metadata": _check_metadata,
}
