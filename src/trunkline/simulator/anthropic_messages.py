"""Anthropic's rules of a conversation: who may speak when, which blocks are whole, which results answer which calls."""

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from trunkline.simulator import claude_models
from trunkline.simulator.answer import Rejection

Block = dict[str, Any]

_USE_ID = re.compile(r"[a-zA-Z0-9_-]+")
# Block types and the fields each may have (besides `type`).
_FIELDS = {
    "text": {"text", "cache_control", "citations"},
    "image": {"source", "cache_control"},
    "document": {"source", "cache_control", "citations", "context", "title"},
    "tool_use": {"id", "name", "input", "cache_control", "caller", "toolset_name"},
    "tool_result": {"tool_use_id", "content", "is_error", "cache_control", "toolset_name"},
    "thinking": {"thinking", "signature"},
    "redacted_thinking": {"data"},
}
_RESULT_TYPES = ("text", "image", "search_result", "document", "tool_reference", "browser_state")
_ONLY_ASSISTANT = ("tool_use", "thinking", "redacted_thinking")
_IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")


def check_messages(messages: Any, version: tuple[int, int]) -> None:
    """Raise `Rejection` for what the API refuses of `messages`, for a model of this version."""
    if not isinstance(messages, list):
        raise _refused("messages: Input should be a valid list")
    if not messages:
        raise _refused("messages: at least one message is required")
    for index, message in enumerate(messages):
        _check_message(index, message)
    _check_order(messages, version)
    turns = list(_turns(messages))
    _check_pairing(turns)
    last_role, last_blocks = turns[-1][1], turns[-1][2]
    if last_role == "assistant":
        _check_prefill(last_blocks, version)


def _refused(message: str) -> Rejection:
    return Rejection(400, message, type="invalid_request_error")


def _check_message(index: int, message: Any) -> None:
    if not isinstance(message, dict):
        raise _refused(f"messages.{index}: Input should be an object")
    for name in message:
        if name not in ("role", "content"):
            raise _refused(f"messages.{index}.{name}: Extra inputs are not permitted")
    role = message.get("role")
    if role not in ("user", "assistant", "system"):
        raise _refused(f'messages: Unexpected role "{role}". Allowed roles are "user", "assistant" and "system".')
    if "content" not in message:
        raise _refused(f"messages.{index}.content: Field required")
    content = message["content"]
    if not isinstance(content, str | list):
        raise _refused(f"messages.{index}.content: Input should be a valid string or list")
    if isinstance(content, str):
        return
    for position, block in enumerate(content):
        _check_block(f"messages.{index}.content.{position}", role, block)


def _check_block(path: str, role: str, block: Any) -> None:
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise _refused(f"{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags")
    for name in block:
        if name != "type" and name not in _FIELDS[kind]:
            raise _refused(f"{path}.{kind}.{name}: Extra inputs are not permitted")
    if kind in _ONLY_ASSISTANT and role != "assistant":
        raise _refused(f"messages: `{kind}` blocks can only be in `assistant` messages")
    if kind == "tool_result" and role != "user":
        raise _refused("messages: `tool_result` blocks can only be in `user` messages")
    if kind == "text":
        _check_text(path, block)
    elif kind == "tool_use":
        _check_use(path, block)
    elif kind == "tool_result":
        _check_result(path, block)
    elif kind == "image":
        _check_image(path, block)


def _check_text(path: str, block: Block) -> None:
    if not isinstance(block.get("text"), str):
        raise _refused(f"{path}.text.text: Field required")
    if not block["text"]:
        raise _refused("messages: text content blocks must be non-empty")
    if not block["text"].strip():
        raise _refused("messages: text content blocks must contain non-whitespace text")


def _check_use(path: str, block: Block) -> None:
    if not isinstance(block.get("id"), str) or not _USE_ID.fullmatch(block["id"]):
        raise _refused(f"{path}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
    if not isinstance(block.get("name"), str) or not block["name"]:
        raise _refused(f"{path}.tool_use.name: Field required")
    if not isinstance(block.get("input"), dict):
        raise _refused(f"{path}.tool_use.input: Input should be a valid dictionary")


def _check_result(path: str, block: Block) -> None:
    if not isinstance(block.get("tool_use_id"), str):
        raise _refused(f"{path}.tool_result.tool_use_id: Field required")
    content = block.get("content")
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list):
        raise _refused(f"{path}.tool_result.content: Input should be a valid string or list")
    for position, inner in enumerate(content):
        where = f"{path}.tool_result.content.{position}"
        if not isinstance(inner, dict) or inner.get("type") not in _RESULT_TYPES:
            raise _refused(f"{where}: Input tag found using 'type' does not match any of the expected tags")
        if inner["type"] == "text":
            _check_text(where, inner)


