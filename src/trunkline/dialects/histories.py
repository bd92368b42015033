"""Repairs of a conversation that a provider would refuse, shared by the dialects; each is named for the record.

A voice conversation is cut short all the time: the caller talks over a tool call, so that it is never answered or
answered too late; a window is trimmed between a call and its result; a turn ends before a word was said. Providers
answer 400 to such histories. A repair keeps all that was said and adds only what says that something is missing.
"""

import re
from collections import deque
from typing import Final, NamedTuple

import msgspec

from trunkline.model.chat import Message, Part, TextPart, ToolCall

INTERRUPTED: Final = "This call was interrupted before it returned a result."
MOST_NAMED: Final = 50  # repairs of one request; a record must not grow with a hostile history
LONGEST_ID_NAMED: Final = 64  # characters of a client's id within a repair's name

_NOT_IN_ID: Final = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_RENAMED: Final = 32  # leaves room for a number below every provider's limit


class Rules(NamedTuple):
    """What a provider wants of a history.

    `call_id` must match each tool call's id whole, None allows any; `unique_ids` whether an id may occur only once in
    the whole conversation, rather than in one message; `keeps_empty` whether an assistant may have said nothing.
    """

    call_id: re.Pattern[str] | None = None
    unique_ids: bool = False
    keeps_empty: bool = False


def repair(messages: list[Message], rules: Rules) -> tuple[list[Message], tuple[str, ...]]:
    """Return the messages as the rules want them, and the names of what was changed; the same list if nothing was.

    Afterwards each tool call is followed at once by exactly one result, each result follows its call, ids are as the
    rules say and no assistant message is without content.
    """
    if _is_sound(messages, rules):
        return messages, ()
    mending = _Mending(messages, rules)
    mended = mending.result()
    return mended, shorten(mending.repairs)


def shorten(repairs: list[str]) -> tuple[str, ...]:
    """Return the names for the record: the first `MOST_NAMED`, and how many more there were."""
    if len(repairs) <= MOST_NAMED:
        return tuple(repairs)
    return (*repairs[:MOST_NAMED], f"more_repairs:{len(repairs) - MOST_NAMED}")


def text_of(content: str | list[Part] | None) -> str:
    """Return the text of a message's content, its parts joined by line feeds."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part.text for part in content if type(part) is TextPart)


def is_silent(message: Message, rules: Rules) -> bool:
    """Whether an assistant message without tool calls says nothing that this provider could read."""
    content = message.content
    if message.refusal or message.audio is not None:
        return False
    if isinstance(content, list):
        return not any(type(part) is not TextPart or rules.keeps_empty or part.text.strip() for part in content)
    return content is None or not (rules.keeps_empty or content.strip())


def _is_sound(messages: list[Message], rules: Rules) -> bool:
    """Whether nothing needs repair: one pass, nothing copied."""
    waiting: set[str] = set()
    seen: set[str] = set()
    for message in messages:
        if message.role == "tool":
            if message.tool_call_id not in waiting:
                return False
            waiting.discard(message.tool_call_id)
            continue
        if waiting:
            return False
        if message.role == "assistant":
            if message.tool_calls:
                waiting = {call.id for call in message.tool_calls}
                if len(waiting) != len(message.tool_calls) or not _good_ids(waiting, seen, rules):
                    return False
            elif message.tool_calls is not None or is_silent(message, rules):
                return False
    return not waiting


def _good_ids(ids: set[str], seen: set[str], rules: Rules) -> bool:
    if rules.unique_ids:
        if not seen.isdisjoint(ids):
            return False
        seen |= ids
    return rules.call_id is None or all(map(rules.call_id.fullmatch, ids))


class _Called:
    """One tool call, the message it stands in, and the results that came for it."""

    __slots__ = ("call", "results", "round")

    def __init__(self, call: ToolCall, within: "_Round") -> None:
        self.call = call
        self.round = within
        self.results: list[Message] = []


class _Round:
    """An assistant's message with tool calls; `answered` has them in the order of their results."""

    __slots__ = ("answered", "called", "message")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.called = [_Called(call, self) for call in message.tool_calls or ()]
        self.answered: list[_Called] = []


