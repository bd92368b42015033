"""What a client sends, looked through before a model sees it: every message, tool results and earlier tool calls too.

`take` looks, `questions` are to be answered, `result` returns what may be sent, edited where something was redacted,
or has `stop` set.
"""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, final

import msgspec

from trunkline.guardrails.arguments import ArgumentsText
from trunkline.guardrails.check import NOTHING, Found
from trunkline.guardrails.hold_back import SLICE, spans_of
from trunkline.guardrails.memory import Cleared
from trunkline.guardrails.policies import CALLED, PROMPT, SAID, STRICTNESS, TOOL_RESULT, Field, Policies, Policy
from trunkline.guardrails.watched import UNSCANNABLE, Ask, Fired, Watched
from trunkline.model.chat import ChatRequest, FunctionCall, Message, Part, RefusalPart, TextPart

_encode: Final = msgspec.json.Encoder().encode
_DIGEST_SIZE: Final = 16
_PREDICTION: Final = -1  # in place of a message's index
_FIELDS: Final = {"system": PROMPT, "developer": PROMPT, "tool": TOOL_RESULT, "function": TOOL_RESULT}


@final
class _Looked:
    """One text of a request under its policies; `name` and `place` say where it stands in the message."""

    __slots__ = ("arguments", "message", "name", "place", "text", "watched")

    def __init__(self, message: int, name: str, place: int, watched: Watched, arguments: ArgumentsText | None) -> None:
        self.message, self.name, self.place = message, name, place
        self.watched, self.arguments = watched, arguments
        self.text = ""


@final
class Inspection:
    """Looks through one request. `fired` are the findings, `stop` the one that is to stop the call.

    `characters` is how much was looked at; a message that was cleared before is not looked at again.
    """

    __slots__ = ("_chat", "_cleared", "_digests", "_looked", "_policies", "asks", "characters", "fired", "stop")

    def __init__(self, policies: Policies, chat: ChatRequest, cleared: Cleared) -> None:
        self._policies, self._chat, self._cleared = policies, chat, cleared
        self._looked: list[_Looked] = []
        self._digests: dict[int, bytes] = {}  # of the messages that are looked at, by their place
        self.asks: list[Ask] = []
        self.fired: list[Fired] = []
        self.stop: Fired | None = None
        self.characters = 0

    def take(self) -> Iterator[None]:
        """Look through all messages; a long text takes several steps, between which others may go first."""
        called = self._policies.called
        for index, message in enumerate(self._chat.messages):
            field = _FIELDS.get(message.role, SAID)
            policies = self._covering(field)
            calls = called if message.tool_calls or message.function_call is not None else ()
            if not policies and not calls:
                continue
            digest = hashlib.blake2b(_encode(message), digest_size=_DIGEST_SIZE, key=self._policies.digest).digest()
            if self._cleared.knows(digest):
                continue
            self._digests[index] = digest
            if policies:
                yield from self._take_said(index, message, field, policies)
            if calls:
                yield from self._take_called(index, message, calls)
        prediction = self._chat.prediction
        if prediction is not None and self._policies.prompt:
            text = "".join(_texts(prediction.get("content")))
            yield from self._look(_PREDICTION, "content", 0, "prediction.content", text, PROMPT, self._policies.prompt)

    def _covering(self, field: Field) -> tuple[Policy, ...]:
        if field is SAID:
            return self._policies.said
        return self._policies.prompt if field is PROMPT else self._policies.tool_result

    def _take_said(self, index: int, message: Message, field: Field, policies: tuple[Policy, ...]) -> Iterator[None]:
        where = f"messages[{index}]"
        content = message.content
        if content is not None:
            # All parts as one text: to a model they are.
            text = content if isinstance(content, str) else "".join(_texts(content))
            yield from self._look(index, "content", 0, f"{where}.content", text, field, policies)
            if not isinstance(content, str):
                self._take_unscannable(content, f"{where}.content", field, policies)
        if message.refusal:
            yield from self._look(index, "refusal", 0, f"{where}.refusal", message.refusal, field, policies)
        if message.name:
            yield from self._look(index, "name", 0, f"{where}.name", message.name, field, policies)
        if message.audio is not None:
            self._unscannable("audio", f"{where}.audio", field, policies)

    def _take_unscannable(
        self, content: Sequence[Part], where: str, field: Field, policies: tuple[Policy, ...]
    ) -> None:
        for place, part in enumerate(content):
            if not isinstance(part, (TextPart, RefusalPart)):
                self._unscannable(_kind_of(part), f"{where}[{place}]", field, policies)

    def _unscannable(self, kind: str, where: str, field: Field, policies: tuple[Policy, ...]) -> None:
        """Decide on what no check can read."""
        for policy in policies:
            blocks = policy.on_unscannable == "block"
            action = policy.stopping if blocks else "bypass"
            fired = Fired(policy, Found(UNSCANNABLE, 0, 1, 1.0, kind), field.name, where, action)
            self.fired.append(fired)
            if blocks:
                self._take_stop(fired)

    def _take_called(self, index: int, message: Message, policies: tuple[Policy, ...]) -> Iterator[None]:
        for place, call in enumerate(message.tool_calls or ()):
            where = f"messages[{index}].tool_calls[{place}]"
            yield from self._look(index, "tool_calls", place, where, call.function.arguments, CALLED, policies)
        if message.function_call is not None:
            where = f"messages[{index}].function_call"
            arguments = message.function_call.arguments
            yield from self._look(index, "function_call", 0, where, arguments, CALLED, policies)

    def _look(
        self, index: int, name: str, place: int, where: str, text: str, field: Field, policies: tuple[Policy, ...]
    ) -> Iterator[None]:
        arguments = ArgumentsText(text) if field is CALLED else None
        text = arguments.text if arguments is not None else text
        watched = Watched(policies, self._policies.hold, field, where)
        looked = _Looked(index, name, place, watched, arguments)
        looked.text = text
        self._looked.append(looked)
        self.characters += len(text)
        for start in range(0, max(len(text), 1), SLICE):
            if start:
                yield
            watched.feed(text[start : start + SLICE], start + SLICE >= len(text))
        self.asks += watched.asks

    def questions(self) -> list[Ask]:
        """Return what is to be asked.

        Where the request is stopped already no model is asked about it either: no provider is to see what is in it.
        """
        stopped = self.stop is not None or any(looked.watched.stopping for looked in self._looked)
        if not stopped:
            return self.asks
        for ask in self.asks:
            if ask.policy.routes:
                ask.answered(NOTHING)  # which lets nothing pass that is stopped
        return [ask for ask in self.asks if not ask.policy.routes]

    def text_at(self, where: str) -> str:
        """Return the text that was looked at there, empty where none was; offsets of findings are of it."""
        for looked in self._looked:
            if looked.watched.where == where:
                return looked.text
        return ""

    def result(self) -> ChatRequest:
        """Return the request as it may be sent; with a `stop` it may not."""
        chat = self._chat
        for looked in self._looked:
            watched = looked.watched
            text = watched.give_out()
            self.fired += watched.fired
            if watched.fired or watched.holding:
                self._digests.pop(looked.message, None)
            if watched.stop is not None:
                self._take_stop(watched.stop)
            elif watched.edited:
                if looked.arguments is not None:
                    text = looked.arguments.redacted(spans_of(watched.fired))
                chat = _with(chat, looked, text, spans_of(watched.fired))
        if self.stop is None:
            for digest in self._digests.values():
                self._cleared.add(digest)
        return chat

    def _take_stop(self, fired: Fired) -> None:
        if self.stop is None or STRICTNESS[fired.action] > STRICTNESS[self.stop.action]:
            self.stop = fired


