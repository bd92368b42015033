"""Fields of a client's request that our types do not have: found by name, and grafted back for a route that allows it.

Only what no type knows ever travels from the raw body; what a type knows comes from the type, so that a redacted or
replaced message cannot come back through the raw one.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from trunkline.errors import InvalidRequest
from trunkline.model.chat import ChatRequest

MOST_UNKNOWN = 100
LONGEST_NAME = 100  # characters; names go into headers and records

_OURS = {"raw", "unknown"}  # fields of ChatRequest that are not OpenAI's


class Shape(msgspec.Struct, frozen=True):
    """The fields of an object, and the shapes of those whose value is an object or a list of them."""

    keys: frozenset[str]
    inner: Mapping[str, "Shape"] = {}


_IMAGE = Shape(frozenset({"url", "detail"}))
_PART = Shape(frozenset({"type", "text", "image_url", "input_audio", "file", "refusal"}), {"image_url": _IMAGE})
# Our own answers and the SDK's dumps of them carry `index`, `annotations` and `reasoning_content`; a history may too.
_CALLED = Shape(frozenset({"name", "arguments"}))
_CALL = Shape(frozenset({"id", "type", "function", "index"}), {"function": _CALLED})
_MESSAGE = Shape(
    frozenset(
        {"role", "content", "name", "refusal", "tool_calls", "tool_call_id", "audio", "function_call"}
        | {"annotations", "reasoning_content"}
    ),
    {"content": _PART, "tool_calls": _CALL},
)
_FUNCTION = Shape(frozenset({"name", "description", "parameters", "strict"}))
_TOOL = Shape(frozenset({"type", "function"}), {"function": _FUNCTION})
_STREAM_OPTIONS = Shape(frozenset({"include_usage", "include_obfuscation"}))
REQUEST = Shape(
    frozenset(ChatRequest.__struct_fields__) - _OURS,
    {"messages": _MESSAGE, "tools": _TOOL, "stream_options": _STREAM_OPTIONS},
)


def find_unknown(raw: dict[str, Any]) -> tuple[str, ...]:
    """Return the paths in a well-formed body that no type has; raises InvalidRequest for too many or too long ones.

    An unknown field that is null says nothing and is not named.
    """
    found: list[str] = []
    for path in _walk(raw, REQUEST, ""):
        if len(found) == MOST_UNKNOWN:
            raise InvalidRequest(f"the request has more than {MOST_UNKNOWN} fields that are not known here")
        found.append(path)
    return tuple(found)


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
    grafted = {
        key: _graft(raw.get(key), value, shape.inner[key]) if key in shape.inner else value
        for key, value in known.items()
    }
    grafted.update({key: value for key, value in raw.items() if key not in shape.keys and value is not None})
    return grafted


def _walk(node: dict[str, Any], shape: Shape, prefix: str) -> Iterator[str]:
    if not shape.keys.issuperset(node):
        for key, value in node.items():
            if key not in shape.keys and value is not None:
                if len(key) > LONGEST_NAME:
                    raise InvalidRequest(f"{prefix}{key[:LONGEST_NAME]}...: unknown field with a very long name")
                yield prefix + key
    for key, inner in shape.inner.items():
        value = node.get(key)
        if type(value) is list:
            for place, item in enumerate(value):
                if type(item) is dict and not (inner.keys.issuperset(item) and _flat(item, inner)):
                    yield from _walk(item, inner, f"{prefix}{key}[{place}].")
        elif type(value) is dict:
            yield from _walk(value, inner, f"{prefix}{key}.")


def _flat(node: dict[str, Any], shape: Shape) -> bool:
    """Whether nothing below has a shape of its own: the usual message, for which no path need be built."""
    for key in shape.inner:
        value = node.get(key)
        if type(value) is dict or type(value) is list:
            return False
    return True