class _Mending:
    """One history under repair."""

    def __init__(self, messages: list[Message], rules: Rules) -> None:
        self._messages, self._rules = messages, rules
        self.repairs: list[str] = []
        self._items: list[Message | _Round] = []
        self._latest: dict[str, deque[_Called]] = {}  # by id, those that wait first; at least one remains
        self._taken = {call.id for message in messages for call in message.tool_calls or () if self._fits(call.id)}
        self._used: set[str] = set()
        self._numbers: dict[str, int] = {}  # the last one given to each stem of a new id

    def result(self) -> list[Message]:
        """Return the repaired messages."""
        for message in self._messages:
            if message.role == "tool":
                self._take_result(message)
            elif message.role == "assistant":
                self._take_assistant(message)
            else:
                self._items.append(message)
        mended: list[Message] = []
        for item in self._items:
            if isinstance(item, _Round):
                self._write_round(item, mended)
            else:
                mended.append(item)
        return mended

    def _take_assistant(self, message: Message) -> None:
        if message.tool_calls:
            place = _Round(message)
            self._items.append(place)
            here: dict[str, deque[_Called]] = {}
            for called in place.called:
                here.setdefault(called.call.id, deque()).append(called)
            self._latest.update(here)
            return
        if message.tool_calls is not None:
            self.repairs.append("empty_tool_calls_removed")
            message = msgspec.structs.replace(message, tool_calls=None)
        if is_silent(message, self._rules):
            self.repairs.append("empty_message_removed")
        else:
            self._items.append(message)

    def _take_result(self, message: Message) -> None:
        """Put a result to the latest call of its id, or keep what an orphan says as text."""
        waiting = self._latest.get(message.tool_call_id or "")
        if waiting is None:
            self._note("orphan_tool_result_as_text", message.tool_call_id)
            self._items.append(Message(role="user", content=_as_told(message)))
            return
        called = waiting[0]
        if len(waiting) > 1:
            waiting.popleft()
        if self._items[-1] is not called.round:
            self._note("tool_result_moved", message.tool_call_id)
        if called.results:
            self._note("tool_results_joined", message.tool_call_id)
        else:
            called.round.answered.append(called)
        called.results.append(message)

    def _write_round(self, place: _Round, mended: list[Message]) -> None:
        ids = [self._id_for(called.call.id) for called in place.called]
        id_of = dict(zip(map(id, place.called), ids, strict=True))
        if ids == [called.call.id for called in place.called]:
            mended.append(place.message)
        else:
            calls = [msgspec.structs.replace(called.call, id=id_of[id(called)]) for called in place.called]
            mended.append(msgspec.structs.replace(place.message, tool_calls=calls))
        mended.extend(_joined(called.results, id_of[id(called)]) for called in place.answered)
        for called in place.called:
            if not called.results:
                self._note("orphan_tool_call_answered", called.call.id)
                mended.append(Message(role="tool", content=INTERRUPTED, tool_call_id=id_of[id(called)]))
        if not self._rules.unique_ids:
            self._used.clear()

    def _id_for(self, wanted: str) -> str:
        """Return this id if the rules allow it here, else a new one like it."""
        if self._fits(wanted) and wanted not in self._used:
            self._used.add(wanted)
            return wanted
        self._note("tool_call_id_renamed", wanted)
        stem = _NOT_IN_ID.sub("_", wanted)[:_LONGEST_RENAMED] or "call"
        found = stem
        while found in self._taken:
            number = self._numbers[stem] = self._numbers.get(stem, 1) + 1
            found = f"{stem}_{number}"
        self._used.add(found)
        self._taken.add(found)
        return found

    def _fits(self, call_id: str) -> bool:
        return self._rules.call_id is None or self._rules.call_id.fullmatch(call_id) is not None

    def _note(self, what: str, call_id: str | None) -> None:
        self.repairs.append(f"{what}:{(call_id or '')[:LONGEST_ID_NAMED]}")


def _as_told(message: Message) -> str | list[Part]:
    """Return an orphan result as words in the user's turn: the model knows then what is known."""
    told = f"[Result of an earlier tool call: {text_of(message.content)}]"
    if not isinstance(message.content, list):
        return told
    return [TextPart(told), *(part for part in message.content if type(part) is not TextPart)]


def _joined(results: list[Message], call_id: str) -> Message:
    """Return the results of one call as one message."""
    first = results[0]
    if len(results) == 1:
        return first if first.tool_call_id == call_id else msgspec.structs.replace(first, tool_call_id=call_id)
    content: str | list[Part]
    if any(isinstance(result.content, list) for result in results):
        content = [part for result in results for part in _parts(result.content)]
    else:
        content = "\n".join(text_of(result.content) for result in results)
    return msgspec.structs.replace(first, content=content, tool_call_id=call_id)


def _parts(content: str | list[Part] | None) -> list[Part]:
    return content if isinstance(content, list) else [TextPart(content or "")]
