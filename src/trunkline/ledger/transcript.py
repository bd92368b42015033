"""One conversation from the overlapping requests of its calls. Pure.

Each call of a session carries the history so far. What is new in it, beyond the call before and its answer, is what was
said since; and how the history has that answer shows what the caller heard of it: a voice agent that was interrupted
puts there what it had spoken by then.
"""

from collections.abc import Sequence
from typing import NamedTuple

from trunkline.ledger.answers import Line
from trunkline.ledger.speech import SYSTEM, Said, answer_of, messages_of


class Turn(NamedTuple):
    """A call of a session: `ended` says how, where it was no answer."""

    at: str
    call: str
    request: bytes
    response: bytes
    ended: str | None = None


def transcribed(turns: Sequence[Turn]) -> list[Line]:
    """Return the lines of a session, its calls given in their order."""
    transcript = _Transcript()
    for turn in turns:
        transcript.take(turn)
    return transcript.lines


class _Transcript:
    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._past: list[Said] = []  # the history of the call before
        self._system: list[str] = []
        self._answer: Line | None = None  # of the call before, until it is known what was heard of it
        self._answered = False  # whether the call before had an answer, of words or of tools
        self._tools: dict[str, str] = {}  # call id -> name
        self._seen: set[Said] = set()

    def take(self, turn: Turn) -> None:
        """Add what a call brought."""
        messages = messages_of(turn.request)
        self._take_system(turn, [said.text for said in messages if said.role in SYSTEM])
        history = [said for said in messages if said.role not in SYSTEM]
        known = _known(history, self._past)
        new = history[known:]
        if self._past and not known:  # written anew, as by who sums up what is long ago
            new = [said for said in new if said not in self._seen]
        elif history != self._past:
            new = self._heard(new)
        self._seen.update(history)
        for said in new:
            self._add(turn, said)
        self._past = history
        self._take_answer(turn)

    def _take_system(self, turn: Turn, system: list[str]) -> None:
        if system != self._system:
            self._system = system
            self.lines.extend(Line(turn.at, turn.call, "system", text) for text in system)

    def _heard(self, new: list[Said]) -> list[Said]:
        """Say of the answer before what was heard of it; return what else is new."""
        answer, self._answer = self._answer, None
        if new and new[0].role == "assistant" and self._answered:
            if answer is not None:
                answer.heard = new[0].text
            return new[1:]
        if answer is not None and new:
            answer.heard = ""
        return new

    def _add(self, turn: Turn, said: Said) -> None:
        if said.role == "tool":
            self.lines.append(
                Line(
                    turn.at, turn.call, "tool result", said.text, tool=self._tools.get(said.answers or "", said.answers)
                )
            )
        elif said.text:
            self.lines.append(Line(turn.at, turn.call, said.role, said.text))
        self._add_tools(turn, said)

    def _add_tools(self, turn: Turn, said: Said) -> None:
        for tool in said.tools:
            self._tools[tool.id] = tool.name
            self.lines.append(Line(turn.at, turn.call, "tool call", tool.arguments, tool=tool.name))

    def _take_answer(self, turn: Turn) -> None:
        said = answer_of(turn.response)
        self._answer, self._answered = None, said is not None
        if said is not None and said.text:
            self._answer = Line(turn.at, turn.call, "assistant", said.text)
            self.lines.append(self._answer)
        if said is not None:
            self._add_tools(turn, said)
        if turn.ended is not None:
            self.lines.append(Line(turn.at, turn.call, "note", turn.ended))


def _known(history: list[Said], past: list[Said]) -> int:
    """Return how much of a history was in the one before, whose beginning may have been cut off since."""
    if history[: len(past)] == past:
        return len(past)
    best, length = 0, 0
    for end in range(len(history), 0, -1):
        run = _run(history[:end], past)
        if run >= length and run > 0:
            best, length = end, run
    return best


def _run(history: list[Said], past: list[Said]) -> int:
    """Return for how many messages two histories are the same, seen from their ends."""
    count = 0
    for ours, theirs in zip(reversed(history), reversed(past), strict=False):
        if ours != theirs:
            break
        count += 1
    return count
