"""Fields of a client's request that our types do not have: found by name, and grafted back for a route that allows it.

Only what no type knows ever travels from the raw body; what a type knows comes from the type, so that a redacted or
replaced message cannot come back through the raw one.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from trunkline.errors import InvalidRequest
from trunkline.model.chat import (
    AudioPart,
    ChatRequest,
    FilePart,
    Function,
    FunctionCall,
    ImagePart,
    ImageUrl,
    Message,
    RefusalPart,
    StreamOptions,
    TextPart,
    Tool,
    ToolCall,
)

MOST_UNKNOWN = 100
LONGEST_NAME = 100  # characters; names go into headers and records

OURS = frozenset({"raw", "unknown"})  # fields of ChatRequest that are not OpenAI's


class Shape(NamedTuple):
    """The fields of an object, and the shapes of those whose value is an object or a list of them.

    `ignored` are fields that no type has and that are no news either; `by_type` has the shapes of objects that differ
    by their `type`.
    """

    keys: frozenset[str]
    inner: Mapping[str, "Shape"] = {}
    ignored: frozenset[str] = frozenset()
    by_type: Mapping[str, "Shape"] = {}

    def of(self, node: dict[str, Any]) -> "Shape":
        """Return the shape that this object should have."""
        if self.by_type and isinstance(kind := node.get("type"), str):
            return self.by_type.get(kind, self)
        return self


def _shape(of: type[msgspec.Struct], inner: Mapping[str, Shape] | None = None, *ignored: str) -> Shape:
    return Shape(frozenset(of.__struct_fields__) - OURS, inner or {}, frozenset(ignored))


def _part(of: type[msgspec.Struct], inner: Mapping[str, Shape] | None = None) -> Shape:
    return Shape(frozenset({"type", *of.__struct_fields__}), inner or {}, _PART_FIELDS)


# What is another part's is not ours to pass on: it says nothing in this one.
_PART_FIELDS = frozenset({"text", "image_url", "input_audio", "file", "refusal"})
_PART = Shape(
    frozenset({"type"}),
    ignored=_PART_FIELDS,
    by_type={
        "text": _part(TextPart),
        "image_url": _part(ImagePart, {"image_url": _shape(ImageUrl)}),
        "input_audio": _part(AudioPart),
        "file": _part(FilePart),
        "refusal": _part(RefusalPart),
    },
)
# Our own answers and the SDK's dumps of them carry `index`, `annotations` and `reasoning_content`; a history may too.
_CALL = _shape(ToolCall, {"function": _shape(FunctionCall)}, "index")
_MESSAGE = _shape(
    Message,
    {"content": _PART, "tool_calls": _CALL, "function_call": _shape(FunctionCall)},
    "annotations",
    "reasoning_content",
)
_FUNCTION = _shape(Function)
_TOOL = _shape(Tool, {"function": _FUNCTION})
REQUEST = _shape(
    ChatRequest,
    {"messages": _MESSAGE, "tools": _TOOL, "functions": _FUNCTION, "stream_options": _shape(StreamOptions)},
)


def split_unknown(raw: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return a body without what no type has, and the paths of that; raises InvalidRequest for too many or too long.

    An unknown field that is null says nothing and is not named.
    """
    found: list[str] = []
    return _split(raw, REQUEST, "", found), tuple(found)


def pass_on_unknown(request: ChatRequest, body: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the body to send with the unknown fields added where they were, and the paths that found no place.

    Places of messages are those of `request.messages`; what was asked within a message that had to be repaired for
    the provider, or that is no longer at its place, is lost, and said.
    """
    sources = request.raw.get("messages", [])
    in_place = len(sources) == len(request.messages)
    source_of = {id(message): place for place, message in enumerate(request.messages)} if in_place else {}
    messages: list[Any] = []
    kept: set[int] = set()
    for message in body["messages"]:
        place = source_of.get(id(message))
        if place is None:
            messages.append(message)
        else:
            kept.add(place)
            messages.append(_graft(sources[place], msgspec.to_builtins(message), _MESSAGE))
    known = {key: value for key, value in body.items() if key != "messages"}
    grafted = _graft({**request.raw, "messages": None}, msgspec.to_builtins(known), REQUEST)
    grafted["messages"] = messages
    lost = tuple(path for path in request.unknown if path.startswith("messages[") and _place(path) not in kept)
    return grafted, lost


def _place(path: str) -> int:
    return int(path[len("messages[") : path.index("]")])


def _graft(raw: Any, known: Any, shape: Shape) -> Any:
    """Return `known` with the unknown fields of `raw` added at the same places."""
    if isinstance(raw, list) and isinstance(known, list):
        grafted_items = [_graft(a, b, shape) for a, b in zip(raw, known, strict=False)]
        return grafted_items + known[len(raw) :]
    if not (isinstance(raw, dict) and isinstance(known, dict)):
        return known
    shape = shape.of(raw)
    grafted = {
        key: _graft(raw.get(key), value, shape.inner[key]) if key in shape.inner else value
        for key, value in known.items()
    }
    grafted.update({key: value for key, value in raw.items() if _is_unknown(key, value, shape)})
    return grafted


def _is_unknown(key: str, value: Any, shape: Shape) -> bool:
    return key not in shape.keys and key not in shape.ignored and value is not None


def _split(node: dict[str, Any], shape: Shape, prefix: str, found: list[str]) -> dict[str, Any]:
    """Return the object without its unknown fields, whose paths are added to `found`."""
    shape = shape.of(node)
    known = {key: value for key, value in node.items() if key in shape.keys}
    if len(known) < len(node):
        for key, value in node.items():
            if _is_unknown(key, value, shape):
                _find(key, prefix, found)
    for key, inner in shape.inner.items():
        if key in known:
            known[key] = _split_inner(known[key], inner, prefix + key, found)
    return known


def _find(key: str, prefix: str, found: list[str]) -> None:
    if len(key) > LONGEST_NAME:
        raise InvalidRequest(f"{prefix}{key[:LONGEST_NAME]}...: unknown field with a very long name")
    if len(found) == MOST_UNKNOWN:
        raise InvalidRequest(f"the request has more than {MOST_UNKNOWN} fields that are not known here")
    found.append(prefix + key)


def _split_inner(value: Any, shape: Shape, path: str, found: list[str]) -> Any:
    if type(value) is dict:
        return _split(value, shape, f"{path}.", found)
    if type(value) is list:
        return [
            _split(item, shape, f"{path}[{place}].", found) if type(item) is dict else item
            for place, item in enumerate(value)
        ]
    return value
