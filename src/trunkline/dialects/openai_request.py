"""A client's body to a `ChatRequest`: decoded once, checked as OpenAI checks it, safe for hostile input."""

import re
from typing import Any

import msgspec

from trunkline.dialects.openai_checks import check_request
from trunkline.dialects.openai_unknown import REQUEST, find_unknown
from trunkline.errors import InvalidRequest
from trunkline.model.chat import ChatRequest

DEEPEST = 100  # levels of nesting; real JSON schemas stay below 30, and encoders recurse
LONGEST_PROBLEM = 300  # characters of what is said about a bad value, which may quote it

_TOOL_PATH = re.compile(r"(tools\[\d+\]|messages\[\d+\]\.tool_calls\[\d+\])(\.type)?")
_decode = msgspec.json.Decoder().decode
_CONTAINERS = frozenset({dict, list})


def decode_request(body: bytes) -> ChatRequest:
    """Return the request in this body; raises InvalidRequest with the path of the field at fault in `param`.

    Of a repeated key the last one counts, as at OpenAI; what is sent on is encoded anew, so that nobody behind us can
    read it otherwise.
    """
    raw = _parse(body)
    known = {key: value for key, value in raw.items() if key in REQUEST.keys}
    if known.get("stream", False) is None:
        del known["stream"]
    try:
        known["unknown"] = ()
        known["raw"] = raw
        request = msgspec.convert(known, ChatRequest)
    except msgspec.ValidationError as error:
        raise _explain(str(error), raw) from None
    unknown = find_unknown(raw)
    if unknown:
        request = msgspec.structs.replace(request, unknown=unknown)
    check_request(request)
    return request


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
    # So few brackets cannot nest too deep: most bodies need no look.
    if body.count(b"{") + body.count(b"[") > DEEPEST and _depth_exceeds(raw, DEEPEST):
        raise _too_deep()
    return raw


def _too_deep() -> InvalidRequest:
    return InvalidRequest(f"The body is nested deeper than {DEEPEST} levels")


def _depth_exceeds(root: dict[str, Any], limit: int) -> bool:
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
