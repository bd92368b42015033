"""What policies would have done to a call of the past, from its request and what its provider answered.

It goes the same way as a call that is carried: the request through `Inspection`, the answer through `HoldBack`. An
answer to a request that would have been stopped is not looked at, for there would have been none.
"""

from collections.abc import Sequence
from typing import Final, final

from trunkline.guardrails.arguments import ArgumentsText
from trunkline.guardrails.check import NOTHING, Found, Hold
from trunkline.guardrails.hold_back import HoldBack, TooManyChoices
from trunkline.guardrails.inspection import Inspection
from trunkline.guardrails.memory import Cleared
from trunkline.guardrails.policies import Policies, Policy
from trunkline.guardrails.watched import Fired
from trunkline.model.chat import ChatRequest
from trunkline.model.delta import Delta

# From the mildest to the strictest, of what a finding may come to.
_EFFECTS: Final = ("bypass", "flag", "redact", "replace", "block")


@final
class _Looks:
    """A check, and a scanner, that looks at all there is and finds nothing in it."""

    __slots__ = ("open_at", "version")

    def __init__(self) -> None:
        self.version = "1"
        self.open_at = 0

    def scanner(self, hold: Hold) -> "_Looks":  # noqa: ARG002 - as every check has it
        return self

    def feed(self, text: str, last: bool) -> Sequence[Found]:  # noqa: ARG002 - as every scanner has it
        return NOTHING


_ALL: Final = Policies([Policy("all", "1", _Looks(), stages=("input",), on_unscannable="allow")])


@final
class Hindsight:
    """One call looked at again: `request`, then `answer`; each may be left out. For policies that ask nobody.

    `fired` are the findings that would have taken effect, those of the request first. `effect` is the strictest action
    that would have come of them, empty where there is none.
    """

    __slots__ = ("_answer", "_chat", "_policies", "_texts", "fired", "stopped")

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        self._chat: ChatRequest | None = None
        self._texts: Inspection | None = None  # made when it is asked for
        self._answer: Sequence[Delta] = ()
        self.fired: list[Fired] = []
        self.stopped: Fired | None = None

    def request(self, chat: ChatRequest, cleared: Cleared) -> None:
        """Look through what the client sent; `cleared` remembers messages for the next call."""
        self._chat = chat
        if not self._policies.input:
            return
        inspection = Inspection(self._policies, chat, cleared)
        for _ in inspection.take():
            pass
        inspection.result()
        self.fired += inspection.fired
        self.stopped = inspection.stop

    def answer(self, deltas: Sequence[Delta], choices: int) -> None:
        """Look at what a provider answered to a request for so many choices, unless the request was stopped.

        Raises TooManyChoices.
        """
        self._answer = deltas
        if self.stopped is not None or not self._policies.output:
            return
        held = HoldBack(self._policies, choices)
        for _ in held.take(deltas):
            pass
        held.give()
        for _ in held.end():
            pass
        held.give()
        self.fired += held.fired
        self.stopped = held.stop

    @property
    def effect(self) -> str:
        """The strictest action of all that was found."""
        found = [_EFFECTS.index(fired.action) for fired in self.fired]
        return _EFFECTS[max(found)] if found else ""

    def text_at(self, where: str) -> str:
        """Return the text that stands there, empty where none does; offsets of findings are of it."""
        if where.startswith("choices["):
            return _text_of(self._answer, where)
        if self._chat is None:
            return ""
        if self._texts is None:
            # Some texts may not have been looked at: they were cleared before, or no policy is for them.
            self._texts = Inspection(_ALL, self._chat, Cleared())
            for _ in self._texts.take():
                pass
        return self._texts.text_at(where)


def _text_of(deltas: Sequence[Delta], where: str) -> str:
    """Return a text of an answer by its path, put together from all of its pieces."""
    index, _, field = where.removeprefix("choices[").partition("].message.")
    parts: list[str] = []
    if field.startswith("tool_calls["):
        tool = field[len("tool_calls[") : -1]
        parts += [
            delta.tool.arguments
            for delta in deltas
            if delta.tool is not None and str(delta.choice) == index and str(delta.tool.index) == tool
        ]
        return ArgumentsText("".join(parts)).text
    for delta in deltas:
        if str(delta.choice) != index:
            continue
        if field == "content":
            parts.append(delta.text)
        elif field == "refusal":
            parts.append(delta.refusal)
        elif field == "reasoning_content":
            parts.append(delta.reasoning)
    return "".join(parts)


__all__ = ["Hindsight", "TooManyChoices"]