def _texts(content: object) -> list[str]:
    """Return the texts of a message's content, in order; what is no text is not among them."""
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        return []
    texts: list[str] = []
    for part in content:
        if isinstance(part, TextPart):
            texts.append(part.text)
        elif isinstance(part, RefusalPart):
            texts.append(part.refusal)
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append(part["text"])
    return texts


def _kind_of(part: Part) -> str:
    return str(part.__struct_config__.tag)


def _with(chat: ChatRequest, looked: _Looked, text: str, spans: Sequence[tuple[int, int, str]]) -> ChatRequest:
    """Return the request with one of its texts edited."""
    if looked.message == _PREDICTION:
        prediction = {**(chat.prediction or {}), "content": text}
        return msgspec.structs.replace(chat, prediction=prediction)
    messages = list(chat.messages)
    messages[looked.message] = _edited(messages[looked.message], looked, text, spans)
    return msgspec.structs.replace(chat, messages=messages)


def _edited(message: Message, looked: _Looked, text: str, spans: Sequence[tuple[int, int, str]]) -> Message:
    match looked.name:
        case "tool_calls":
            calls = list(message.tool_calls or ())
            call = calls[looked.place]
            calls[looked.place] = msgspec.structs.replace(call, function=FunctionCall(call.function.name, text))
            return msgspec.structs.replace(message, tool_calls=calls)
        case "function_call":
            called = message.function_call
            return msgspec.structs.replace(message, function_call=FunctionCall(called.name if called else "", text))
        case "refusal":
            return msgspec.structs.replace(message, refusal=text)
        case "name":
            return msgspec.structs.replace(message, name=None)  # a name may not have what stands for a redacted span
        case _:
            content = message.content
            parts = text if isinstance(content, str) or content is None else _edited_parts(content, spans)
            return msgspec.structs.replace(message, content=parts)


def _edited_parts(content: Sequence[Part], spans: Sequence[tuple[int, int, str]]) -> list[Part]:
    """Return the parts with spans of their joined text replaced; a span over several leaves its marker in the first."""
    parts: list[Part] = []
    offset = first = 0
    for part in content:
        if not isinstance(part, (TextPart, RefusalPart)):
            parts.append(part)
            continue
        text = part.text if isinstance(part, TextPart) else part.refusal
        while first < len(spans) and spans[first][1] <= offset:
            first += 1
        pieces: list[str] = []
        done = 0
        for start, end, marker in islice(spans, first, None):
            if start >= offset + len(text):
                break
            pieces += (text[done : max(start - offset, 0)], marker if start >= offset else "")
            done = end - offset
        pieces.append(text[done:] if done < len(text) else "")
        edited = "".join(pieces)
        offset += len(text)
        parts.append(TextPart(edited) if isinstance(part, TextPart) else RefusalPart(edited))
    return parts
