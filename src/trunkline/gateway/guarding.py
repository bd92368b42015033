"""A call under its policies: what it sends is looked through, and what it is answered held back until it is cleared."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, final

from msgspec.structs import replace

from trunkline.errors import AnswerReplaced, CallError, ContentFilter, ProviderRejected
from trunkline.guardrails.hold_back import HoldBack
from trunkline.guardrails.inspection import Inspection
from trunkline.guardrails.memory import Cleared
from trunkline.guardrails.policies import Policies, Policy
from trunkline.guardrails.released import Released
from trunkline.guardrails.units import UnitCutter
from trunkline.guardrails.watched import Ask, Fired
from trunkline.model.chat import ChatRequest
from trunkline.model.delta import Delta
from trunkline.model.records import Finding

TOO_MANY_CHOICES: Final = "too_many_choices"  # why an attempt failed
MOST_FINDINGS: Final = 200  # of one call, in its record
# Repeat what may be withheld, token by token; a client that gets none is not to wait for them.
_REPEATING: Final = ("logprobs", "top_logprobs")

_FIELD: Final = re.compile("[a-z_]+")
_FIELDS: Final = frozenset(ChatRequest.__struct_fields__)
NANOSECONDS_PER_US: Final = 1000
AskAll = Callable[[ChatRequest, Sequence[Ask]], Awaitable[None]]


@final
class Guard:
    """Keeps the policies of one call, which began at `began_ns`.

    `findings` are for the record, `dropped` names what was left out of the request, `hold_ns` is the longest time that
    text was held back, `asked_ns` how long answers of others were waited for, `released` keeps what has left, where
    policies look at that afterwards. It does not know its call, which knows it: nothing of a call may make a cycle.
    """

    __slots__ = (
        "_ask_all", "_began_ns", "_chat", "_cutter", "_held_since", "_said", "asked_ns", "dropped", "findings",
        "finish_reason", "first_sentence_ns", "held", "hold_ns", "left_out", "policies", "released",
        "stopped_by", "stopped_early",
    )  # fmt: skip

    def __init__(self, policies: Policies, chat: ChatRequest, ask_all: AskAll, began_ns: int) -> None:
        self.policies, self._ask_all, self._began_ns = policies, ask_all, began_ns
        self._chat = chat
        self.dropped: tuple[str, ...] = ()
        self.held: HoldBack | None = None
        self.released = Released(policies.after) if policies.after is not None else None
        self.findings: list[Finding] = []
        self.left_out = 0
        self.stopped_by: Fired | None = None
        self.stopped_early = False  # whether the rest of a stream was not waited for
        self.finish_reason: str | None = None  # as it is released; of the first choice
        self._said = 0  # findings of the answer that have been noted
        self._held_since = 0
        self.hold_ns = self.asked_ns = 0
        self._cutter: UnitCutter | None = None
        self.first_sentence_ns = 0

    def prepare(self) -> ChatRequest:
        """Return the request without what the policies in force do not let pass; `dropped` names it."""
        chat = self._chat
        if self.policies.input and chat.unknown:
            self.dropped = chat.unknown  # no check reads what the gateway does not know
            chat = replace(chat, unknown=())
        if self.policies.output and (chat.logprobs is not None or chat.top_logprobs is not None):
            self.dropped += tuple([name for name in _REPEATING if getattr(chat, name) is not None])
            chat = replace(chat, logprobs=None, top_logprobs=None)
        self._chat = chat
        return chat

    async def inspect(self, cleared: Cleared) -> ChatRequest:
        """Return what may be sent of the request. Raises ContentFilter if it may not be sent at all."""
        if not self.policies.input:
            return self._chat
        inspection = Inspection(self.policies, self._chat, cleared)
        await _by_steps(inspection.take())
        await self._ask(inspection.questions())
        self._chat = chat = inspection.result()
        self._note(inspection.fired)
        if inspection.stop is not None:
            self.stopped_by = inspection.stop
            raise _stopped(inspection.stop)
        return chat

    def left(self, deltas: Sequence[Delta]) -> None:
        """Take note of what leaves."""
        if self.released is not None:
            self.released.take(deltas)

    @property
    def due(self) -> tuple[Policy, ...]:
        """The policies that are to look at what has left."""
        return self.released.due() if self.released is not None else ()

    def error(self, failure: CallError) -> CallError:
        """Return how the client hears of a failure: without the words of a provider, where policies watch the output.

        Some quote in them what the model was about to say. Its code stays, and the field of the request that it names.
        """
        if not self.policies.output or not isinstance(failure, ProviderRejected):
            return failure
        named = _FIELD.match(failure.param or "")
        param = named.group() if named is not None and named.group() in _FIELDS else None
        message = "The provider rejects the call. Its words are in the record: under guardrails they do not leave."
        return ProviderRejected(message, status=failure.status, code=failure.code, param=param)

    def hold(self, choices: int, instead: str) -> None:
        """Begin to hold back an answer of so many choices; `instead` is said where a policy blocks one."""
        if self.policies.output:
            self.held = HoldBack(self.policies, choices, instead)
            self._cutter = UnitCutter(clauses=False)

    async def step(self, deltas: Sequence[Delta], now: int) -> list[Delta]:
        """Take what came and return what may leave. Raises TooManyChoices."""
        held = self.held
        if held is None:
            raise ValueError("an answer is held back before its pieces are taken")
        before = held.released
        await _by_steps(held.take(deltas))
        cleared = await self._cleared(held)
        self._time(held, cleared, released=held.released != before, now=now)
        return cleared

    async def whole(self, deltas: Sequence[Delta]) -> list[Delta]:
        """Return what may leave of an answer that has come as one. Raises TooManyChoices."""
        self._cutter = None  # its first sentence leaves with the rest
        cleared = await self.step(deltas, time.monotonic_ns())
        return cleared + await self.finish()

    async def finish(self) -> list[Delta]:
        """Take note that nothing more comes, and return what may still leave."""
        held = self.held
        if held is None:
            return []
        await _by_steps(held.end())
        cleared = await self._cleared(held)
        now = time.monotonic_ns()
        self._time(held, cleared, released=bool(cleared), now=now)
        if held.released and not self.first_sentence_ns:
            self.first_sentence_ns = now  # an answer of less than a sentence
        return cleared

    async def _cleared(self, held: HoldBack) -> list[Delta]:
        asks, held.asks = held.asks, []
        await self._ask(asks)
        cleared = held.give()
        for delta in cleared:
            if delta.finish is not None and (self.finish_reason is None or delta.choice == 0):
                self.finish_reason = delta.finish
        if len(held.fired) > self._said:
            self._note(held.fired[self._said :])
            self._said = len(held.fired)
            self.stopped_by = held.stop
        return cleared

    async def _ask(self, asks: Sequence[Ask]) -> None:
        if asks:
            began_ns = time.monotonic_ns()
            await self._ask_all(self._chat, asks)
            self.asked_ns += time.monotonic_ns() - began_ns

    def _time(self, held: HoldBack, cleared: Sequence[Delta], *, released: bool, now: int) -> None:
        """Measure how long text was held. What a piece brings either leaves at once or waits for a later one."""
        if released and self._held_since:
            self.hold_ns = max(self.hold_ns, time.monotonic_ns() - self._held_since)
            self._held_since = 0
        if self._held_since == 0 and held.holding:
            self._held_since = now
        cutter = self._cutter
        if cutter is not None and released:
            for delta in cleared:
                if delta.text and delta.choice == 0 and cutter.feed(delta.text, last=False):
                    self.first_sentence_ns, self._cutter = time.monotonic_ns(), None
                    return

    def _note(self, fired: Sequence[Fired]) -> None:
        room = max(MOST_FINDINGS - len(self.findings), 0)
        ms = (time.monotonic_ns() - self._began_ns) // NANOSECONDS_PER_US / 1000
        self.findings += [finding_of(one, ms) for one in fired[:room]]
        self.left_out += max(len(fired) - room, 0)


async def _by_steps(steps: Iterator[None]) -> None:
    """Go through what takes long, and let others go first between its steps."""
    for _ in steps:
        await asyncio.sleep(0)


def finding_of(fired: Fired, ms: float) -> Finding:
    """Return what the record keeps of a finding; none of the text."""
    found, policy = fired.found, fired.policy
    return Finding(
        policy=policy.name,
        policy_version=policy.version,
        rule=found.rule,
        stage=fired.stage,
        action=fired.action,
        where=fired.where,
        start=found.start,
        end=found.end,
        ms=ms,
        score=found.score,
        why=found.why,
    )


def _stopped(fired: Fired) -> CallError:
    policy = fired.policy
    message = f"The guardrail `{policy.name}` does not let this through: {fired.found.rule} in `{fired.where}`."
    if fired.action == "replace":
        return AnswerReplaced(message, rule=policy.name, sentence=policy.sentence, param=fired.where)
    return ContentFilter(message, rule=policy.name, param=fired.where)
