"""A recorded call through guardrails again: the same bytes, other policies, and nobody is asked anything.

Decides as the path of a call does (`guarding`); what others had answered then is handed in by whoever has the record.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import final

from trunkline.dialects.openai_request import decode_request
from trunkline.dialects.provider import ProviderDialect
from trunkline.guardrails.check import NOTHING, Found
from trunkline.guardrails.hold_back import HoldBack
from trunkline.guardrails.inspection import Inspection
from trunkline.guardrails.memory import Cleared
from trunkline.guardrails.policies import STRICTNESS, Policies
from trunkline.guardrails.watched import Ask, Fired
from trunkline.model.chat import ChatRequest
from trunkline.model.delta import Delta

# What was answered then: what was found, or why there was no answer; None where that is not known.
Answered = Callable[[Ask], Sequence[Found] | str | None]


@final
class Rerun:
    """One call under the policies that are to be tried. `unasked` are those whose question has no recorded answer."""

    __slots__ = ("_answered", "_policies", "fired", "stop", "unasked")

    def __init__(self, policies: Policies, answered: Answered) -> None:
        self._policies, self._answered = policies, answered
        self.fired: list[Fired] = []
        self.stop: Fired | None = None
        self.unasked: dict[str, None] = {}

    def take_request(self, body: bytes) -> ChatRequest:
        """Look through what the client had sent, and return it. Raises InvalidRequest."""
        chat = decode_request(body)
        if self._policies.input:
            inspection = Inspection(self._policies, chat, Cleared())
            _finish(inspection.take())
            self._answer(inspection.questions())
            inspection.result()
            self._note(inspection.fired, inspection.stop)
        return chat

    def take_answer(self, deltas: Sequence[Delta], choices: int) -> None:
        """Hold back what the provider had answered; nothing leaves. Raises TooManyChoices."""
        if not self._policies.output:
            return
        held = HoldBack(self._policies, choices)
        for steps in (held.take(deltas), held.end()):
            _finish(steps)
            asks, held.asks = held.asks, []
            self._answer(asks)
            held.give()
        self._note(held.fired, held.stop)

    def _answer(self, asks: Sequence[Ask]) -> None:
        for ask in asks:
            said = self._answered(ask)
            if isinstance(said, str):
                ask.failed(said)
                continue
            if said is None:
                self.unasked[ask.policy.name] = None
            ask.answered(NOTHING if said is None else said)

    def _note(self, fired: Sequence[Fired], stop: Fired | None) -> None:
        self.fired += fired
        if stop is not None and (self.stop is None or STRICTNESS[stop.action] > STRICTNESS[self.stop.action]):
            self.stop = stop


def _finish(steps: Iterable[None]) -> None:
    for _ in steps:
        pass


def answer_deltas(dialect: ProviderDialect, body: bytes, *, stream: bool) -> list[Delta]:
    """Return what a provider's body says, as far as it says something. Raises BrokenAnswer."""
    return dialect.stream_decoder().feed(body) if stream else dialect.decode_answer(body)
