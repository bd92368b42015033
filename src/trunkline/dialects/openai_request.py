"""A client's body to a `ChatRequest`: decoded once, checked as OpenAI checks it, safe for hostile input."""

import re
from typing import Any, Final

import msgspec

from trunkline.dialects.openai_checks import check_request
from trunkline.dialects.openai_unknown import OURS, split_unknown
from trunkline.errors import InvalidRequest
from trunkline.model.chat import AudioPart, ChatRequest, FilePart

DEEPEST: Final = 100  # levels of nesting; real JSON schemas stay below 30, and encoders recurse
LONGEST_PROBLEM: Final = 300  # characters of what is said about a bad value, which may quote it

_LONG: Final = 1 << 20  # bytes; to count the brackets of more takes longer than to look at the few values concerned
_LEVELS_TYPED: Final = 4  # that a value of any shape can lie deeper in its body than in the list that is checked

_TOOL_PATH: Final = re.compile(r"(tools\[\d+\]|messages\[\d+\]\.tool_calls\[\d+\])(\.type)?")
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`")
_decode: Final = msgspec.json.Decoder().decode
_decode_known: Final = msgspec.json.Decoder(ChatRequest).decode
_decode_outline: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_WHOLE: Final = frozenset({"messages", "tools"})  # large, and whole in the types
_CONTAINERS: Final = frozenset({dict, list})


def decode_request(body: bytes) -> ChatRequest:
    """Return the request in this body; raises InvalidRequest with the path of the field at fault in `param`.

    Of a repeated key the last one counts, as at OpenAI; what is sent on is encoded anew, so that nobody behind us can
    read it otherwise.
    """
    # Nearly every body is one that the types take as it is, which one decoding shows. What they do not take may still
    # be a good request, with fields that no type has: that, and what is wrong with it, is found in the decoded body.
    try:
        request = _decode_known(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _decode_any(body)
    outline = _decode_outline(body)
    if not OURS.isdisjoint(outline) or _may_be_deep(body, request):
        return _decode_any(body)
    check_request(request, outline)
    raw = {name: _decode(value) for name, value in outline.items() if name not in _WHOLE}
    msgspec.structs.force_setattr(request, "raw", raw)  # nobody else has it yet, and a copy of all fields costs more
    return request


def _decode_any(body: bytes) -> ChatRequest:
    """Do the same step by step, for a body with unknown fields or with a mistake to be named."""
    raw = _parse(body)
    known, unknown = split_unknown(raw)
    if known.get("stream", False) is None:
        del known["stream"]
    try:
        request = msgspec.convert(known, ChatRequest)
    except msgspec.ValidationError as error:
        raise _explain(str(error), raw) from None
    check_request(request, known)
    rest = raw if unknown else {name: value for name, value in raw.items() if name not in _WHOLE}
    return msgspec.structs.replace(request, unknown=unknown, raw=rest)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        raw = _decode(body)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.MsgspecError, ValueError) as error:
        problem = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise InvalidRequest(f"The body is not valid JSON: {problem[:LONGEST_PROBLEM]}") from None
    if type(raw) is not dict:
        raise InvalidRequest("The body must be a JSON object")
    if _has_many_brackets(body) and _depth_exceeds(raw, DEEPEST):
        raise _too_deep()
    return raw


def _too_deep() -> InvalidRequest:
    return InvalidRequest(f"The body is nested deeper than {DEEPEST} levels")


def _has_many_brackets(body: bytes) -> bool:
    """Whether there are enough to nest too deep: most bodies need no further look."""
    return body.count(b"{") + body.count(b"[") > DEEPEST


def _may_be_deep(body: bytes, request: ChatRequest) -> bool:
    """Whether a body that the types have taken may nest too deep: where they take any shape."""
    values = _shapeless(request)
    if not values or (len(body) <= _LONG and not _has_many_brackets(body)):
        return False
    return _depth_exceeds(values, DEEPEST - _LEVELS_TYPED)


def _shapeless(request: ChatRequest) -> list[Any]:
    """Return all values whose shape no type bounds; the deprecated forms are refused whatever is in them."""
    values: list[Any] = [
        value
        for value in (
            request.audio, request.prediction, request.response_format, request.tool_choice, request.web_search_options
        )
        if value is not None
    ]  # fmt: skip
    if request.tools:
        values += [tool.function.parameters for tool in request.tools]
    for message in request.messages:
        if message.audio is not None:
            values.append(message.audio)
        if type(message.content) is list:
            values += [part.input_audio for part in message.content if type(part) is AudioPart]
            values += [part.file for part in message.content if type(part) is FilePart]
    return values


def _depth_exceeds(root: dict[str, Any] | list[Any], limit: int) -> bool:
    """Whether containers nest deeper than this; level by level, so that it cannot recurse itself."""
    level: list[Any] = [root]
    for _ in range(limit):
        level = [
            value
            for node in level
            for value in (node.values() if type(node) is dict else node)
            if type(value) in _CONTAINERS
        ]
        if not level:
            return False
    return True


def _explain(problem: str, raw: dict[str, Any]) -> InvalidRequest:
    """Say what msgspec says (``Expected `str`, got `int` - at `$.model` ``) in the way that OpenAI names fields."""
    what, _, where = problem.rpartition(" - at `")
    path = where.rstrip("`").removeprefix("$").removeprefix(".") or None
    if not what:
        what, path = problem, None
    missing = _MISSING.fullmatch(what)
    if missing is not None:
        path = f"{path}.{missing[1]}" if path else missing[1]
        what = "this field is missing"
    if path is not None and _is_custom(path, raw):
        what = "custom tools are not supported; offer a function with one string parameter"
    what = what[:LONGEST_PROBLEM]
    return InvalidRequest(what if path is None else f"{path}: {what}", param=path)


def _is_custom(path: str, raw: dict[str, Any]) -> bool:
    """Whether what failed at this path is a custom tool, or a call of one."""
    match = _TOOL_PATH.fullmatch(path)
    if match is None:
        return False
    node: Any = raw
    for step in match[1].replace("[", ".").replace("]", "").split("."):
        node = node[int(step)] if type(node) is list else node[step]
    return type(node) is dict and node.get("type") == "custom"
