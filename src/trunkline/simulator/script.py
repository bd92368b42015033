"""A script: how a simulated provider behaves in one call, as plain frozen data that JSON can hold."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from trunkline.simulator.faults import Fault


class ToolCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tool call the model makes.

    `arguments` is an object, or a text that goes out as it stands (also one that is no JSON; Anthropic can only stream
    such a text). `id` defaults to a fresh one in the provider's form.
    """

    name: str
    arguments: dict[str, Any] | str = {}
    id: str | None = None


class TokenCount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tokens to report instead of the counted ones.

    `input` includes `cached` and `cache_write`, `output` includes `reasoning`; each provider's own split is made from
    these.
    """

    input: int
    output: int
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0


class RateLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At most `calls` calls in any `window` seconds; the next is answered 429 with a true Retry-After.

    Every answer says in the provider's own headers how many are left, and when all of them will be there again.
    """

    calls: int
    window: float = 60.0


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One call's behaviour. Times are seconds; with no field set the simulated model answers the conversation at once.

    `text`, `tool_calls` and `refusal` say what it answers (none of them: it reads the conversation and decides);
    `alternatives` are the texts of the further choices where the request asks for `n`. `stop_reason` is the provider's
    own word and overrides the natural one. `first_token` is the time until the first token; the response head comes
    with it, or after `head` seconds. `tokens_per_second` paces what follows (unset: all at once), `tokens_per_frame`
    says how many tokens a frame holds. While a stream is silent, a ping goes out every `ping_every` seconds.
    """

    text: str | None = None
    alternatives: tuple[str, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str | None = None
    refusal: str | None = None
    stop_reason: str | None = None
    usage: TokenCount | None = None
    model: str | None = None
    first_token: float = 0.0
    head: float | None = None
    tokens_per_second: float | None = None
    tokens_per_frame: int = 1
    ping_every: float | None = None
    rate_limit: RateLimit | None = None
    fault: Fault | None = None


Chooser = Callable[[Any], Script]
"""Given the call (`trunkline.simulator.Call`), says how to behave."""

Behaviour = Script | Sequence[Script] | Chooser


class ScriptFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of scripts: for each provider one script, or a list consumed call by call whose last one repeats."""

    openai: Script | list[Script] | None = None
    anthropic: Script | list[Script] | None = None


def load_scripts(data: bytes) -> ScriptFile:
    """Read a JSON file of scripts; `msgspec.ValidationError` names the path of what is wrong."""
    return msgspec.json.decode(data, type=ScriptFile)


class Prompter:
    """Hands out the script of each call, in order."""

    def __init__(self, behaviour: Behaviour) -> None:
        if not callable(behaviour) and not isinstance(behaviour, Script) and not behaviour:
            raise ValueError("a sequence of scripts needs at least one script")
        self._behaviour = behaviour
        self._next = 0

    def script_for(self, call: Any) -> Script:
        """Return this call's script; the last one of a sequence repeats."""
        behaviour = self._behaviour
        if isinstance(behaviour, Script):
            return behaviour
        if callable(behaviour):
            return behaviour(call)
        script = behaviour[min(self._next, len(behaviour) - 1)]
        self._next += 1
        return script
