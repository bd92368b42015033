"""Reads a valid chat completions request as the simulated model understands it."""

from typing import Any

from trunkline.simulator.answer import Asked, Tool


def read(body: dict[str, Any], size: int) -> Asked:
    """Return what is asked; `size` is the request's length in bytes, from which the prompt's tokens are guessed."""
    messages: list[dict[str, Any]] = body["messages"]
    choice = body.get("tool_choice")
    return Asked(
        model=body["model"],
        question=next((_text(message) for message in reversed(messages) if message["role"] == "user"), ""),
        body=body,
        prompt_tokens=size // 4 + 1,
        results=_results(messages),
        tools=tuple(_tool(tool["function"]) for tool in body.get("tools") or () if tool.get("type") == "function"),
        may_call=choice != "none",
        must_call=choice == "required",
        forced_tool=choice["function"]["name"] if isinstance(choice, dict) and "function" in choice else None,
        schema=_schema(body.get("response_format")),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        stop=_stops(body.get("stop")),
        n=body.get("n") or 1,
        stream=bool(body.get("stream")),
    )


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    return " ".join(
        part["text"] for part in content or () if isinstance(part, dict) and isinstance(part.get("text"), str)
    )


def _results(messages: list[dict[str, Any]]) -> tuple[str, ...]:
    results: list[str] = []
    for message in reversed(messages):
        if message["role"] != "tool":
            break
        results.insert(0, _text(message))
    return tuple(results)


def _tool(function: dict[str, Any]) -> Tool:
    return Tool(function["name"], function.get("description") or "", function.get("parameters") or {"type": "object"})


def _schema(response_format: Any) -> dict[str, Any] | None:
    if not isinstance(response_format, dict) or response_format.get("type") == "text":
        return None
    described = response_format.get("json_schema")
    return (described.get("schema") or {}) if isinstance(described, dict) else {}


def _stops(stop: Any) -> tuple[str, ...]:
    if isinstance(stop, str):
        return (stop,)
    return tuple(stop or ())
