"""OpenAI's rules of a conversation: roles, contents, and which tool message answers which call."""

from typing import Any

from trunkline.simulator.openai_errors import empty, invalid, missing

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_PARTS = ("text", "image_url", "input_audio", "file", "refusal")
_INSTEAD_OF_CONTENT = ("tool_calls", "function_call", "refusal", "audio")


def check_messages(messages: list[Any]) -> None:
    """Raise `Rejection` for what the API refuses of `messages`."""
    for index, message in enumerate(messages):
        _check_message(index, message)
    _check_pairing(messages)


def _check_message(index: int, message: Any) -> None:
    path = f"messages[{index}]"
    if not isinstance(message, dict):
        raise invalid(f"Invalid type for '{path}': expected an object.", path, "invalid_type")
    role = message.get("role")
    if role not in _ROLES:
        supported = ", ".join(f"'{name}'" for name in _ROLES)
        words = f"Invalid value: '{role}'. Supported values are: {supported}."
        raise invalid(words, f"{path}.role", "invalid_value")
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise missing(f"{path}.tool_call_id")
    _check_content(f"{path}.content", role, message)
    if message.get("tool_calls") is not None:
        _check_calls(f"{path}.tool_calls", message["tool_calls"])


def _check_content(path: str, role: str, message: dict[str, Any]) -> None:
    content = message.get("content")
    if isinstance(content, str):
        return
    if content is None:
        if role == "assistant" and any(message.get(name) for name in _INSTEAD_OF_CONTENT):
            return
        raise invalid(f"Invalid value for 'content': expected a string, got null. ({path})", path, "invalid_type")
    if not isinstance(content, list):
        words = f"Invalid type for '{path}': expected one of a string or array of objects."
        raise invalid(words, path, "invalid_type")
    if not content:
        raise empty(path)
    for position, part in enumerate(content):
        _check_part(f"{path}[{position}]", part)


def _check_part(path: str, part: Any) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind not in _PARTS:
        supported = ", ".join(f"'{name}'" for name in _PARTS)
        words = f"Invalid value: '{kind}'. Supported values are: {supported}."
        raise invalid(words, f"{path}.type", "invalid_value")
    if kind == "text" and not isinstance(part.get("text"), str):
        raise missing(f"{path}.text")


def _check_calls(path: str, calls: Any) -> None:
    if not isinstance(calls, list) or not calls:
        raise empty(path)
    for position, call in enumerate(calls):
        where = f"{path}[{position}]"
        if not isinstance(call, dict) or not isinstance(call.get("id"), str):
            raise missing(f"{where}.id")
        if call.get("type") == "custom":
            continue
        function = call.get("function")
        if not isinstance(function, dict):
            raise missing(f"{where}.function")
        if not isinstance(function.get("arguments"), str):
            inner = f"{where}.function.arguments"
            raise invalid(f"Invalid type for '{inner}': expected a string.", inner, "invalid_type")


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
                raise invalid(words, f"messages.[{index}].role")
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
        raise invalid(words, f"messages.[{asked_at + 1}].role")
