"""Reads a valid Messages request as the simulated model understands it."""

from typing import Any

from trunkline.simulator.answer import Asked, Tool


def read(body: dict[str, Any], size: int) -> Asked:
    """Return what is asked; `size` is the request's length in bytes, from which the prompt's tokens are guessed."""
    messages: list[dict[str, Any]] = body["messages"]
    choice = body.get("tool_choice") or {}
    kind = choice.get("type")
    last = messages[-1]["content"] if messages[-1]["role"] == "user" else ()
    return Asked(
        model=body["model"],
        question=_question(messages),
        body=body,
        prompt_tokens=size // 4 + 1,
        results=tuple(_text(block.get("content")) for block in _blocks(last) if block["type"] == "tool_result"),
        tools=tuple(
            Tool(tool["name"], tool.get("description") or "", tool["input_schema"])
            for tool in body.get("tools") or ()
            if "input_schema" in tool
        ),
        may_call=kind != "none",
        must_call=kind == "any",
        forced_tool=choice.get("name") if kind == "tool" else None,
        schema=((body.get("output_config") or {}).get("format") or {}).get("schema"),
        max_tokens=body["max_tokens"] or None,
        stop=tuple(body.get("stop_sequences") or ()),
        stream=bool(body.get("stream")),
    )


def _blocks(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)


def _text(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return " ".join(block["text"] for block in content if block.get("type") == "text")


def _question(messages: list[dict[str, Any]]) -> str:
    """The last words of the user; tool results are not the user's own."""
    for message in reversed(messages):
        if message["role"] == "user":
            words = " ".join(block["text"] for block in _blocks(message["content"]) if block["type"] == "text")
            if words:
                return words
    return ""
