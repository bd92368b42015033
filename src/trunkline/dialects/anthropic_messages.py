"""A conversation in Anthropic's terms: the system prompt apart, user and assistant in turns, blocks instead of roles.

Source: Anthropic API reference, "Create a Message", and "Handle tool calls" for where results must stand.
"""

import re
from typing import Any, NamedTuple

import msgspec

from trunkline.dialects.histories import Rules, repair, text_of
from trunkline.dialects.provider import CannotTake
from trunkline.model.chat import (
    FilePart,
    ImagePart,
    ImageUrl,
    Message,
    Part,
    RefusalPart,
    TextPart,
    ToolCall,
)

# What stands where the API wants a turn and nobody spoke. In brackets, so that a model does not take it for speech.
BEGIN = "(The conversation begins.)"
CONTINUE = "(Please continue.)"
SILENCE = "(The user said nothing.)"

RULES = Rules(call_id=re.compile(r"[a-zA-Z0-9_-]+"), unique_ids=True)
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")

_IMAGE_TYPES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_SPEAKERS = frozenset({"user", "assistant"})
_NOT_IN_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_decode = msgspec.json.Decoder().decode

Block = dict[str, Any]


class Notes:
    """What happened to a request on its way: names for the record."""

    __slots__ = ("dropped", "repairs")

    def __init__(self) -> None:
        self.dropped: list[str] = []
        self.repairs: list[str] = []

    def drop(self, name: str) -> None:
        """Note a parameter that is left out; the same name counts once."""
        if name not in self.dropped:
            self.dropped.append(name)

    def mend(self, name: str) -> None:
        """Note a repair; the same name counts once."""
        if name not in self.repairs:
            self.repairs.append(name)


class Conversation(NamedTuple):
    """`system` is empty where there is none; `called` has the names of all tools that were called in it."""

    system: str
    messages: list[dict[str, Any]]
    called: list[str]


def encode_messages(messages: list[Message], notes: Notes) -> Conversation:
    """Return the conversation as Anthropic takes it; raises CannotTake for content that it has no form for."""
    messages, repairs = repair(messages, RULES)
    notes.repairs += repairs
    first = 0
    while first < len(messages) and messages[first].role in {"system", "developer"}:
        first += 1
    turns = _Turns(notes)
    for message in messages[first:]:
        turns.take(message)
    system = "\n\n".join(filter(str.strip, (text_of(message.content) for message in messages[:first])))
    return Conversation(system, turns.finish(), list(turns.called))


