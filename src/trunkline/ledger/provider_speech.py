"""What a provider said, read from the body that it sent, in its own dialect. Pure.

For people who compare it with what was released; what cannot be read says nothing. The record has the bytes.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from trunkline.ledger.speech import Said, ToolUse, answers_of

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def provider_answers_of(response: bytes, dialect: str) -> dict[int, Said]:
    """Return what a provider's answer says in each of its choices, by their index."""
    if dialect != "anthropic":
        return answers_of(response)
    said = _said(_blocks_of(response))
    return {0: said} if said.text or said.tools else {}


class _Block:
    """A block of a message: a text, or a tool with its arguments."""

    def __init__(self, block: dict[str, Any]) -> None:
        self.tool = block.get("type") == "tool_use"
        self.id, self.name = str(block.get("id", "")), str(block.get("name", ""))
        self.given = block.get("input")
        self.text = str(block.get("text", "")) if block.get("type") == "text" else ""
        self.arguments = ""

    def take(self, delta: dict[str, Any]) -> None:
        """Add a piece."""
        self.text += str(delta.get("text", "")) if delta.get("type") == "text_delta" else ""
        self.arguments += str(delta.get("partial_json", "")) if delta.get("type") == "input_json_delta" else ""


def _said(blocks: list[_Block]) -> Said:
    text = "".join(block.text for block in blocks)
    tools = [
        ToolUse(block.id, block.name, block.arguments or _encode(block.given).decode())
        for block in blocks
        if block.tool
    ]
    return Said("assistant", text, tuple(tools))


def _blocks_of(response: bytes) -> list[_Block]:
    """Return the blocks of a message (Anthropic API reference, "Messages" and "Streaming Messages")."""
    whole = _json(response)
    if whole is not None:
        found = whole.get("content")
        return [_Block(block) for block in found if isinstance(block, dict)] if isinstance(found, list) else []
    blocks: dict[str, _Block] = {}
    for event in _events(response):
        place = str(event.get("index", 0))
        block, delta = event.get("content_block"), event.get("delta")
        if event.get("type") == "content_block_start" and isinstance(block, dict):
            blocks[place] = _Block(block)
        elif event.get("type") == "content_block_delta" and isinstance(delta, dict) and place in blocks:
            blocks[place].take(delta)
    return list(blocks.values())


def _events(response: bytes) -> Iterator[dict[str, Any]]:
    for line in response.splitlines():
        if line.startswith(b"data:"):
            event = _json(line[5:])
            if event is not None:
                yield event


def _json(data: bytes) -> dict[str, Any] | None:
    try:
        found = _decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