def _check_image(path: str, block: Block) -> None:
    source = block.get("source")
    if not isinstance(source, dict):
        raise _refused(f"{path}.image.source: Field required")
    kind = source.get("type")
    if kind == "base64":
        if source.get("media_type") not in _IMAGE_TYPES:
            raise _refused(f"{path}.image.source.base64.media_type: Input should be {', '.join(_IMAGE_TYPES)}")
        if not source.get("data"):
            raise _refused(f"{path}.image.source.base64.data: Field required")
    elif kind == "url":
        if not str(source.get("url", "")).startswith("https://"):
            raise _refused(f"{path}.image.source.url.url: Only HTTPS URLs are supported.")
    elif kind != "file":
        raise _refused(
            f"{path}.image.source: Input tag '{kind}' found using 'type' does not match any of the expected tags"
        )


def _check_order(messages: list[dict[str, Any]], version: tuple[int, int]) -> None:
    """The first speaks the user; nobody is silent but a trailing assistant; the system speaks after the user."""
    for index, message in enumerate(messages):
        if message["role"] == "system":
            if version < claude_models.SYSTEM_MESSAGES_FROM:
                raise _refused("role 'system' is not supported on this model")
            if index == 0 or messages[index - 1]["role"] != "user":
                raise _refused(f"messages.{index}: a `system` message must immediately follow a `user` message")
    if messages[0]["role"] != "user":
        raise _refused('messages: first message must use the "user" role')
    last = len(messages) - 1
    for index, message in enumerate(messages):
        empty = not message["content"] or (isinstance(message["content"], str) and not message["content"].strip())
        if empty and not (index == last and message["role"] == "assistant"):
            raise _refused(
                f"messages.{index}: all messages must have non-empty content except for the optional final "
                "assistant message"
            )


def _turns(messages: list[dict[str, Any]]) -> Iterator[tuple[int, str, list[Block]]]:
    """Merge consecutive messages of one role, as the API does: (index of the first one, role, blocks)."""
    first, role = 0, ""
    blocks: list[Block] = []
    for index, message in enumerate(messages):
        content = message["content"]
        own = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if message["role"] == role:
            blocks = [*blocks, *own]
            continue
        if role:
            yield first, role, blocks
        first, role, blocks = index, message["role"], own
    yield first, role, blocks


def _check_pairing(turns: list[tuple[int, str, list[Block]]]) -> None:
    """Each `tool_use` needs its `tool_result` as the next turn begins, each result its call in the turn before."""
    calls: list[str] = []
    called_at = 0
    for index, role, blocks in turns:
        if role == "system":
            continue
        leading = takewhile(lambda block: block["type"] == "tool_result", blocks)
        answered = {block["tool_use_id"] for block in leading}
        missing = [call for call in calls if call not in answered]
        if missing:
            raise _unanswered(called_at, missing)
        _check_expected(index, blocks, calls)
        calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        if len(calls) != len(set(calls)):
            raise _refused("messages: `tool_use` ids must be unique")
        called_at = index
    if calls:
        raise _unanswered(called_at, calls)


def _check_expected(index: int, blocks: list[Block], calls: list[str]) -> None:
    seen: set[str] = set()
    for position, block in enumerate(blocks):
        if block["type"] != "tool_result":
            continue
        call = block["tool_use_id"]
        if call not in calls:
            raise _refused(
                f"messages.{index}.content.{position}: unexpected `tool_use_id` found in `tool_result` blocks: {call}. "
                "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        if call in seen:
            raise _refused(
                f"messages.{index}.content.{position}: each tool_use must have a single result. Found multiple "
                f"`tool_result` blocks with id: {call}"
            )
        seen.add(call)


def _unanswered(index: int, calls: list[str]) -> Rejection:
    return _refused(
        f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: "
        f"{', '.join(calls)}. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    )


def _check_prefill(blocks: list[Block], version: tuple[int, int]) -> None:
    if version >= claude_models.PREFILL_UNTIL:
        raise _refused(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    if blocks and blocks[-1]["type"] == "text" and blocks[-1]["text"] != blocks[-1]["text"].rstrip():
        raise _refused("messages: final assistant content cannot end with trailing whitespace")