class _Turns:
    """Writes messages into alternating turns."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._turns: list[dict[str, Any]] = []
        self._previous = ""  # the client's role of the message before
        self.called: dict[str, None] = {}

    def take(self, message: Message) -> None:
        """Append what one message says."""
        content, role = message.content, message.role
        if (
            type(content) is str
            and role in _SPEAKERS
            and message.tool_calls is None
            and message.name is None
            and message.refusal is None
            and message.audio is None
            and (not self._turns or self._turns[-1]["role"] != role)
            and content.strip()
        ):  # the usual message
            self._turns.append({"role": role, "content": content})
            self._previous = role
            return
        if message.name is not None:
            self._notes.drop("messages.name")
        match message.role:
            case "user":
                self._append(message.role, "user", self._user(message))
            case "assistant":
                self._append(message.role, "assistant", self._assistant(message))
            case "tool":
                self._append(message.role, "user", [self._result(message)])
            case "system" | "developer":
                self._append(message.role, "user", self._instruction(message))
            case _:
                raise CannotTake("anthropic has no messages of the role `function`", param="messages")

    def finish(self) -> list[dict[str, Any]]:
        """Return the turns, the user's first and last."""
        turns = self._turns
        if not turns or turns[0]["role"] != "user":
            self._notes.mend("user_turn_added_first")
            turns.insert(0, {"role": "user", "content": BEGIN})
        if turns[-1]["role"] != "user":
            # Newer models refuse to continue an assistant's turn, and older ones would say only the rest of it.
            self._notes.mend("user_turn_added_last")
            turns.append({"role": "user", "content": CONTINUE})
        return turns

    def _append(self, said_by: str, role: str, blocks: list[Block]) -> None:
        if not blocks:
            return
        if self._turns and self._turns[-1]["role"] == role:
            if said_by == self._previous and said_by != "tool":
                self._notes.mend("merged_consecutive_roles")
            turn = self._turns[-1]
            if isinstance(turn["content"], str):
                turn["content"] = [_text(turn["content"])]
            turn["content"] += blocks
        else:
            self._turns.append({"role": role, "content": blocks})
        self._previous = said_by

    def _user(self, message: Message) -> list[Block]:
        content = message.content
        if isinstance(content, str) and content.strip():
            return [_text(content)]
        blocks = self._parts(content)
        if not blocks:
            self._notes.mend("empty_user_message_marked")
            blocks.append(_text(SILENCE))
        return blocks

    def _instruction(self, message: Message) -> list[Block]:
        """Return a system message within the conversation: it stays in its place, where its meaning is."""
        text = text_of(message.content)
        if not text.strip():
            return []
        self._notes.mend("system_message_in_user_turn")
        return [_text(f"<system>\n{text}\n</system>")]

    def _assistant(self, message: Message) -> list[Block]:
        if message.audio is not None:
            raise CannotTake("anthropic has no audio that an assistant said before", param="messages.audio")
        blocks = self._parts(message.content)
        if message.refusal and message.refusal.strip():
            blocks.append(_text(message.refusal))
        blocks += [self._call(call) for call in message.tool_calls or ()]
        return blocks

    def _call(self, call: ToolCall) -> Block:
        name = call.function.name
        if not TOOL_NAME.fullmatch(name):
            self._notes.mend(f"tool_name_repaired:{name[:64]}")
            name = _NOT_IN_NAME.sub("_", name)[:128] or "unnamed"
        self.called[name] = None
        return {"type": "tool_use", "id": call.id, "name": name, "input": self._input(call)}

    def _input(self, call: ToolCall) -> dict[str, Any]:
        """Return the arguments as an object, or what was written of them before it was cut."""
        written = call.function.arguments
        if not written.strip():
            return {}
        try:
            found = _decode(written)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return found
        self._notes.mend(f"tool_arguments_quoted:{call.id[:64]}")
        return {"unparsed_arguments": written}

    def _result(self, message: Message) -> Block:
        block: Block = {"type": "tool_result", "tool_use_id": message.tool_call_id}
        content = message.content
        if isinstance(content, str):
            if content.strip():
                block["content"] = content
        else:
            blocks = self._parts(content)
            if blocks:
                block["content"] = blocks
        return block

    def _parts(self, content: str | list[Part] | None) -> list[Block]:
        if not isinstance(content, list):
            return [_text(content)] if content and content.strip() else []
        return [block for block in map(self._part, content) if block is not None]

    def _part(self, part: Part) -> Block | None:
        match part:
            case TextPart(text) | RefusalPart(text):
                if text.strip():
                    return _text(text)
                self._notes.mend("empty_text_removed")
                return None
            case ImagePart(image):
                return self._image(image)
            case FilePart(file):
                return _document(file)
        raise CannotTake("anthropic takes no audio", param="messages.content")

    def _image(self, image: ImageUrl) -> Block:
        if image.detail not in {None, "auto"}:
            self._notes.drop("messages.content.image_url.detail")
        found = _data_of(image.url)
        if found is not None:
            media_type, data = found
            if media_type == "image/jpg":
                media_type = "image/jpeg"
            if media_type not in _IMAGE_TYPES:
                raise CannotTake(f"anthropic takes no images of the type {media_type[:64]}", param="messages.content")
            return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}
        if image.url.startswith("https://"):
            return {"type": "image", "source": {"type": "url", "url": image.url}}
        raise CannotTake("anthropic takes images as base64 data or from https", param="messages.content")


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _data_of(url: str) -> tuple[str, str] | None:
    """Return the media type and the base64 text of a `data:` URL (RFC 2397); None for any other."""
    head, _, data = url.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64") or not data:
        return None
    return head[5:].partition(";")[0].lower(), data


def _document(file: dict[str, Any]) -> Block:
    """Return a file as a document: a PDF in base64; files by id are at another provider."""
    given, title = file.get("file_data"), file.get("filename")
    found = _data_of(given) if isinstance(given, str) else None
    if found is None or found[0] != "application/pdf":
        raise CannotTake("anthropic takes files only as base64 data of a PDF", param="messages.content")
    source = {"type": "base64", "media_type": "application/pdf", "data": found[1]}
    block: Block = {"type": "document", "source": source}
    if isinstance(title, str) and title:
        block["title"] = title
    return block
