"""The release: an answer's deltas go in as they come, those that are cleared come out, edited; the rest is held back.

Each text of each choice (content, refusal, reasoning) is watched by itself. Tool calls come out whole, once all before
them in their choice has, or not at all. Where output policies are in force, only what the engine knows comes out: log
probabilities, annotations and audio do not. A choice that is stopped says its policy's sentence, if it has one, and
ends; the others go on.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Final, final

import msgspec

from trunkline.guardrails.arguments import ArgumentsText
from trunkline.guardrails.check import Found
from trunkline.guardrails.policies import ANSWER, ARGUMENTS, REASONING, REFUSAL, STRICTNESS, Policies, Policy
from trunkline.guardrails.scanners import LONGEST_WHOLE
from trunkline.guardrails.watched import FAILED, UNSCANNABLE, Ask, Fired, Watched
from trunkline.model.delta import Delta, FinishReason, ToolDelta

SLICE: Final = 1024  # characters that are scanned in one go: a few milliseconds at the very worst
PIECE_SIZE: Final = 64  # what a piece of a call counts for beside its arguments
MOST_CHOICES: Final = 128  # OpenAI's limit for `n`

_decode: Final = msgspec.json.Decoder().decode


class TooManyChoices(Exception):
    """An answer with more choices than any client can ask for."""


@final
class _Tool:
    """A tool call that is being put together."""

    __slots__ = ("arguments", "delta")

    def __init__(self, delta: ToolDelta) -> None:
        self.delta = delta
        self.arguments: list[str] = []


@final
class _Judged:
    """A whole tool call under its policies."""

    __slots__ = ("delta", "text", "watched")

    def __init__(self, delta: ToolDelta, text: ArgumentsText, watched: Watched) -> None:
        self.delta, self.text, self.watched = delta, text, watched


@final
class _Choice:
    """One choice of an answer."""

    __slots__ = ("answer", "finish", "index", "judged", "over", "reasoning", "refusal", "said", "stop",
                 "tools", "tools_size")  # fmt: skip

    def __init__(self, index: int) -> None:
        self.index = index
        self.answer: Watched | None = None
        self.refusal: Watched | None = None
        self.reasoning: Watched | None = None
        self.tools: dict[int, _Tool] = {}  # by index, until the choice has ended
        self.tools_size = 0
        self.judged: list[_Judged] = []
        self.finish: Delta | None = None
        self.said = False  # whether any of its text has come out
        self.over = False
        self.stop: Fired | None = None

    def texts(self) -> list[Watched]:
        """Return its texts in the order in which they come out."""
        return [text for text in (self.reasoning, self.answer, self.refusal) if text is not None]


@final
class HoldBack:
    """Holds back one answer until it is cleared.

    `take` deltas, have what is in `asks` answered, then `give` what may leave. `fired` are the findings that took
    effect, `dropped` names what was left out. `instead` is said where a policy blocks a choice, if there is anything to
    say.
    """

    __slots__ = ("_choices", "_expected", "_instead", "_policies", "_ready", "asks", "dropped", "fired", "released")

    def __init__(self, policies: Policies, choices: int, instead: str = "") -> None:
        self._policies, self._expected, self._instead = policies, choices, instead
        self._choices: dict[int, _Choice] = {}
        self._ready: list[Delta] = []
        self.asks: list[Ask] = []
        self.fired: list[Fired] = []
        self.dropped: set[str] = set()
        self.released = 0  # characters that came out, of all choices

    @property
    def holding(self) -> bool:
        """Whether anything is held back."""
        return any(
            not choice.over and (choice.tools or choice.judged or any(text.holding for text in choice.texts()))
            for choice in self._choices.values()
        )

    @property
    def stopped(self) -> bool:
        """Whether no more can come out, because all choices that were asked for were stopped."""
        stopped = sum(choice.stop is not None for choice in self._choices.values())
        return stopped > 0 and stopped >= max(self._expected, len(self._choices))

    @property
    def stop(self) -> Fired | None:
        """The strictest finding that has stopped a choice, of the first choice that has one."""
        stops = [choice.stop for choice in self._choices.values() if choice.stop is not None]
        return max(stops, key=lambda fired: STRICTNESS[fired.action], default=None)

    def take(self, deltas: Sequence[Delta]) -> Iterator[None]:
        """Take deltas; a long text takes several steps, between which others may go first. Raises TooManyChoices."""
        for place, delta in enumerate(deltas):
            self._pass(delta)
            choice = self._choices.get(delta.choice)
            if choice is None:
                if not delta.good:
                    continue
                if len(self._choices) >= MOST_CHOICES:
                    raise TooManyChoices
                choice = self._choices[delta.choice] = _Choice(delta.choice)
            if choice.over or choice.finish is not None:
                continue  # stopped, or something after its end
            if delta.audio is not None:
                self._take_audio(choice)
            if delta.reasoning:
                choice.reasoning = choice.reasoning or self._watched(choice, "reasoning_content")
                yield from self._feed(choice.reasoning, delta.reasoning)
            if delta.text:
                choice.answer = choice.answer or self._watched(choice, "content")
                last = delta.finish is not None or (
                    place + 1 < len(deltas) and _only_ends(deltas[place + 1], delta.choice)
                )
                yield from self._feed(choice.answer, delta.text, last)
            if delta.refusal:
                choice.refusal = choice.refusal or self._watched(choice, "refusal")
                yield from self._feed(choice.refusal, delta.refusal)
            if delta.tool is not None:
                self._take_tool(choice, delta.tool)
            if delta.finish is not None:
                choice.finish = delta
                yield from self._finish(choice)

    def end(self) -> Iterator[None]:
        """Take note that no more comes, also for choices that never said that they had finished."""
        for choice in self._choices.values():
            if not choice.over and choice.finish is None:
                yield from self._finish(choice)

    def give(self) -> list[Delta]:
        """Return what is cleared by now."""
        ready, self._ready = self._ready, []
        for choice in self._choices.values():
            if not choice.over:
                self._give(choice, ready)
        return ready

    def _pass(self, delta: Delta) -> None:
        """Let out what a delta says of the answer as a whole."""
        for name, value in (("logprobs", delta.logprobs), ("annotations", delta.annotations)):
            if value is not None:
                self.dropped.add(name)
        if (
            delta.usage is not None
            or delta.uncounted
            or delta.model is not None
            or delta.provider_id is not None
            or delta.service_tier is not None
            or delta.system_fingerprint is not None
        ):
            self._ready.append(
                Delta(
                    usage=delta.usage,
                    uncounted=delta.uncounted,
                    model=delta.model,
                    provider_id=delta.provider_id,
                    service_tier=delta.service_tier,
                    system_fingerprint=delta.system_fingerprint,
                )
            )

    def _watched(self, choice: _Choice, name: str) -> Watched:
        policies = self._policies
        where = f"choices[{choice.index}].message.{name}"
        if name == "reasoning_content":
            return Watched(policies.reasoning, policies.hold, REASONING, where)
        if name == "refusal":
            return Watched(policies.refusal, policies.hold, REFUSAL, where)
        return Watched(policies.answer, policies.hold, ANSWER, where)

    def _feed(self, watched: Watched, text: str, last: bool = False) -> Iterator[None]:
        for start in range(0, len(text), SLICE):
            if start:
                yield
            piece = text[start : start + SLICE] if len(text) > SLICE else text
            watched.feed(piece, last and start + SLICE >= len(text))
        self._collect(watched)

    def _collect(self, watched: Watched) -> None:
        if watched.asks:
            self.asks += watched.asks
            watched.asks.clear()

    def _take_audio(self, choice: _Choice) -> None:
        """Decide on what no check can read."""
        self.dropped.add("audio")
        where = f"choices[{choice.index}].message.audio"
        for policy in self._policies.answer:
            blocks = policy.on_unscannable == "block"
            action = policy.stopping if blocks else "bypass"
            fired = Fired(policy, Found(UNSCANNABLE, 0, 1, 1.0, "audio"), ANSWER.name, where, action)
            self.fired.append(fired)
            if blocks:
                self._stop(choice, fired, self._ready)
                return

    # Tool calls

    def _take_tool(self, choice: _Choice, piece: ToolDelta) -> None:
        if not self._policies.arguments:
            self._put_tool(choice, piece)
            return
        tool = choice.tools.get(piece.index)
        if tool is None:
            tool = choice.tools[piece.index] = _Tool(piece)
        tool.arguments.append(piece.arguments)
        choice.tools_size += PIECE_SIZE + len(piece.arguments)
        if choice.tools_size > LONGEST_WHOLE:
            self._fail_tools(choice)

    def _put_tool(self, choice: _Choice, piece: ToolDelta) -> None:
        """Let a piece of a call out that no policy looks at, behind the text before it."""
        watched = Watched((), self._policies.hold, ARGUMENTS, "")
        choice.judged.append(_Judged(piece, ArgumentsText(""), watched))

    def _judge(self, choice: _Choice) -> Iterator[None]:
        """Have its calls looked at, now that they are whole: pieces of several may have come in any order."""
        tools, choice.tools = choice.tools, {}
        for index in sorted(tools):
            yield from self._judge_one(choice, index, tools[index])

    def _judge_one(self, choice: _Choice, index: int, tool: _Tool) -> Iterator[None]:
        policies, whole = self._policies, "".join(tool.arguments)
        where = f"choices[{choice.index}].message.tool_calls[{index}]"
        text = ArgumentsText(whole)
        watched = Watched(policies.arguments, policies.hold, ARGUMENTS, where)
        delta = ToolDelta(tool.delta.index, tool.delta.id, tool.delta.name, whole)
        for policy in policies.arguments:
            if policy.tools is not None:
                _examine(policy, delta, watched)
        yield from self._feed(watched, text.text)
        watched.feed("", True)
        self._collect(watched)
        choice.judged.append(_Judged(delta, text, watched))

    def _fail_tools(self, choice: _Choice) -> None:
        """Decide on calls that are too large to be held."""
        where = f"choices[{choice.index}].message.tool_calls"
        policy = self._policies.arguments[0]
        fired = Fired(policy, Found(FAILED, 0, 1, 1.0, "too_long"), ARGUMENTS.name, where, policy.stopping)
        self.fired.append(fired)
        self._stop(choice, fired, self._ready)

    # What comes out

    def _finish(self, choice: _Choice) -> Iterator[None]:
        for text in choice.texts():
            if not text.ended:
                text.feed("", True)
                self._collect(text)
        yield from self._judge(choice)

    def _give(self, choice: _Choice, out: list[Delta]) -> None:
        for text in choice.texts():
            said = text.give_out()
            self._note(text)
            if said:
                self.released += len(said)
                out.append(_delta_of(choice, text, said))
            if text.stop is not None:
                self._stop(choice, text.stop, out)
                return
        if any(text.holding for text in choice.texts()):
            return
        while choice.judged:
            if not self._give_tool(choice, choice.judged[0], out):
                return
            del choice.judged[0]
        finish = choice.finish
        if finish is not None:
            choice.over = True
            out.append(Delta(choice=choice.index, finish=finish.finish, stop_reason=finish.stop_reason))

    def _give_tool(self, choice: _Choice, judged: _Judged, out: list[Delta]) -> bool:
        """Let a tool call out if it is cleared; return whether it was."""
        watched, delta = judged.watched, judged.delta
        watched.give_out()
        fired = self._note(watched)
        if watched.stop is not None:
            self._stop(choice, watched.stop, out)
            return False
        if watched.holding:
            return False
        spans = spans_of(fired)
        if spans:
            delta = ToolDelta(delta.index, delta.id, delta.name, judged.text.redacted(spans))
        self.released += len(delta.arguments)
        out.append(Delta(choice=choice.index, tool=delta))
        return True

    def _note(self, watched: Watched) -> list[Fired]:
        fired = watched.fired
        if fired:
            self.fired += fired
            watched.fired = []
        return fired

    def _stop(self, choice: _Choice, fired: Fired, out: list[Delta]) -> None:
        """End a choice in the way that the policy wants."""
        choice.over, choice.stop = True, fired
        choice.judged, choice.tools = [], {}
        finish: FinishReason = "content_filter"
        sentence = self._instead
        if fired.action == "replace":
            finish = fired.policy.finish_reason  # type: ignore[assignment]
            sentence = fired.policy.sentence
        if sentence:
            sentence = f" {sentence}" if choice.said else sentence
            self.released += len(sentence)
            out.append(Delta(choice=choice.index, text=sentence))
        out.append(Delta(choice=choice.index, finish=finish, stop_reason="guardrail"))


def _only_ends(delta: Delta, choice: int) -> bool:
    """Whether a delta ends a choice and says nothing more: the text before it is the last."""
    return delta.finish is not None and delta.choice == choice and not delta.text and delta.tool is None


def _delta_of(choice: _Choice, text: Watched, said: str) -> Delta:
    if text is choice.reasoning:
        return Delta(choice=choice.index, reasoning=said)
    if text is choice.refusal:
        return Delta(choice=choice.index, refusal=said)
    choice.said = not said[-1].isspace()  # what is said next is not to run into it
    return Delta(choice=choice.index, text=said)


def _examine(policy: Policy, delta: ToolDelta, watched: Watched) -> None:
    """Show a call to a check of whole calls."""
    arguments: object = delta.arguments
    with contextlib.suppress(msgspec.MsgspecError, ValueError, RecursionError):  # the check is shown the text
        arguments = _decode(delta.arguments) if delta.arguments else {}
    try:
        found = list(policy.tools.examine(delta.name or "", arguments)) if policy.tools is not None else []
    except Exception as error:  # noqa: BLE001 - decided as any check that throws
        action = policy.stopping if policy.on_error == "block" else "bypass"
        watched.take(policy, Found(FAILED, 0, 1, 1.0, f"error: {type(error).__name__}"), action)
        return
    for one in found:
        watched.take(policy, one, "flag" if policy.action == "flag" else policy.stopping)


def spans_of(fired: Sequence[Fired]) -> list[tuple[int, int, str]]:
    """Return the spans that are redacted, in order and apart, with what is put in their place."""
    spans: list[tuple[int, int, str]] = []
    for one in fired:
        if one.action != "redact":
            continue
        start, end = one.found.start, one.found.end
        marker = one.policy.sentence or f"[{one.found.rule.replace('_', ' ').upper()}]"
        if spans and start < spans[-1][1]:
            if end <= spans[-1][1]:
                continue
            start, marker = spans[-1][1], ""
        spans.append((start, end, marker))
    return spans
