"""A target's `params` applied to a request, in this order: `default` if missing, `set` always, `drop`.

A name that is no field of OpenAI's (`thinking`, `top_k`) is the operator's own for this provider and goes into the
body as it is.
"""

from typing import Any

import msgspec

from trunkline.dialects.provider import CannotTake
from trunkline.model.chat import ChatRequest
from trunkline.model.snapshot import Params

_TYPES = {field.name: field.type for field in msgspec.structs.fields(ChatRequest)}
_LIMITS = ("max_completion_tokens", "max_tokens")
_OURS = frozenset({"model", "messages", "stream", "stream_options", "raw", "unknown"})


def apply_params(request: ChatRequest, params: Params) -> tuple[ChatRequest, dict[str, Any], list[str]]:
    """Return the request as the target wants it, the body's own fields, and what the client had and is taken away.

    The two names of the answer's limit are one parameter. Raises CannotTake for a value that its field cannot have.
    """
    changes: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for name, value in params.default.items():
        if all(_get(request, other) is None for other in (_LIMITS if name in _LIMITS else (name,))):
            _set(name, value, changes, own)
    for name, value in params.set.items():
        if name in _LIMITS:
            changes.update(dict.fromkeys(_LIMITS))
        _set(name, value, changes, own)
    for name in params.drop:
        own.pop(name, None)
    taken = [name for name in params.drop if _get(request, name) is not None]
    changes.update(dict.fromkeys(name for name in params.drop if name in _TYPES and name not in _OURS))
    return (msgspec.structs.replace(request, **changes) if changes else request), own, taken


def _get(request: ChatRequest, name: str) -> Any:
    return getattr(request, name) if name in _TYPES and name not in _OURS else None


def _set(name: str, value: Any, changes: dict[str, Any], own: dict[str, Any]) -> None:
    if name in _OURS:
        raise CannotTake(f"a target's params cannot set `{name}`", param=name)
    if name not in _TYPES:
        own[name] = value
        return
    try:
        changes[name] = msgspec.convert(value, _TYPES[name])
    except msgspec.ValidationError:
        raise CannotTake(f"a target's params give `{name}` a value that it cannot have", param=name) from None
