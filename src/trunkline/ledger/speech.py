"""What was said, read from the bodies of a call: the messages of a request, and its answer, JSON or stream. Pure.

Bodies are the client's: they are in OpenAI's chat format, or whatever a client thought that was. What cannot be read
says nothing.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

_decode = msgspec.json.Decoder().decode
SYSTEM = ("system", "developer")


class ToolUse(NamedTuple):
    """A tool that the assistant asked for."""

    id: str
    name: str
    arguments: str


class Said(NamedTuple):
    """One message: its role, its text, the tools that it asks for, the tool call that it answers."""

    role: str
    text: str
    tools: tuple[ToolUse, ...] = ()
    answers: str | None = None


def messages_of(request: bytes) -> list[Said]:
    """Return the messages of a request."""
    body = _json(request)
    found = body.get("messages") if isinstance(body, dict) else None
    return [_said(message) for message in found if isinstance(message, dict)] if isinstance(found, list) else []


def answer_of(response: bytes) -> Said | None:
    """Return what an answer says, None if it says nothing."""
    if response.lstrip().startswith(b"data:"):
        said = _streamed(_frames(response))
    else:
        choice = _first_choice(_json(response))
        message = choice.get("message")
        said = _said(message) if isinstance(message, dict) else Said("assistant", "")
    return said if said.text or said.tools else None


def _said(message: dict[str, Any]) -> Said:
    calls = message.get("tool_calls")
    tools = tuple(_tool(call) for call in calls if isinstance(call, dict)) if isinstance(calls, list) else ()
    text = _text(message.get("content")) or _text(message.get("refusal"))
    answers = message.get("tool_call_id")
    return Said(str(message.get("role", "")), text, tools, str(answers) if answers is not None else None)


def _tool(call: dict[str, Any]) -> ToolUse:
    function = call.get("function")
    function = function if isinstance(function, dict) else {}
    return ToolUse(str(call.get("id", "")), str(function.get("name", "")), str(function.get("arguments", "")))


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = [part for part in content if isinstance(part, dict)]
    return "\n".join(str(part.get("text") or part.get("refusal") or f"[{part.get('type')}]") for part in parts)


def _streamed(chunks: Iterable[Any]) -> Said:
    text = ""
    tools: dict[int, ToolUse] = {}
    for chunk in chunks:
        delta = _first_choice(chunk).get("delta")
        if not isinstance(delta, dict):
            continue
        text += _text(delta.get("content")) or _text(delta.get("refusal"))
        for call in delta.get("tool_calls") or ():
            piece, index = _tool(call), call.get("index", 0)
            known = tools.get(index, ToolUse("", "", ""))
            tools[index] = ToolUse(known.id or piece.id, known.name or piece.name, known.arguments + piece.arguments)
    return Said("assistant", text, tuple(tools.values()))


def _frames(response: bytes) -> Iterator[Any]:
    for line in response.splitlines():
        if line.startswith(b"data:"):
            yield _json(line[5:])


def _first_choice(body: Any) -> dict[str, Any]:
    """Return the first choice of an answer or a chunk; others are not what the caller hears."""
    choices = body.get("choices") if isinstance(body, dict) else None
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("index", 0) == 0:
            return choice
    return {}


def _json(data: bytes) -> Any:
    try:
        return _decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return None
