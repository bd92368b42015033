"""What was said, read from the bodies of a call: the messages of a request, and its answer, JSON or stream. Pure.

Bodies are the client's: they are in OpenAI's chat format, or whatever a client thought that was. What cannot be read
says nothing.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

_decode = msgspec.json.Decoder().decode
SYSTEM = ("system", "developer")
MOST_CHOICES = 128  # as many as OpenAI gives


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
    """Return what an answer says in its first choice, which is what the caller hears; None if it says nothing."""
    said = _answer(_bodies(response), 0)
    return said if said.text or said.tools else None


def answers_of(response: bytes) -> dict[int, Said]:
    """Return what an answer says in each of its choices, by their index."""
    bodies = list(_bodies(response))
    indices = sorted(
        {choice.get("index", 0) for body in bodies for choice in _choices(body)} & set(range(MOST_CHOICES))
    )
    found = {index: _answer(bodies, index) for index in indices}
    return {index: said for index, said in found.items() if said.text or said.tools}


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


def _bodies(response: bytes) -> Iterator[Any]:
    """Yield the chunks of a stream, or the one body of a JSON answer."""
    if response.lstrip().startswith(b"data:"):
        yield from _frames(response)
    else:
        yield _json(response)


def _answer(bodies: Iterable[Any], index: int) -> Said:
    """Return what the choice of this index says, piece by piece or as a whole."""
    text = ""
    tools: dict[str, ToolUse] = {}
    for body in bodies:
        choice = _choice(body, index)
        message = choice.get("message")
        if isinstance(message, dict):
            return _said(message)
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            continue
        text += _text(delta.get("content")) or _text(delta.get("refusal"))
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                piece, place = _tool(call), str(call.get("index", 0))
                known = tools.get(place, ToolUse("", "", ""))
                tools[place] = ToolUse(
                    known.id or piece.id, known.name or piece.name, known.arguments + piece.arguments
                )
    return Said("assistant", text, tuple(tools.values()))


def _frames(response: bytes) -> Iterator[Any]:
    for line in response.splitlines():
        if line.startswith(b"data:"):
            yield _json(line[5:])


def _choice(body: Any, index: int) -> dict[str, Any]:
    """Return the choice of this index of an answer or a chunk, an empty one if there is none."""
    return next((choice for choice in _choices(body) if choice.get("index", 0) == index), {})


def _choices(body: Any) -> Iterator[dict[str, Any]]:
    choices = body.get("choices") if isinstance(body, dict) else None
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and isinstance(choice.get("index", 0), int):
            yield choice


def _json(data: bytes) -> Any:
    try:
        return _decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return None
